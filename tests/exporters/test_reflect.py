from __future__ import annotations

import onnx
import pytest
from onnx import TensorProto, helper

from sttk.exporters.trt.reflect import check_reflect_pads
from sttk.toolkit.core.errors import ExportError, UsageError
from tests.conftest import nightly


@pytest.mark.parametrize("simplify", [True, nightly(False)])
def test_the_net_at_its_smallest(make, simplify):
    model = onnx.load(make(size=None, simplify=simplify) / "model.onnx")
    for size in ((5, 5), (64, 5), (300, 200)):
        check_reflect_pads(model, size)
    with pytest.raises(UsageError, match=r"size 4x64: .* would reflect 4 pixels of 4"):
        check_reflect_pads(model, (4, 64))
    with pytest.raises(UsageError, match="would reflect 4 pixels of 3"):
        check_reflect_pads(model, (64, 3))


def pad(*inputs, mode="reflect", **values):
    """A graph of one Pad; ``values`` are its constants."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "h", "w"])
    other = helper.make_tensor_value_info("given", TensorProto.INT64, [8])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    node = helper.make_node("Pad", ["image", *inputs], ["out"], name="pad", mode=mode)
    constants = [
        helper.make_tensor(name, TensorProto.INT64, [len(numbers)], numbers)
        for name, numbers in values.items()
    ]
    graph = helper.make_graph([node], "g", [image, other], [out], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def test_pads_of_named_axes():
    model = pad("pads", "", "axes", pads=[2, 5], axes=[-1])
    check_reflect_pads(model, (1, 6))
    with pytest.raises(UsageError, match="would reflect 5 pixels of 5"):
        check_reflect_pads(model, (9, 5))


def test_what_only_cuts_or_does_not_reflect_is_no_pad():
    check_reflect_pads(pad("pads", pads=[0, 0, -1, 0, 0, 0, -1, 0]), (1, 1))
    check_reflect_pads(pad("pads", pads=[0, 0, 9, 9, 0, 0, 9, 9], mode="constant"), (3, 3))
    check_reflect_pads(pad("given", mode="edge"), (3, 3))


def test_what_the_graph_does_not_tell():
    with pytest.raises(ExportError, match="does not tell what this reflect pad adds"):
        check_reflect_pads(pad("given"), (64, 64))
    model = pad("pads", pads=[0, 0, 1, 1, 0, 0, 1, 1])
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "c"
    check_reflect_pads(model, (64, 64))
    model.graph.node[0].input[0] = "hidden"
    with pytest.raises(ExportError, match="does not tell what this reflect pad adds"):
        check_reflect_pads(model, (64, 64))
