from __future__ import annotations

import json

import pytest

from sttk.toolkit.artifact.plan_file import write_plan
from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.io.files import sha256

MIXED = Plan.of_blocks("fp16", {"net.conv1": "fp32", "net.norm1": "fp32"})


@pytest.fixture
def plan(tmp_path, checkpoint):
    path = tmp_path / "p.plan.json"
    write_plan(path, MIXED, sha256(checkpoint), {})
    return path


def test_a_plan_is_exported_proven_and_verified(sttk, checkpoint, plan, tmp_path):
    arguments = ("--plan", plan, "--size", "64x96", "-o", tmp_path / "out", "--json")
    result = sttk("export", checkpoint, "--target", "onnx", "--target", "openvino", *arguments)
    assert result.exit_code == 0, result.output
    folders = [entry["artifact"] for entry in json.loads(result.stdout)]
    assert [folder.split("/")[-1] for folder in folders] == [
        f"{target}-fp16-plan{MIXED.digest}-64x96" for target in ("onnx", "openvino")
    ]
    assert sttk("parity", *folders).exit_code == 0
    assert sttk("verify", "--require-parity", *folders).exit_code == 0
    shown = sttk("inspect", folders[0], "--json")
    assert json.loads(shown.stdout)["plan"] == MIXED.to_dict()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--precision", "int8"], "is a plan of fp16, and int8 is asked for"),
        (["--target", "coreai", "--calib", "."], "--calib is for --precision int8"),
    ],
)
def test_what_contradicts_the_plan(sttk, checkpoint, plan, arguments, words):
    result = sttk("export", checkpoint, "--plan", plan, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


def test_what_says_the_same_as_the_plan(sttk, checkpoint, plan, tmp_path):
    arguments = ("--plan", plan, "--half", "--size", "64", "-o", tmp_path / "out")
    assert sttk("export", checkpoint, *arguments).exit_code == 0
    (manifest,) = (tmp_path / "out").rglob("manifest.json")
    assert read_manifest(manifest.parent).plan == MIXED.to_dict()


def test_a_plan_of_another_checkpoint(sttk, plan):
    result = sttk("export", "ink", "--plan", plan)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "found for another checkpoint" in result.stderr
    assert len(result.stderr.splitlines()) == 1
