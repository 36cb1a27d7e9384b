from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from sttk.exporters import exporter
from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.exporters.coreml.options import CoreMLOptions
from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.core.errors import ExportError, UsageError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.rungs import EXACT, FAITHFUL
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.host.optional import imported
from sttk.toolkit.io.streams import quiet_library
from sttk.toolkit.nets.lengstrom import LengstromNet, LengstromSpec
from sttk.toolkit.targets import open_model
from sttk.toolkit.targets.coreml.package import read_package
from tests.conftest import nightly
from tests.rungs import rung

FIXED = Shapes.fixed(64, 96)
LISTED = Shapes.one_of([(64, 96), (32, 32), (30, 41)])
RANGE = Shapes.within((24, 32), (64, 96), (100, 101))
SYSTEMS = {"iOS15": 6, "iOS16": 7, "iOS17": 8, "iOS18": 9}


def spec_of(folder):
    return read_package(folder / "model.mlpackage").spec


def operations(folder):
    kinds = [op.type for op in read_package(folder / "model.mlpackage").operations]
    return [kind for kind in kinds if kind != "const"]


def picture(height, width):
    values = np.random.default_rng(0).integers(0, 256, (1, 3, height, width))
    return values.astype(np.float32)


def rung_of(folder, net, height=64, width=96):
    x = picture(height, width)
    return rung(open_model(folder / "model.mlpackage").run(x), net, x)


@pytest.mark.parametrize("system", ["iOS15", nightly("iOS16"), nightly("iOS17"), "iOS18"])
def test_each_system_keeps_the_operations_whole(make, net, system):
    folder = make("coreml", shapes=FIXED, precision="fp16", deployment_target=system)
    assert spec_of(folder).specificationVersion == SYSTEMS[system]
    found = operations(folder)
    assert found.count("instance_norm") == 9
    assert found.count("pad") == found.count("conv") == 10
    assert found.count("upsample_nearest_neighbor") == 2
    assert rung_of(folder, net) == FAITHFUL


@pytest.mark.parametrize("tensor_io", [False, True])
def test_nothing_stands_between_the_picture_and_the_net(make, tensor_io):
    folder = make("coreml", shapes=FIXED, precision="fp16", tensor_io=tensor_io)
    found = operations(folder)
    assert found[:3] == ["cast", "pad", "conv"]
    assert found[-2:] == ["clip", "cast"]
    package = read_package(folder / "model.mlpackage")
    assert (package.input.name, package.output.name) == ("image", "stylizedImage")
    assert package.input.image is package.output.image is not tensor_io
    assert read_manifest(folder).target.options["tensor_io"] is tensor_io


@pytest.mark.parametrize(
    ("shapes", "tensor_io"),
    [
        (FIXED, True),
        (LISTED, False),
        (RANGE, False),
        nightly(FIXED, False),
        nightly(LISTED, True),
    ],
)
def test_each_kind_of_sizes_is_exact_in_fp32(make, net, shapes, tensor_io):
    folder = make("coreml", shapes=shapes, precision="fp32", tensor_io=tensor_io)
    assert open_model(folder / "model.mlpackage").takes == shapes
    for size in shapes.promised:
        assert rung_of(folder, net, *size) == EXACT


@pytest.mark.nightly
def test_flexible_image_outputs_say_their_sizes(make):
    package = read_package(make("coreml", shapes=LISTED, precision="fp32") / "model.mlpackage")
    assert package.output.shapes == Shapes.one_of([(64, 96), (32, 32), (32, 44)])
    package = read_package(make("coreml", shapes=RANGE, precision="fp32") / "model.mlpackage")
    assert package.output.shapes == Shapes.within((24, 32), (64, 96), (100, 104))


def test_a_range_of_one_side_alone(make, net):
    shapes = Shapes.within((24, 96), (64, 96), (100, 96))
    folder = make("coreml", shapes=shapes, precision="fp32")
    assert open_model(folder / "model.mlpackage").takes == shapes
    assert rung_of(folder, net, 40, 96) == EXACT


def test_zero_padding_by_the_remainder_needs_sizes_of_the_multiple(net, tmp_path):
    torch.manual_seed(0)
    module = LengstromNet(LengstromSpec((4, 4, 4), (4, 4), blocks=0))
    origin = dataclasses.replace(net.origin, name="zero")
    zero = StyleNet(module, net.contract, origin)
    shapes = Shapes.one_of([(64, 96), (32, 40)])
    folder = make_artifact("coreml", ExportRequest(zero, Plan("fp32"), shapes), tmp_path)
    for size in shapes.sizes:
        assert rung_of(folder, zero, *size) == EXACT
    with pytest.raises(ExportError, match="the conversion to Core ML failed"):
        make_artifact("coreml", ExportRequest(zero, Plan("fp32"), RANGE), tmp_path)


def test_the_package_says_what_it_is(make, net):
    described = spec_of(make("coreml", shapes=FIXED, precision="fp16")).description
    about = described.metadata
    assert about.shortDescription == "Repaints a photograph in the style tiny."
    assert about.author == "exported by sttk"
    assert about.versionString
    assert not about.license
    assert about.userDefined["sttk.checkpoint.sha256"] == net.origin.sha256
    assert about.userDefined["sttk.style"] == "tiny"
    assert not [key for key in about.userDefined if "date" in key]
    assert "8-bit image, RGB, 0 to 255, 64x96" in described.input[0].shortDescription
    assert "8-bit image, RGB, 0 to 255, 64x96" in described.output[0].shortDescription


def test_author_and_licence_are_the_checkpoints(net, tmp_path):
    card = {"author": "Ada", "licence": "CC0"}
    said = StyleNet(net.net, net.contract, dataclasses.replace(net.origin, card=card))
    folder = make_artifact("coreml", ExportRequest(said, Plan("fp16"), FIXED), tmp_path)
    about = spec_of(folder).description.metadata
    assert (about.author, about.license) == ("Ada", "CC0")


def test_coremltools_own_reader_takes_the_package(make):
    folder = make("coreml", shapes=FIXED, precision="fp16")
    with quiet_library():
        models = imported("coremltools.models", "coreml")
        model = models.MLModel(str(folder / "model.mlpackage"), skip_model_load=True)
    assert model.weights_dir.endswith("weights")
    assert [file for file in read_manifest(folder).files if "executorch" in file] == []


PROGRAM = """
import sys
from pathlib import Path
from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.exporters.coreml.options import CoreMLOptions
from sttk.toolkit.checkpoints import load
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.shapes import Shapes

shapes = Shapes.one_of([(64, 96), (32, 32), (30, 41)])
request = ExportRequest(load(sys.argv[1]), Plan("fp16"), shapes, CoreMLOptions(compress="int8"))
make_artifact("coreml", request, Path(sys.argv[2]))
"""


@pytest.mark.nightly
def test_same_input_same_bytes_in_another_process(wide, wide_path, tmp_path):
    environment = {**os.environ, "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "3"}
    command = [sys.executable, "-c", PROGRAM, wide_path, tmp_path / "there"]
    subprocess.run(command, env=environment, check=True)
    request = ExportRequest(wide, Plan("fp16"), LISTED, CoreMLOptions(compress="int8"))
    here = make_artifact("coreml", request, tmp_path / "here")
    there = tmp_path / "there" / here.relative_to(tmp_path / "here")
    files = sorted(path for path in here.rglob("*") if path.is_file())
    assert len(files) == 5
    for file in files:
        assert file.read_bytes() == (there / file.relative_to(here)).read_bytes(), file


@pytest.mark.parametrize(
    ("options", "precision", "text"),
    [
        ({"compress": "int8", "deployment_target": "iOS15"}, "fp16", "int8 needs iOS16"),
        ({"compress": "palette4", "deployment_target": "iOS15"}, "fp16", "needs iOS16"),
        ({"compress": "int4", "deployment_target": "iOS17"}, "fp16", "int4 needs iOS18 .pass"),
        ({"compress": "zip"}, "fp16", "no compression zip"),
        ({"compress": "int8"}, "fp32", "weights of fp32 are not compressed .pass"),
        ({"compress": "int8", "deployment_target": "iOS18"}, "int8", "are not compressed"),
        ({}, "int8", "int8 arithmetic needs iOS17 .pass --deployment-target iOS17"),
        ({"deployment_target": "iOS9"}, "fp16", "no deployment target iOS9"),
        ({}, "fp8", "no precision fp8"),
    ],
)
def test_requests_that_cannot_be_met(net, tmp_path, options, precision, text):
    with pytest.raises(UsageError, match=text):
        make_artifact(
            "coreml", ExportRequest(net, Plan(precision), FIXED, CoreMLOptions(**options)), tmp_path
        )


def test_sizes_that_cannot_be_met(net, tmp_path):
    with pytest.raises(UsageError, match="takes no --dynamic"):
        make_artifact("coreml", ExportRequest(net, Plan("fp16"), Shapes.any()), tmp_path)
    many = Shapes.one_of([(64, 64 + i) for i in range(129)])
    with pytest.raises(UsageError, match="129 sizes; Core ML takes 128"):
        exporter("coreml").export(ExportRequest(net, Plan("fp16"), many), tmp_path)


def test_a_net_that_cannot_be_converted_is_one_line(net, tmp_path):
    class Stubborn(torch.nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    stubborn = StyleNet(Stubborn(), net.contract, net.origin)
    with pytest.raises(ExportError, match="the conversion to Core ML failed") as caught:
        make_artifact("coreml", ExportRequest(stubborn, Plan("fp16"), FIXED), tmp_path)
    assert "\n" not in str(caught.value)


def test_the_commands_print_nothing_else(sttk, checkpoint, photo, tmp_path):
    result = sttk(
        *("export", checkpoint, "--target", "coreml", "--size", "72x96"),
        *("--deployment-target", "iOS17", "-o", tmp_path, "--json"),
    )
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    (made,) = json.loads(result.stdout)
    assert made["artifact"].endswith("tiny/coreml-fp16-iOS17-72x96")
    result = sttk("parity", tmp_path, "--photos", photo.parent, "--json")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    (report,) = json.loads(result.stdout)
    assert report["runtime"] == "coreml"
    assert [check["passed"] for check in report["checks"]] == [True, True, True, True]
    out = tmp_path / "out.png"
    result = sttk("stylize", photo, "-o", out, "--artifact", tmp_path)
    assert result.exit_code == 0, result.output
    assert "coreml" in result.stdout


@pytest.mark.nightly
def test_what_its_libraries_tell_of_themselves_is_not_shown(checkpoint, tmp_path):
    """In a process of its own: what is imported already says nothing any more."""
    command = [sys.executable, "-m", "sttk"]
    export = ["export", checkpoint, "--target", "coreml", "--size", "64", "-o", tmp_path]
    made = subprocess.run([*command, *export], capture_output=True, text=True, check=True)
    assert made.stderr == ""
    parity = ["parity", tmp_path, "--regime", "photo"]
    judged = subprocess.run([*command, *parity], capture_output=True, text=True, check=True)
    assert judged.stderr == ""
