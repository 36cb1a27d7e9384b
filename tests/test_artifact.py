from __future__ import annotations

import pytest

from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.opened.artifact import open_artifact

RANGE = Shapes.within((32, 32), (48, 48), (64, 64))


@pytest.mark.parametrize("target", ["onnx", "openvino"])
def test_a_range_is_kept_where_the_file_cannot_say_it(make, target):
    assert open_artifact(make(target, shapes=RANGE)).runner().takes == RANGE


def test_any_size_stays_any(make):
    assert open_artifact(make("onnx")).runner().takes == Shapes.any()
