from __future__ import annotations

import dataclasses
import json
import shutil

import onnx
import pytest

from sttk.toolkit.artifact.manifest import Manifest
from sttk.toolkit.core.errors import ArtifactError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.io.files import sha256
from sttk.toolkit.opened.checks import checks_of_file
from sttk.toolkit.targets.trt.checks import compare_precisions, precisions
from sttk.toolkit.targets.trt.engine import convolutions, describe, read_header
from tests.conftest import nightly

RANGE = Shapes.within((32, 32), (64, 64), (96, 128))


@pytest.fixture(scope="session", autouse=True)
def needs_the_library():
    pytest.importorskip("tensorrt_rtx")


@pytest.fixture
def copied(make, tmp_path):
    """A copy of an artifact: what is done to it is nobody else's."""

    def copy(precision="fp16", **options):
        made = make("trt", size=(64, 96), precision=precision, **options)
        return shutil.copytree(made, tmp_path / "copy")

    return copy


def found(folder):
    return {check.name: check for check in checks_of_file(folder / "model.engine")}


def failed(folder):
    return {name for name, check in found(folder).items() if not check.passed}


def agree(folder, **changes):
    """Make the manifest say what lies there."""
    manifest = Manifest.from_dict(json.loads((folder / "manifest.json").read_text()))
    files = {name: sha256(folder / name) for name in manifest.files}
    dataclasses.replace(manifest, files=files, **changes).write(folder)
    return manifest


@pytest.mark.parametrize(
    ("shapes", "precision"),
    [
        (RANGE, "fp16"),
        nightly(RANGE, "fp32"),
        nightly(Shapes.fixed(64, 96), "fp16"),
        nightly(Shapes.fixed(64, 96), "fp32"),
    ],
)
def test_what_was_exported_passes(make, shapes, precision):
    checks = found(make("trt", shapes=shapes, precision=precision))
    assert list(checks) == ["engine", "size", "capabilities", "precisions", "parser", "bound"]
    assert all(check.passed for check in checks.values()), checks
    assert checks["precisions"].detail == f"convolutions: 10 of 10 {precision}"
    assert checks["engine"].detail.startswith("tensorrt_rtx 1.")


def test_a_flipped_byte_and_a_lost_end(copied):
    folder = copied()
    engine = folder / "model.engine"
    data = engine.read_bytes()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    engine.write_bytes(flipped)
    assert failed(folder) == {"bound"}
    engine.write_bytes(data[:-1])
    assert failed(folder) == {"bound", "size"}
    (folder / "manifest.json").unlink()
    assert failed(folder) == {"size"}
    assert "bound" not in found(folder)
    engine.write_bytes(data[:30])
    assert failed(folder) == {"engine"}


def test_an_engine_of_another_graph(copied, make):
    folder = copied("fp16")
    shutil.copy(make("trt", size=(64, 96), precision="fp32") / "model.engine", folder)
    assert failed(folder) == {"bound", "precisions"}
    assert "conv2d fp32, not fp16" in found(folder)["precisions"].detail
    agree(folder)
    assert failed(folder) == {"precisions"}


def test_what_the_manifest_says_otherwise(copied):
    folder = copied(compute_capabilities=("8.6", "8.9"))
    assert found(folder)["capabilities"].detail == "8.6, 8.9"
    manifest = agree(folder)
    for asked in (["8.6"], []):
        target = dataclasses.replace(manifest.target, options={"compute_capabilities": asked})
        agree(folder, target=target)
        assert failed(folder) == {"capabilities"}
    tools = {**manifest.tools, "tensorrt_rtx": "1.6.0.1"}
    agree(folder, target=manifest.target, tools=tools)
    assert failed(folder) == {"engine"}
    assert "the manifest says 1.6.0.1" in found(folder)["engine"].detail
    agree(folder, tools=manifest.tools, graph=None)
    assert failed(folder) == {"bound"}


def test_a_graph_that_the_parser_refuses(copied):
    folder = copied()
    model = onnx.load(folder / "model.onnx")
    model.graph.node[3].op_type = "NoSuchThing"
    onnx.save_model(model, folder / "model.onnx")
    agree(folder)
    assert failed(folder) == {"parser"}
    (folder / "model.onnx").write_bytes(b"not a graph\n")
    agree(folder)
    assert failed(folder) == {"parser", "precisions"}


def test_a_bare_engine_is_checked_for_what_it_is(copied, tmp_path):
    (tmp_path / "bare").mkdir()
    shutil.copy(copied() / "model.engine", tmp_path / "bare")
    assert list(found(tmp_path / "bare")) == ["engine", "size", "capabilities"]


def test_of_another_version_only_the_version_is_read(tmp_path, engine_bytes):
    for library, version in (("tensorrt", "10.16.1.11"), ("tensorrt_rtx", "1.8.0.1")):
        engine = tmp_path / "model.engine"
        engine.write_bytes(engine_bytes(library, version))
        (check,) = checks_of_file(engine)
        assert check.passed
        assert "size, capabilities and precisions not checked" in check.detail
        facts = describe(engine)
        assert (facts["format"], facts["version"]) == (f"{library} engine", version)
        assert "convolutions" not in facts


def test_a_description(make):
    facts = describe(make("trt", size=(64, 96), precision="fp16") / "model.engine")
    assert facts["format"] == "tensorrt_rtx engine"
    assert facts["convolutions"] == {"fp16": 10}
    assert facts["compute_capabilities"] == ["8.0", "8.6", "8.9", "12.0", "12.1", "later"]
    assert facts["bytes"] > 1e6


@pytest.mark.parametrize("data", [b"", b"vtrt", b"vtrt" + b"\1" * 60, b"ONNX" + bytes(60)])
def test_what_is_no_engine(data):
    with pytest.raises(ArtifactError, match="does not begin"):
        read_header(data)


def test_a_kernel_in_two_precisions_or_in_none_is_no_match(make, engine_bytes):
    model = onnx.load(make(size=(64, 96)) / "model.onnx")
    wanted = precisions(model)
    assert set(wanted.values()) == {"fp32"}
    types = dict.fromkeys(wanted, "float")
    assert compare_precisions(engine_bytes("tensorrt_rtx", "1.7.1.116", types=types), model).passed
    names = list(types)
    types[names[0]] = "half"
    del types[names[-1]]
    data = engine_bytes("tensorrt_rtx", "1.7.1.116", types=types)
    detail = compare_precisions(data, model).detail
    assert detail == f"{names[0]} fp16, not fp32; {names[-1]} missing, not fp32"
    mixed = data.replace(b'"t1" "t1"', b'"t1" "t0"')
    assert convolutions(mixed)[names[1]] == "fp16/fp32"


@pytest.mark.parametrize("kind", ["tensor", "sub_tensor"])
def test_the_precision_of_a_convolution_of_a_tensor_or_a_view(kind):
    text = (
        f'\n  {kind}={{ base="other.1" dims={{ 1 64 8 8 }} name="view" offset=0 type=half }}'
        '\n  tensor={ dims={ 64 64 1 1 } name="weights" offset=13 type=half }'
        '\n  corrltn={ name="conv" output={"y" } input={"view" "weights" }'
    )
    assert convolutions(text.encode()) == {"conv": "fp16"}


def test_an_engine_that_is_too_large_is_said_to_be(copied, monkeypatch):
    folder = copied()
    monkeypatch.setattr("sttk.toolkit.targets.trt.checks.MOST_BYTES", 100)
    (check,) = checks_of_file(folder / "model.engine")
    assert not check.passed
    assert "bytes are more than 100" in check.detail
