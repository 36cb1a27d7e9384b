from __future__ import annotations

import numpy as np
import pytest
import torch

from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.core.errors import ArtifactError, NotRunError, RunError
from sttk.toolkit.core.rungs import EXACT, FAITHFUL
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.runtimes.base import Settings
from sttk.toolkit.targets import open_model
from sttk.toolkit.targets.openvino.runner import describe
from tests.rungs import rung


def batch(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)


def largest(folder, net, x, settings=None):
    output = open_model(folder / "model.xml", settings).run(x)
    return np.abs(output - net(torch.from_numpy(x)).numpy()).max()


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"size": (64, 96)}, (1, 3, 64, 96)),
        ({}, (3, 3, 37, 61)),
        ({"shapes": Shapes.within((32, 32), (64, 64), (96, 96))}, (1, 3, 40, 88)),
    ],
)
def test_it_is_the_same_function(make, net, options, shape):
    x = batch(*shape)
    output = open_model(make("openvino", **options) / "model.xml").run(x)
    assert rung(output, net, x) == EXACT


def test_fp16_is_of_the_weights(make, net):
    half, full = (make("openvino", size=(64, 96), precision=p) for p in ("fp16", "fp32"))
    assert (half / "model.bin").stat().st_size < 0.6 * (full / "model.bin").stat().st_size
    x = batch(1, 3, 64, 96)
    assert rung(open_model(half / "model.xml").run(x), net, x) == FAITHFUL


def test_the_same_bytes_again(make, net, tmp_path):
    again = make_artifact("openvino", ExportRequest(net, shapes=Shapes.fixed(64, 96)), tmp_path)
    assert read_manifest(again).files == read_manifest(make("openvino", size=(64, 96))).files


def test_the_arithmetic_is_f32_unless_asked_for(make, net):
    folder, x = make("openvino", size=(64, 96)), batch(1, 3, 64, 96)
    assert open_model(folder / "model.xml").notes == ()
    try:
        runner = open_model(folder / "model.xml", Settings("bf16"))
    except NotRunError as error:
        pytest.skip(str(error))
    assert runner.notes == ("the arithmetic was done in bf16",)
    assert largest(folder, net, x, Settings("bf16")) > 5 * largest(folder, net, x)


def test_a_precision_that_the_cpu_has_not(make, monkeypatch):
    monkeypatch.setattr(
        "sttk.toolkit.targets.openvino.runner._CAPABILITIES", {"bf16": "NO SUCH THING"}
    )
    with pytest.raises(NotRunError, match="not run: this CPU has no bf16 arithmetic"):
        open_model(make("openvino", size=(64, 96)) / "model.xml", Settings("bf16"))


def test_another_size_is_refused(make):
    with pytest.raises(RunError, match="OpenVINO"):
        open_model(make("openvino", size=(64, 96)) / "model.xml").run(batch(1, 3, 64, 64))


def test_a_file_that_is_no_ir(tmp_path):
    (tmp_path / "model.xml").write_text("<net>")
    with pytest.raises(ArtifactError, match="OpenVINO cannot load it"):
        open_model(tmp_path / "model.xml")


def test_describe(make):
    facts = describe(make("openvino", size=(64, 96)) / "model.xml")
    assert facts["inputs"] == [{"name": "image", "shape": "[1,3,64,96]", "type": "f32"}]
    assert facts["outputs"][0]["name"] == "stylized"
    assert facts["operations"]["Convolution"] == 10
    assert facts["constants by type"]["f32"] > 1000
