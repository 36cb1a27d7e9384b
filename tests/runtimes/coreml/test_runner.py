from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.toolkit.checkpoints import load
from sttk.toolkit.core.errors import ArtifactError, RunError, UsageError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.rungs import EXACT, FAITHFUL
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.parity.metrics import difference
from sttk.toolkit.runtimes.base import Settings
from sttk.toolkit.targets import open_model, target
from sttk.toolkit.targets.coreml import predictor, runner
from sttk.toolkit.targets.coreml.interpreter import Interpreter
from sttk.toolkit.targets.coreml.package import read_package
from sttk.toolkit.targets.coreml.runner import EmulatedCoreML
from tests.rungs import rung

FIXED = Shapes.fixed(64, 96)


def picture(height=64, width=96):
    values = np.random.default_rng(0).integers(0, 256, (1, 3, height, width))
    return values.astype(np.float32)


def test_images_in_have_8_bits_and_images_out_are_not_rounded(model):
    runner = open_model(model)
    x = picture() * 0.9 + 3.3
    output = runner.run(x)
    assert np.array_equal(output, runner.run(np.rint(x)))
    assert not np.array_equal(output, np.rint(output))
    assert "not by Core ML" in runner.notes[0]
    assert "8 bits" in runner.notes[1]


def test_arrays_in_are_taken_as_they_are(make):
    options = {"shapes": FIXED, "precision": "fp32", "tensor_io": True}
    runner = open_model(make("coreml", **options) / "model.mlpackage")
    x = picture() * 0.9 + 3.3
    assert not np.array_equal(runner.run(x), runner.run(np.rint(x)))
    assert len(runner.notes) == 1


def test_what_it_does_not_take(model):
    runner = open_model(model)
    with pytest.raises(RunError, match="one picture of 64x96"):
        runner.run(picture(64, 64))
    with pytest.raises(RunError, match="one picture of 64x96"):
        runner.run(np.concatenate([picture(), picture()]))
    with pytest.raises(UsageError, match="--inference-precision"):
        open_model(model, Settings("f16"))


def test_results_are_rounded_to_float16(make, net):
    folder = make("coreml", shapes=FIXED, precision="fp16")
    output = open_model(folder / "model.mlpackage").run(picture())
    assert np.array_equal(output, output.astype(np.float16).astype(np.float32))
    assert rung(output, net, picture()) == FAITHFUL


@pytest.fixture
def scaled(net, checkpoint, tmp_path, monkeypatch):
    """The tiny net in fp16, its first convolution times a factor: to its norm, all the same."""

    def package(factor, fold):
        if not fold:
            monkeypatch.setattr(
                "sttk.exporters.prepare.scale_fold.scale_fold", lambda net: (net, 0)
            )
        copy = load(checkpoint)
        with torch.no_grad():
            for parameter in copy.net.conv1.conv.parameters():
                parameter.mul_(factor)
        folder = make_artifact("coreml", ExportRequest(copy, Plan("fp16"), FIXED), tmp_path)
        return read_package(folder / "model.mlpackage")

    return package


def test_variances_in_float16_overflow_where_the_scale_is_large(scaled, net):
    wanted = net(torch.from_numpy(picture())).numpy()
    for factor, fold, survives in ((50, True, True), (50, False, False), (0.1, False, True)):
        package = scaled(factor, fold)
        assert difference(Interpreter(package).run(picture()), wanted).mean < 0.3
        half = Interpreter(package, half_variance=True).run(picture())
        assert (difference(half, wanted).mean < 0.3) is survives


def test_float16_in_all_and_sums_too(make, net):
    wanted = net(torch.from_numpy(picture())).numpy()
    for precision in ("fp16", "fp32"):
        model = make("coreml", shapes=FIXED, precision=precision) / "model.mlpackage"
        runner = target("coreml").emulated(model)
        output, usual = runner.run(picture()), open_model(model).run(picture())
        assert np.array_equal(output, output.astype(np.float16))
        errors = [np.square(each - wanted).mean() for each in (usual, output)]
        assert errors == sorted(errors)
        assert "not Apple's kernels" in runner.notes[0]


def test_float16_in_all_overflows_where_the_scale_is_large(scaled, net):
    wanted = net(torch.from_numpy(picture())).numpy()
    errors = []
    for fold in (True, False):
        output = EmulatedCoreML(scaled(50, fold).path).run(picture())
        errors.append(difference(output, wanted).mean)
    assert errors[0] < errors[1] / 5


class FakeModel:
    """Core ML's model on macOS, as far as it is used: it interprets the package."""

    def __init__(self, spec, weights_dir):
        self.output = spec.description.output[0]
        self.package = read_package(FakeModel.path)
        assert weights_dir == str(self.package.weights)

    def predict(self, inputs):
        (image,) = inputs.values()
        assert list(inputs) == ["image"]
        if self.package.input.image:
            assert (image.mode, image.size) == ("RGB", (96, 64))
            image = np.asarray(image, np.float32).transpose(2, 0, 1)[None]
        if np.all(image == 0):
            raise RuntimeError("the engine is\nbusy")
        assert self.output.type.WhichOneof("Type") == "multiArrayType"
        return {self.output.name: Interpreter(self.package).run(image)}


@pytest.fixture
def on_a_mac(monkeypatch):
    real = predictor.ct.proto
    models = SimpleNamespace(MLModel=FakeModel)
    monkeypatch.setattr(runner, "_ON_MAC", True)
    monkeypatch.setattr(predictor, "ct", SimpleNamespace(models=models, proto=real))


@pytest.mark.parametrize("tensor_io", [False, True])
def test_on_macos_core_ml_itself_runs(make, on_a_mac, net, tensor_io):
    options = {"shapes": FIXED, "precision": "fp32", "tensor_io": tensor_io}
    FakeModel.path = make("coreml", **options) / "model.mlpackage"
    runner = open_model(FakeModel.path)
    assert "by Core ML on this Mac" in runner.notes[0]
    assert len(runner.notes) == 1 if tensor_io else 2
    assert rung(runner.run(picture()), net, picture()) == EXACT
    with pytest.raises(RunError, match="coreml: the engine is busy"):
        runner.run(0 * picture())


def test_what_core_ml_cannot_load_is_one_line(model, on_a_mac, monkeypatch):
    def refuse(spec, weights_dir):
        raise RuntimeError("no\nsuch\nlayer")

    monkeypatch.setattr(predictor.ct.models, "MLModel", refuse)
    with pytest.raises(ArtifactError, match="Core ML cannot load it: no such layer"):
        open_model(model)
