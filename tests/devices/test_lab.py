"""The lab: one shipped net at each target, small, in the arithmetic of its users' devices.

Where a device is not here its tests say "not run" and how to get it. Every kept promise is one of
the ladder's, so the limits are computed for each picture; the whole table is
artifacts/reports/devices.md.
"""

from __future__ import annotations

import dataclasses

import pytest

from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.exporters.plans import usual_plan
from sttk.toolkit import devices, targets
from sttk.toolkit.core.errors import NotRunError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.imaging.regimes import shipped_photos
from sttk.toolkit.opened.artifact import open_artifact
from sttk.toolkit.parity.run import Judge, ParityConfig
from sttk.toolkit.styles import find
from sttk.toolkit.targets.base import FLOAT16
from tests.conftest import nightly

# The two kinds of pictures on which float16 is worst.
REGIMES = ("low-contrast", "ramp")
SMALL = [
    ("arm64", "onnx", "fp16"),
    ("arm64", "ncnn", "fp16"),
    ("arm64", "openvino", "fp16"),
    ("arm64", "litert", "fp32"),
    nightly("arm64", "executorch", "fp16"),  # its runner is compiled first
    ("vulkan", "ncnn", "fp16"),
    ("litert-gpu", "litert", "fp32"),
    ("webgpu", "web", "fp16"),
    ("f16", "litert", "fp32"),
    ("f16", "coreml", "fp16"),
]
IN_HALF = {("arm64", "onnx"), ("arm64", "ncnn"), ("arm64", "executorch"), ("f16", "litert"),
           ("f16", "coreml")}  # fmt: skip


@pytest.mark.parametrize(("name", "target", "precision"), SMALL)
def test_a_promise_is_kept(name, target, precision, tmp_path):
    device, known = devices.device(name), targets.target(target)
    if lacking := device.lacking(known):
        pytest.skip(f"not run: {', '.join(map(str, lacking))}")
    ability = known.requires.ability(target, known.requires.exports)
    if not ability.runs:
        pytest.skip(f"not run: {target} is not installed")
    net = find("ink-mobile-m").eval()
    plan = usual_plan(target, net, precision)
    folder = make_artifact(target, ExportRequest(net, plan, Shapes.fixed(64, 64)), tmp_path)
    opened = dataclasses.replace(open_artifact(folder), device=device)
    config = ParityConfig(shipped_photos(), regimes=REGIMES)
    try:
        report = Judge(config).artifact(opened, net)
    except NotRunError as error:  # such as a GPU without float16
        pytest.skip(str(error))
    assert report.passed, report.to_dict()
    assert report.evidence.device == name
    assert not report.not_run
    if (name, target) in IN_HALF:
        assert report.evidence.arithmetic == FLOAT16
