from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

import sttk.exporters
from sttk.exporters import artifact, plans
from sttk.exporters.artifact import folder_name, make_artifact
from sttk.exporters.base import Exporter, ExportRequest, Product
from sttk.exporters.coreml.options import CoreMLOptions
from sttk.exporters.options import Options
from sttk.exporters.plans import usual_plan
from sttk.exporters.trt.options import TensorrtOptions
from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.core.errors import ExportError, UsageError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.shapes import Shapes


def fake(content=b"model", error=None):
    """An exporter that writes what it is told to, or fails half-way."""

    def make(request, folder):
        (folder / "model.bin").write_bytes(content)
        if error:
            raise error
        return Product("model.bin", {"tool": "1"}, {"a": 1})

    return Exporter(make, Options, ("fp32", "fp16"), ("fixed",))


@pytest.fixture
def use(monkeypatch):
    def use(stand_in):
        for module in (artifact, plans):
            monkeypatch.setattr(module, "exporter", lambda _: stand_in)

    return use


def names(folder):
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize(("compressed", "promise"), [("", "faithful"), ("palette8", "same style")])
def test_the_promise_is_made_with_the_artifact(net, tmp_path, use, compressed, promise):
    def make(request, folder):
        (folder / "model.bin").write_bytes(b"model")
        return Product("model.bin", compressed=compressed)

    use(Exporter(make, Options, ("fp32", "fp16"), ("fixed",)))
    folder = make_artifact("onnx", ExportRequest(net, Plan("fp16")), tmp_path)
    assert read_manifest(folder).promise == promise


def test_an_artifact_binds_model_and_checkpoint(net, tmp_path, use):
    use(fake())
    folder = make_artifact("onnx", ExportRequest(net, Plan("fp16"), Shapes.fixed(64, 96)), tmp_path)
    assert folder == tmp_path / "tiny" / "onnx-fp16-64x96"
    manifest = read_manifest(folder)
    assert manifest.checkpoint.sha256 == net.origin.sha256
    assert manifest.checkpoint.source == net.origin.source
    assert manifest.target.shapes == Shapes.fixed(64, 96)
    assert manifest.tools["tool"] == "1"
    assert manifest.contract == net.contract
    assert manifest.promise == "faithful"


def test_an_export_that_fails_leaves_what_was_there(net, tmp_path, use):
    use(fake(b"old"))
    folder = make_artifact("onnx", ExportRequest(net), tmp_path)
    for error in (ExportError("no"), KeyboardInterrupt()):
        use(fake(b"new", error))
        with pytest.raises(type(error)):
            make_artifact("onnx", ExportRequest(net), tmp_path)
        assert (folder / "model.bin").read_bytes() == b"old"
        assert names(folder.parent) == [folder.name]
    use(fake(b"new"))
    make_artifact("onnx", ExportRequest(net), tmp_path)
    assert (folder / "model.bin").read_bytes() == b"new"
    assert names(folder.parent) == [folder.name]
    read_manifest(folder)


def test_what_killed_exports_left_is_swept_and_nothing_else(net, tmp_path, use):
    use(fake())
    style = tmp_path / "tiny"
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    dead, alive = f".fake.{process.pid}.abc", f".fake.{os.getpid()}.abc"
    for name in (dead, alive, ".git", ".cache.d.x"):
        (style / name).mkdir(parents=True)
    folder = make_artifact("onnx", ExportRequest(net), tmp_path)
    assert names(style) == sorted([alive, ".git", ".cache.d.x", folder.name])


def test_a_folder_that_is_no_artifact_is_left_alone(net, tmp_path, use):
    use(fake())
    there = tmp_path / "tiny" / "onnx-fp32-512x512"
    there.mkdir(parents=True)
    (there / "thesis.txt").write_text("mine")
    with pytest.raises(ExportError, match="is no artifact"):
        make_artifact("onnx", ExportRequest(net), tmp_path)
    assert names(there) == ["thesis.txt"]


def test_an_artifact_that_appears_between_two_looks_is_replaced(net, tmp_path, use, monkeypatch):
    use(fake(b"theirs"))
    final = make_artifact("onnx", ExportRequest(net), tmp_path)
    aside = final.rename(tmp_path / "aside")
    exists = Path.exists

    def just_before_it_appears(path):
        there = exists(path)
        if path == final and exists(aside):
            aside.rename(final)
        return there

    monkeypatch.setattr(Path, "exists", just_before_it_appears)
    use(fake(b"ours"))
    assert (
        make_artifact("onnx", ExportRequest(net), tmp_path) / "model.bin"
    ).read_bytes() == b"ours"
    assert not aside.exists()


def test_another_checkpoint_of_the_same_name_is_not_replaced(net, tmp_path, use):
    use(fake())
    make_artifact("onnx", ExportRequest(net), tmp_path)
    origin = dataclasses.replace(net.origin, source="/elsewhere/tiny.safetensors")
    other = type(net)(net.net, net.contract, origin)
    with pytest.raises(ExportError, match="of another checkpoint"):
        make_artifact("onnx", ExportRequest(other), tmp_path)


def test_a_root_that_cannot_be_written(net, tmp_path, use):
    use(fake())
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be written"):
        make_artifact("onnx", ExportRequest(net), tmp_path / "file")


@pytest.mark.parametrize(
    ("target", "options", "name"),
    [
        ("onnx", Options(), "onnx-fp16-64x96"),
        ("coreml", CoreMLOptions(compress="palette8"), "coreml-fp16-palette8-64x96"),
        (
            "trt",
            TensorrtOptions(compute_capabilities=("8.6", "../x", "8.6")),
            "trt-fp16-8.6+.._x-64x96",
        ),
    ],
)
def test_a_folder_is_named_after_what_is_not_the_default(net, target, options, name):
    plan = usual_plan(target, net, "fp16")
    request = ExportRequest(net, plan, Shapes.fixed(64, 96), options)
    assert folder_name(target, request) == name


def test_options_of_another_target_are_a_bug(net):
    request = ExportRequest(net, options=CoreMLOptions())
    with pytest.raises(TypeError, match="CoreMLOptions is no GraphOptions"):
        folder_name("onnx", request)


def test_unknown_target():
    with pytest.raises(UsageError, match="no such target; known: onnx"):
        sttk.exporters.exporter("abacus")


def test_models_that_differ_have_names_that_differ(net):
    shapes = Shapes.one_of([(side, side) for side in range(8, 600, 4)])
    requests = [
        ExportRequest(net, Plan("fp16"), shapes, options)
        for options in (
            Options(),
            CoreMLOptions(tensor_io=True),
            CoreMLOptions(deployment_target="iOS18"),
            CoreMLOptions(compress="palette8"),
        )
    ]
    requests.append(ExportRequest(net, Plan("fp16"), Shapes.one_of(shapes.sizes[:-1])))
    names = [folder_name("coreml", request) for request in requests]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) < 150
