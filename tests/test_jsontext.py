from __future__ import annotations

import json
import math

from sttk.toolkit.io.json_text import dumps


def test_what_json_has_not_becomes_null():
    data = {"b": (1.5, math.inf), "a": [math.nan, {"c": -math.inf}], "d": True}
    assert json.loads(dumps(data)) == {"a": [None, {"c": None}], "b": [1.5, None], "d": True}
    assert dumps(data).index('"a"') < dumps(data).index('"b"')
