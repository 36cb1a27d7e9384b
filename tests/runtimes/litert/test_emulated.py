"""The interpreter of TFLite files against LiteRT, and as the GPU of a phone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.toolkit.checkpoints import load
from sttk.toolkit.core.errors import RunError, UsageError
from sttk.toolkit.core.rungs import DIFFERENT, EXACT, FAITHFUL
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.precision.arithmetic import FLOAT16, FLOAT32, ROUNDED
from sttk.toolkit.rewrites.scale_fold import scale_fold
from sttk.toolkit.targets import every, open_model, target
from sttk.toolkit.targets.litert.emulated import EmulatedLiteRt
from tests.exporters.phones import SMALL, parts, pictures
from tests.rungs import rung

pytest.importorskip("ai_edge_litert.interpreter")
FIXED = Shapes.fixed(64, 96)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("size", [(64, 96), None], ids=str)
def test_in_float32_it_computes_what_litert_does(precision, size, make, net):
    model = make("litert", size=size, precision=precision) / "model.tflite"
    x = pictures(2, 3, 64, 96)
    ours, theirs = EmulatedLiteRt(model, FLOAT32).run(x), open_model(model).run(x)
    assert {rung(ours, net, x), rung(theirs, net, x)} == {
        EXACT if precision == "fp32" else FAITHFUL
    }


def test_int8_is_that_of_litert(make):
    model = make("litert", size=SMALL, precision="int8") / "model.tflite"
    ours, theirs = EmulatedLiteRt(model, FLOAT32), open_model(model)
    off = [np.abs(ours.run(x) - theirs.run(x)).max() for x in parts()]
    # Where a value lies halfway between two levels, either may be right.
    assert np.median(off) < 0.01


def test_the_more_is_rounded_the_larger_the_error(make, net):
    model = make("litert", size=(64, 96)) / "model.tflite"
    x = pictures(1, 3, 64, 96)
    wanted = net(torch.from_numpy(x)).detach().numpy()
    outputs = [EmulatedLiteRt(model, each).run(x) for each in (FLOAT32, ROUNDED, FLOAT16)]
    errors = [np.square(output - wanted).mean() for output in outputs]
    assert errors == sorted(errors)
    assert [rung(each, net, x) for each in outputs[:2]] == [EXACT, FAITHFUL]
    assert np.array_equal(outputs[2], outputs[2].astype(np.float16))


@pytest.mark.nightly
def test_squares_overflow_in_a_net_whose_scale_is_large(checkpoint, tmp_path):
    net = load(checkpoint)
    with torch.no_grad():
        for parameter in net.net.conv1.conv.parameters():
            parameter.mul_(50)
    x = pictures(1, 3, 64, 96)
    verdicts = []
    for each in (net, scale_fold(net)[0]):
        folder = make_artifact("litert", ExportRequest(each, shapes=FIXED), tmp_path)
        runner = EmulatedLiteRt(folder / "model.tflite", ROUNDED)
        verdicts.append(rung(runner.run(x), net, x))
    assert verdicts == [DIFFERENT, FAITHFUL]


def test_it_takes_the_sizes_of_the_model(make):
    runner = EmulatedLiteRt(make("litert", size=(64, 96)) / "model.tflite")
    with pytest.raises(RunError, match="the model takes 64x96, not"):
        runner.run(pictures(1, 3, 64, 64))


def test_which_targets_have_an_emulation(tmp_path):
    able = {each.name for each in every() if each.has_emulation}
    assert able == {"litert", "coreml"}
    with pytest.raises(UsageError, match=r"sttk has no interpreter of \.onnx models"):
        target("onnx").emulated(tmp_path / "model.onnx")
