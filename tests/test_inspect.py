from __future__ import annotations

import importlib
import json
import shutil
import sys
import types

import pytest
import torch

from sttk.toolkit.core.errors import MissingExtraError, RunError
from sttk.toolkit.opened.inspect import inspect, lines


@pytest.fixture
def describer(monkeypatch):
    """Stands for the module that describes ONNX files."""

    def put(describe):
        name = "sttk.toolkit.targets.onnx.describe"
        fake = types.ModuleType(name)
        fake.describe = describe
        monkeypatch.setitem(sys.modules, name, fake)

    return put


def test_a_checkpoint(checkpoint, net):
    facts = inspect(checkpoint)
    assert facts["kind"] == "checkpoint"
    assert facts["layout"] == "sttk"
    assert facts["spec"]["widths"] == (4, 6, 8)
    assert facts["widths"] == [4, 6, 8, 8, 8, 8, 8, 6, 4, 3]
    assert facts["parameters"] == sum(weight.numel() for weight in net.parameters())
    assert facts["contract"]["size_multiple"] == 4
    assert facts["card"] == {"painting": "none"}
    assert len(facts["sha256"]) == 64


def test_a_shipped_style_by_its_name(sttk):
    result = sttk("inspect", "ink", "--json")
    assert result.exit_code == 0, result.stderr
    facts = json.loads(result.stdout)
    assert facts["parameters"] == 1_679_235
    assert facts["card"]["licence"] == "public domain"


def test_an_artifact_with_what_describes_its_model(make, describer):
    folder = make("onnx", size=(64, 96))
    describer(lambda path: {"inputs": [path.name]})
    facts = inspect(folder)
    assert facts["kind"] == "artifact"
    assert facts["model"]["inputs"] == ["model.onnx"]
    assert facts["target"]["precision"] == "fp32"
    assert set(facts["files"]) == {"README.md", "model.onnx"}
    assert facts["faults"] == []
    assert inspect(folder.parent)["path"] == str(folder)
    assert inspect(folder / "model.onnx")["kind"] == "model"


def test_an_artifact_whose_model_cannot_be_described_is_still_shown(make, describer, tmp_path):
    folder = shutil.copytree(make("onnx", size=(64, 96)), tmp_path / "a")

    def fails(path):
        raise MissingExtraError("onnx", "onnx")

    describer(fails)
    (folder / "model.onnx").write_bytes(b"changed")
    facts = inspect(folder)
    assert "pip install 'sttk[onnx]'" in facts["model"]["not described"]
    assert "not those that were exported" in facts["faults"][0]
    with pytest.raises(MissingExtraError):
        inspect(folder / "model.onnx")


def test_what_a_describer_itself_lacks_is_not_hidden(tmp_path, describer):
    (tmp_path / "x.onnx").write_bytes(b"")

    def lacks(path):
        importlib.import_module("no_such_library")

    describer(lacks)
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        inspect(tmp_path / "x.onnx")


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("notes.txt", b"# hello", "begins with the text # hello"),
        ("empty.bin", b"", "an empty file"),
        ("x.pth", torch.zeros(3), "holds a Tensor"),
    ],
)
def test_an_unknown_file_is_one_line(name, content, text, sttk, tmp_path):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    result = sttk("inspect", path)
    assert result.exit_code == 2
    assert text in result.stderr
    assert "weights_only" not in result.stderr
    assert ("nor is it an artifact or a model (.onnx" in result.stderr) == (content != b"")
    assert len(result.stderr.splitlines()) == 1


def test_what_is_not_there_and_what_is_several(make, sttk, tmp_path):
    assert "no such file, folder or style" in sttk("inspect", tmp_path / "none").stderr
    for name in "ab":
        shutil.copytree(make("onnx", size=(64, 96)), tmp_path / "many" / name)
    result = sttk("inspect", tmp_path / "many")
    assert result.exit_code == 2
    assert "holds 2 artifacts (name the folder of one)" in result.stderr


def test_facts_for_people(make, describer, sttk):
    operations = {f"op{n}": n for n in range(3)}
    describer(lambda path: {"operations": operations, "shapes": [[1, 3], [2]], "ok": True})
    result = sttk("inspect", make("onnx", size=(64, 96)) / "model.onnx")
    assert result.exit_code == 0, result.stderr
    assert "operations\n  op0: 0\n  op1: 1" in result.stdout
    assert "shapes: 1x3, 2\n" in result.stdout
    assert "ok: yes" in result.stdout


def test_long_lists_are_shortened_and_nothing_reaches_the_terminal():
    facts = {
        "numbers": list(range(20)),
        "rows": [{"name": f"r{n}"} for n in range(20)],
        "sizes": [(64, 96)],
        "none": None,
        "empty": [],
        "bytes": 1234567,
        "share": 0.123456789,
        "evil\x1b": "\x1b[2J",
    }
    text = "\n".join(lines(facts))
    assert "numbers: 0, 1, 2, 3, 4, 5, 6, 7, ... (20 in all)" in text
    assert "rows: 20\n  1\n    name: r0" in text
    assert "r8" not in text
    assert "sizes: 64x96\nnone: none\nempty: none\nbytes: 1,234,567\nshare: 0.123457" in text
    assert "\x1b" not in text


def test_a_describers_own_error_is_shown_as_it_is(make, describer, sttk):
    def fails(path):
        raise RunError("torn")

    describer(fails)
    result = sttk("inspect", make("onnx", size=(64, 96)) / "model.onnx")
    assert (result.exit_code, result.stderr) == (1, "error: torn [run]\n")
