"""How a hostile file is refused."""

from __future__ import annotations

import pytest


def refused(kind, function, *arguments, saying="."):
    with pytest.raises(kind, match=saying) as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)
