from __future__ import annotations

import dataclasses
import json
import shutil
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.exporters.coreml.options import CoreMLOptions
from sttk.toolkit.artifact.manifest import Manifest
from sttk.toolkit.checkpoints import load
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.opened.checks import checks_of_file
from sttk.toolkit.targets.coreml.describe import describe
from sttk.toolkit.targets.coreml.lint import RULES, wide_reflection
from sttk.toolkit.targets.coreml.package import read_package

FIXED = Shapes.fixed(64, 96)
RANGE = Shapes.within((24, 32), (64, 96), (100, 101))


def rules(model):
    return {hint["rule"]: hint["found"] for hint in describe(model)["heuristic_hints"]}


def test_a_description_says_what_the_package_is(make, net):
    folder = make("coreml", shapes=FIXED, precision="fp16")
    found = describe(folder / "model.mlpackage")
    assert json.loads(json.dumps(found)) == found
    assert (found["system"], found["spec_version"], found["precision"]) == ("iOS16", 7, "fp16")
    assert found["input"] == {"name": "image", "kind": "8-bit RGB image", "sizes": "64x96"}
    assert found["output"]["name"] == "stylizedImage"
    assert found["operations"]["conv"] == 10
    assert "const" not in found["operations"]
    assert found["compression"] == {}
    assert found["weights_bytes"] > 1000
    assert found["metadata"]["sttk.checkpoint.sha256"] == net.origin.sha256


def test_float32_and_ranges_are_hinted_at(make):
    found = rules(make("coreml", shapes=RANGE, precision="fp32") / "model.mlpackage")
    assert found == {
        "float32-arithmetic": "44 in float32, pad pad first",
        "range-of-sizes": "the input takes 24x32-100x101",
    }


def test_variances_beyond_float16_are_hinted_at(checkpoint, tmp_path):
    for factor, hinted in ((10, True), (0.1, False)):
        copy = load(checkpoint)
        with torch.no_grad():
            copy.net.conv1.conv.weight.mul_(factor)
        folder = make_artifact("coreml", ExportRequest(copy, Plan("fp16"), FIXED), tmp_path)
        assert ("variance-beyond-half" in rules(folder / "model.mlpackage")) is hinted


class Odd(nn.Module):
    def forward(self, x):
        flat = x.flatten(2).mean(2)
        return x + torch.softmax(flat, 1)[:, :, None, None]


def test_operations_and_ranks_that_are_unusual_are_hinted_at(net, tmp_path):
    request = ExportRequest(StyleNet(Odd(), net.contract, net.origin), Plan("fp16"), FIXED)
    found = rules(make_artifact("coreml", request, tmp_path) / "model.mlpackage")
    assert "1 x softmax" in found["unusual-operation"]
    assert "not of rank 4" in found["not-four-dimensions"]


@pytest.mark.parametrize(
    ("amounts", "shape", "found"),
    [
        ([0, 0, 0, 0, 4, 4, 4, 4], (1, 3, 5, 5), []),
        ([0, 0, 0, 0, 4, 5, 4, 4], (1, 3, 5, 9), ["1 too wide, pad p first"]),
        ([0, 0, 1, 0, 4, 4, 4, 4], (1, 3, 9, 9), ["1 too wide, pad p first"]),
        ([9, 9, 9, 9], (1, 3, "rows", "columns"), []),
    ],
)
def test_reflections_that_are_too_wide(amounts, shape, found):
    constant = {"mode": SimpleNamespace(val="reflect"), "pad": SimpleNamespace(val=amounts)}
    pad = SimpleNamespace(op_type="pad", name="p", x=SimpleNamespace(shape=shape), **constant)
    assert list(wide_reflection(None, [pad])) == found


def test_every_rule_has_its_page():
    for rule in RULES:
        for word in ("What:", "Why:", "Limits:"):
            assert word in rule.__doc__, rule.__name__


def test_checks_of_a_clean_artifact_pass(make):
    for shapes in (FIXED, RANGE):
        checks = checks_of_file(make("coreml", shapes=shapes, precision="fp32") / "model.mlpackage")
        assert len(checks) == 3
        assert all(check.passed for check in checks)


def wrong_output(spec):
    spec.description.output[0].type.imageType.height = 1


def flexible_output(spec):
    sizes = spec.description.output[0].type.imageType.enumeratedSizes.sizes
    sizes.add(height=64, width=96)
    sizes.add(height=32, width=96)


@pytest.mark.parametrize("edit", [wrong_output, flexible_output])
def test_an_output_of_another_size_is_certain(broken, edit):
    (check,) = checks_of_file(broken(spec=edit))
    assert not check.passed
    assert "computed is 64x96" in check.detail


def test_a_fixed_output_of_a_flexible_program_is_certain(make, tmp_path):
    source = make("coreml", shapes=RANGE, precision="fp32") / "model.mlpackage"
    copy = shutil.copytree(source, tmp_path / "m.mlpackage")
    spec = read_package(copy).spec
    spec.description.output[0].type.imageType.ClearField("SizeFlexibility")
    next(copy.rglob("model.mlmodel")).write_bytes(spec.SerializeToString())
    (check,) = checks_of_file(copy)
    assert not check.passed


def test_a_package_that_is_not_its_manifests(make, tmp_path):
    folder = shutil.copytree(make("coreml", shapes=FIXED, precision="fp32"), tmp_path / "a")
    manifest = Manifest.from_dict(json.loads((folder / "manifest.json").read_text()))
    other = dataclasses.replace(manifest.checkpoint, sha256="f" * 64)
    target = dataclasses.replace(manifest.target, precision="fp16")
    half = {"plan": {"default": "fp16"}, "target": target}
    dataclasses.replace(manifest, checkpoint=other, **half).write(folder)
    passed = {check.name: check.passed for check in checks_of_file(folder / "model.mlpackage")}
    assert passed == {
        "output size": True,
        "checkpoint named in the package": False,
        "precision of the program": False,
    }


def test_compression_is_described(make, checkpoint, tmp_path):
    net = load(checkpoint)
    options = CoreMLOptions(compress="int8")
    wide = StyleNet(nn.Conv2d(3, 3, 17, padding=8), net.contract, net.origin)
    folder = make_artifact("coreml", ExportRequest(wide, Plan("fp16"), FIXED, options), tmp_path)
    assert describe(folder / "model.mlpackage")["compression"] == {"linear": 1}
