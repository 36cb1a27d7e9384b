from __future__ import annotations

import dataclasses
import json
import math
import shutil
from functools import partial

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.toolkit.artifact.manifest import Manifest
from sttk.toolkit.artifact.search import outermost, read_manifest, search
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.errors import ArtifactError, MissingExtraError, RunError, UsageError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.core.style_net import Origin, StyleNet
from sttk.toolkit.devices.host import Host
from sttk.toolkit.imaging.images import read_image
from sttk.toolkit.imaging.regimes import NAMES, Sample, shipped_photos
from sttk.toolkit.io.files import sha256
from sttk.toolkit.opened.artifact import float_reference_of, open_artifact
from sttk.toolkit.parity.compare import Comparison
from sttk.toolkit.parity.metrics import difference
from sttk.toolkit.parity.outcome import Unjudged
from sttk.toolkit.parity.reference import References
from sttk.toolkit.parity.run import Judge, ParityConfig
from sttk.toolkit.runtimes.base import Closing
from sttk.toolkit.targets import target
from sttk.workflows.session import Candidate, ReportOptions, Session
from tests.conftest import random_johnson


def test_metrics_of_known_values():
    a = np.zeros((1, 3, 2, 2), np.float32)
    b = a.copy()
    b[0, 0, 0, 0] = 12
    found = difference(b, a)
    assert (found.largest, found.mean) == (12, 1)
    assert found.psnr == pytest.approx(10 * math.log10(255**2 / 12))
    assert difference(a, a).psnr == math.inf


def opened(folder):
    """An artifact and its reference."""
    artifact = open_artifact(folder)
    return artifact, float_reference_of(artifact.manifest)


def judged_and_recorded(config, folder):
    """The report on an artifact, as ``sttk parity`` makes and records it."""
    (entry,) = outermost(search(folder))
    candidate = Candidate(entry, str(folder))
    (outcome,) = Session(config, ReportOptions()).outcomes(candidate)
    if isinstance(outcome, Unjudged):
        raise outcome.error
    return outcome.report


@pytest.fixture
def judged(photo):
    """Judges an artifact or, with a reference, a bare model, without asking for its style."""

    def judge(path, net=None, **how):
        config = ParityConfig([photo], net, style=None, **how)
        if path.is_file():
            return Judge(config).model(path, "fp32")
        return judged_and_recorded(config, path)

    return judge


class Constant(Closing):
    """Answers with one value, in the shape it is told."""

    name, takes, notes = "constant", Shapes.any(), ()

    def __init__(self, value, shape=None):
        self.value, self.shape = value, shape

    def run(self, batch):
        return np.full(self.shape or batch.shape, self.value, np.float32)


def test_another_shape_fails_and_says_so(net):
    sample = Sample("x", np.zeros((1, 3, 16, 16), np.float32))
    answer = References(net).of(sample.batch)
    row, _ = Comparison("exact").row(Constant(1, (1, 3, 8, 8)), sample, answer)
    assert not row.passed
    assert "(1, 3, 8, 8)" in row.note


def test_a_clean_artifact_passes_and_its_manifest_says_so(make, photo, tmp_path, judged):
    # A copy: the record is written into it, and the fixture's artifacts are everybody's.
    folder = shutil.copytree(make(size=None), tmp_path / "clean")
    report = judged(folder)
    assert report.passed
    record = read_manifest(folder).parity["host"]
    assert record["passed"]
    assert record["model_sha256"] == read_manifest(folder).files["model.onnx"]
    assert {row["regime"] for row in record["rows"]} == set(NAMES) - {"size"}


def weights(model):
    return {weight.name: weight for weight in model.graph.initializer}


def flip_one_weight(model):
    weight = weights(model)["net.conv2.conv.weight"]
    values = numpy_helper.to_array(weight).copy()
    values[0, 0, 1, 1] *= -1
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))


def pad_by_edge(model):
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Pad" and attribute.name == "mode":
                attribute.s = b"edge"


def raise_epsilon(model, factor=100):
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "epsilon":
                attribute.f *= factor


def swap_channels(model):
    weight = weights(model)["net.conv1.conv.weight"]
    values = numpy_helper.to_array(weight)[:, ::-1].copy()
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))


def leave_out_the_clamp(model):
    clip = model.graph.node[-1]
    assert clip.op_type == "Clip"
    clip.op_type = "Identity"
    del clip.input[1:]


FAULTS = [flip_one_weight, pad_by_edge, raise_epsilon, swap_channels]


@pytest.fixture
def broken(make, tmp_path):
    """A copy of an artifact with a fault in its model, and its manifest made to agree."""

    def copy(fault, **how):
        folder = tmp_path / "broken"
        shutil.copytree(make(**(how or {"size": None})), folder)
        model = onnx.load(folder / "model.onnx")
        fault(model)
        onnx.save_model(model, folder / "model.onnx")
        manifest = read_manifest_unchecked(folder)
        files = {"model.onnx": sha256(folder / "model.onnx")}
        dataclasses.replace(manifest, files=files).write(folder)
        return folder

    return copy


def read_manifest_unchecked(folder):
    return Manifest.from_dict(json.loads((folder / "manifest.json").read_text()))


@pytest.mark.parametrize("fault", [*FAULTS, leave_out_the_clamp])
def test_faults_in_artifacts_are_caught(broken, photo, fault, judged):
    folder = broken(fault)
    assert not judged(folder).passed
    assert not read_manifest(folder).parity["host"]["passed"]


@pytest.fixture
def broken_half(broken):
    return broken(partial(raise_epsilon, factor=10), size=(64, 96), precision="fp16")


@pytest.mark.parametrize("promise", [None, "faithful"])
def test_what_rounding_hides_is_caught_in_the_saved_weights(broken_half, judged, promise):
    report = judged(broken_half, promise=promise)
    assert not report.passed
    failed = {row.against for row in report.rows if not row.passed}
    assert "float16 weights" in failed


def test_saved_weights_that_cannot_be_run_are_said(broken_half, judged, monkeypatch):
    def absent(*_):
        raise MissingExtraError("onnx", "onnx")

    monkeypatch.setattr("sttk.toolkit.opened.artifact.OpenArtifact.float32_runner", absent)
    report = judged(broken_half)
    assert any("not run: float16 weights" in note for note in report.notes)


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_in_bare_models_are_caught(broken, net, photo, fault, judged):
    assert not judged(broken(fault) / "model.onnx", net).passed


def test_a_bare_model_may_leave_the_clamp_to_its_user(broken, make, net, photo, judged):
    report = judged(broken(leave_out_the_clamp) / "model.onnx", net)
    assert report.passed
    assert "clamped before it was compared" in report.notes[0]
    assert not judged(make(size=None) / "model.onnx", net).notes


def test_a_reference_that_changed_is_refused(make, tmp_path, monkeypatch, net, photo, judged):
    folder = shutil.copytree(make(size=(64, 96)), tmp_path / "copy")
    source = tmp_path / "moved.safetensors"
    manifest = read_manifest(folder)
    monkeypatch.setattr("sttk.toolkit.opened.artifact.find", _gone)
    with pytest.raises(ArtifactError, match="--reference"):
        judged(folder)
    other = type(net)(net.net, net.contract, _other_origin(net, source))
    monkeypatch.setattr("sttk.toolkit.opened.artifact.find", lambda _: other)
    with pytest.raises(ArtifactError, match="has changed since the export"):
        judged(folder)
    assert manifest.checkpoint.source == net.origin.source


def _gone(reference):
    from sttk.toolkit.core.errors import CheckpointError

    raise CheckpointError(f"{reference}: no such file")


def _other_origin(net, source):
    return dataclasses.replace(net.origin, sha256="f" * 64, source=str(source))


def test_a_fixed_model_is_not_asked_for_other_sizes(make, net, photo, judged):
    model = make(size=(64, 96)) / "model.onnx"
    report = judged(model, net, sizes=((64, 96),))
    assert {row.name.split()[-1] for row in report.rows} == {"64x96"}
    with pytest.raises(UsageError, match="64x96 only"):
        judged(model, net, sizes=((32, 32),))


def with_shape(make, path, *shape):
    """The dynamic model, its input's shape rewritten: a number fixes an axis, text frees it."""
    model = onnx.load(make(size=None) / "model.onnx")
    for axis, value in zip(model.graph.input[0].type.tensor_type.shape.dim, shape, strict=True):
        axis.Clear()
        setattr(axis, "dim_value" if isinstance(value, int) else "dim_param", value)
    del model.graph.value_info[:]
    onnx.save_model(model, path)
    return path


@pytest.mark.parametrize("batch", [1, 4])
def test_models_of_one_batch_are_given_that_batch(make, net, photo, tmp_path, batch, judged):
    model = with_shape(make, tmp_path / "m.onnx", batch, 3, "h", "w")
    assert judged(model, net).passed
    report = judged(model, net, sizes=((40, 64), (32, 32)))
    assert report.passed
    assert {row.name.split()[-1] for row in report.rows} == {"40x64", "32x32"}


def test_models_that_cannot_be_tried(make, net, photo, tmp_path, judged):
    model = with_shape(make, tmp_path / "m.onnx", 1, 3, 64, "w")
    with pytest.raises(ArtifactError, match="one side of its input is fixed"):
        judged(model, net)
    model = with_shape(make, tmp_path / "m.onnx", 1, 3, 4, 4)
    with pytest.raises(UsageError, match="no side under 5 pixels"):
        judged(model, net)


def test_a_model_that_fails_when_it_runs_is_a_failed_row(net):
    class Refuses(Closing):
        name, takes, notes = "refuses", Shapes.any(), ()

        def run(self, batch):
            raise RunError("it broke")

    sample = Sample("x", np.zeros((1, 3, 16, 16), np.float32))
    row, output = Comparison("exact").row(Refuses(), sample, References(net).of(sample.batch))
    assert output is None
    assert not row.passed
    assert row.note == "it broke"


def test_every_photograph_of_the_package_is_a_picture():
    for file in shipped_photos():
        assert min(read_image(file).rgb.shape[:2]) >= 300


def test_a_proof_at_chosen_sizes_is_not_written_down(make, photo, tmp_path, judged):
    folder = shutil.copytree(make(size=None), tmp_path / "copy")
    assert judged(folder, sizes=((40, 40),)).passed
    assert read_manifest(folder).parity == {}


def test_styles_of_one_file_have_each_a_reference(make, photo, tmp_path, monkeypatch):
    """Two artifacts of ``x.onnx#style=0`` and ``#style=1``: another net, the same digest."""
    nets = {}
    for seed in (3, 4):
        origin = Origin(f"s{seed}", f"x.onnx#style={seed}", "f" * 64, "onnx")
        nets[origin.source] = StyleNet(random_johnson(seed=seed), Contract(), origin)
    monkeypatch.setattr("sttk.toolkit.opened.artifact.find", nets.get)
    judge = Judge(ParityConfig([photo], style=None, regimes=("photo",)))
    for source, net in nets.items():
        request = ExportRequest(net, shapes=Shapes.fixed(32, 48))
        folder = make_artifact("onnx", request, tmp_path / source[-1])
        assert judge.artifact(*opened(folder)).passed


def test_targets_of_one_calibration_share_its_reference(make, photo, tmp_path):
    folders = [make(target, size=(32, 48), precision="int8") for target in ("onnx", "openvino")]
    judge = Judge(ParityConfig([photo], style=None, regimes=("photo",)))
    for folder in folders:
        judge.artifact(*opened(folder))
    assert len(judge._references._references) == 2  # the float net's, and the quantised one's


class Closable(Constant):
    """A :class:`Constant` that counts how often it was closed."""

    takes = Shapes.fixed(32, 48)

    def __init__(self):
        super().__init__(7)
        self.closed = 0

    def close(self):
        self.closed += 1


def interrupted(_observation):
    raise KeyboardInterrupt


@pytest.fixture
def closables(monkeypatch):
    """Every model that is opened is a :class:`Closable` of this list."""
    made = []

    def open_one(*_):
        made.append(Closable())
        return made[-1]

    monkeypatch.setattr(Host, "open_model", open_one)
    monkeypatch.setattr("sttk.toolkit.parity.run.required", lambda _: target("onnx"))
    return made


def test_a_bare_models_runner_is_closed_however_judging_ends(net, photo, tmp_path, closables):
    model = tmp_path / "x.onnx"
    judge = Judge(ParityConfig([photo], net, style=None, regimes=("photo",)))
    assert not judge.model(model, "fp32").passed
    with pytest.raises(KeyboardInterrupt):
        judge.model(model, "fp32", interrupted)
    assert [each.closed for each in closables] == [1, 1]


def test_an_artifacts_runners_are_closed_however_judging_ends(make, photo, closables):
    """Two of a float16 artifact: its own, and the saved weights in float32."""
    folder = make(size=(32, 48), precision="fp16")
    judge = Judge(ParityConfig([photo], style=None, regimes=("photo",)))
    assert not judge.artifact(*opened(folder)).passed
    with pytest.raises(KeyboardInterrupt):
        judge.artifact(*opened(folder), interrupted)
    assert [each.closed for each in closables] == [1, 1, 1, 1]


def test_the_proof_lies_with_the_artifact_that_is_alone_in_a_folder(make, photo, tmp_path, judged):
    folder = shutil.copytree(make(size=(64, 96)), tmp_path / "tiny" / "onnx-fp32-64x96")
    assert judged(tmp_path / "tiny").passed
    assert read_manifest(folder).parity["host"]["passed"]
    assert not (tmp_path / "tiny" / "manifest.json").exists()
