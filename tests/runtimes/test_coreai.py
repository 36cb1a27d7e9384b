from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.core.errors import ArtifactError, UsageError
from sttk.toolkit.runtimes.base import Settings
from sttk.toolkit.targets import open_model
from sttk.toolkit.targets.coreai.runner import describe

pytestmark = pytest.mark.skipif(
    not find_spec("coreai_torch"), reason="coreai-torch is not installed: pip install sttk[coreai]"
)


@pytest.fixture
def package(make, tmp_path):
    return shutil.copytree(make("coreai", size=(64, 96)) / "model.aimodel", tmp_path / "x.aimodel")


def write_program(package, content):
    (package / "main.mlirb").write_bytes(content)
    (package / "main.hash").write_bytes(hashlib.sha256(content).digest())


def flip(package):
    content = bytearray((package / "main.mlirb").read_bytes())
    content[len(content) // 2] ^= 255
    (package / "main.mlirb").write_bytes(content)


def truncate(package):
    content = (package / "main.mlirb").read_bytes()
    write_program(package, content[: len(content) // 2])


def no_folder(package):
    shutil.rmtree(package)
    package.write_text("hello")


@pytest.mark.parametrize(
    ("harm", "text"),
    [
        (flip, "not the one that main.hash is of"),
        (truncate, "finds no function in it"),
        (lambda package: write_program(package, b"hello"), "finds no function in it"),
        (lambda package: (package / "main.mlirb").unlink(), "not a Core AI package"),
        (lambda package: (package / "main.hash").unlink(), "not a Core AI package"),
        (lambda package: (package / "main.hash").write_bytes(bytes(64)), "not the one that"),
        (lambda package: (package / "main.hash").write_bytes(bytes(2048)), "2048 bytes are more"),
        (lambda package: (package / "metadata.json").write_text("{"), "cannot read it"),
        (no_folder, "not a Core AI package"),
    ],
)
def test_what_is_broken_is_one_line(package, harm, text, capfd):
    harm(package)
    for use in (open_model, describe):
        with pytest.raises(ArtifactError, match=text) as caught:
            use(package)
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_it_is_silent(package, capfd):
    open_model(package).run(np.zeros((1, 3, 64, 96), np.float32))
    assert capfd.readouterr() == ("", "")


def test_outputs_are_their_own(package):
    runner = open_model(package)
    first = runner.run(np.zeros((1, 3, 64, 96), np.float32))
    kept = first.copy()
    runner.run(np.full((1, 3, 64, 96), 200, np.float32))
    assert np.array_equal(first, kept)


def test_a_changed_weight_shows(package, net):
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 64, 96)).astype(np.float32)
    before = open_model(package).run(x)
    content = (package / "main.mlirb").read_bytes()
    weight = next(p for p in net.parameters() if p.dim() == 4).numpy()
    assert content.count(weight.tobytes()) == 1
    write_program(package, content.replace(weight.tobytes(), (-weight).tobytes()))
    assert np.abs(open_model(package).run(x) - before).max() > 1


def test_precision_of_the_arithmetic_is_the_graphs(package):
    with pytest.raises(UsageError, match="its graph says it"):
        open_model(package, Settings("f16"))


@pytest.mark.parametrize(
    ("shapes", "text"),
    [
        ([(1, 4, 8, 8)], "not a style net"),
        ([(1, 3, 64)], "not a style net"),
        ([(1, 3, 8, 8), (2, 3, 4, 4)], "of several kinds"),
        ([(1, 3, 8, 8), (1, 3, 8, 8)], "named twice"),
    ],
)
def test_other_nets_are_refused(tmp_path, shapes, text):
    save(tmp_path / "x.aimodel", [torch.zeros(shape) for shape in shapes])
    with pytest.raises(ArtifactError, match=text):
        open_model(tmp_path / "x.aimodel")


def test_half_inputs_are_refused(tmp_path):
    save(tmp_path / "x.aimodel", [torch.zeros(1, 3, 8, 8).half()])
    with pytest.raises(ArtifactError, match="one float"):
        open_model(tmp_path / "x.aimodel")


def save(path, examples):
    """A package with a ReLU for each example."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from coreai_torch import TorchConverter, get_decomp_table

        converter = TorchConverter()
        for index, example in enumerate(examples):
            program = torch.export.export(torch.nn.ReLU(), (example,))
            program = program.run_decompositions(get_decomp_table())
            converter.add_exported_program(program, entrypoint_name=f"main{index}")
        converter.to_coreai().save_asset(path)


def test_describe(package, net):
    facts = describe(package)
    assert facts["format"] == "Core AI package"
    assert facts["precision"] == "fp32"
    assert facts["producer"].startswith("coreai-core ")
    assert facts["minimum_system"] == "27.0"
    assert facts["bytes"] > (package / "main.mlirb").stat().st_size
    assert facts["constants"]["Float32"] >= sum(p.numel() for p in net.parameters())
    assert facts["metadata"]["sttk.style"] == "tiny"
    json.dumps(facts)


def test_parity_with_its_note_and_record(sttk, make, photo, tmp_path):
    folder = shutil.copytree(make("coreai", size=(64, 96), precision="fp16"), tmp_path / "a")
    result = sttk("parity", folder, "--photos", photo.parent)
    assert result.exit_code == 0, result.output
    assert "under coreai" in result.stdout
    assert "note: run by Apple's Core AI runtime, in beta" in result.stdout.replace("\n", " ")
    record = read_manifest(folder).parity
    assert record["passed"]
    assert record["runtime"] == "coreai"
