from __future__ import annotations

import json

import pytest

from sttk.toolkit.artifact.plan_file import read_plan, write_plan
from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.core.plan import Plan

SHA = "0" * 64
MIXED = Plan.of_blocks("fp16", {"net.conv1": "fp32", "net.blocks": "fp32"})


def test_a_name_covers_what_is_below_it_and_the_longest_wins():
    blocks = {"net.blocks": "fp32", "net.blocks.1": "fp16", "net.conv1": "fp16"}
    plan = Plan.of_blocks("int8", blocks)
    wanted = {
        "": "int8",
        "net": "int8",
        "net.blocks": "fp32",
        "net.blocks.0.conv1.conv": "fp32",
        "net.blocks.1.conv1": "fp16",
        "net.blocks.10": "fp32",
        "net.conv1.conv": "fp16",
        "net.conv10": "int8",
    }
    assert {name: plan.of(name) for name in wanted} == wanted


def test_a_block_may_be_in_the_default_within_a_higher_one():
    plan = Plan.of_blocks("int8", {"net": "fp32", "net.head": "int8"})
    assert (plan.of("net.conv1"), plan.of("net.head.conv")) == ("fp32", "int8")


@pytest.mark.parametrize(
    ("default", "block"),
    [("fp32", "fp16"), ("fp16", "int8"), ("int8", "fp8"), ("fp8", "int8"), ("fp16", "bf16")],
)
def test_the_default_is_the_lowest(default, block):
    with pytest.raises(ValueError, match=r"known: fp32|is no higher than the default"):
        Plan.of_blocks(default, {"net.conv1": block})


def test_the_order_in_which_blocks_are_named_is_nothing():
    one = Plan.of_blocks("fp16", {"a": "fp32", "b": "fp32"})
    other = Plan.of_blocks("fp16", {"b": "fp32", "a": "fp32"})
    assert one == other
    assert one.digest == other.digest != MIXED.digest


def test_in_words():
    assert str(Plan("fp16")) == "fp16"
    assert str(MIXED) == "fp16, but fp32 in net.blocks, net.conv1"


def test_a_file_comes_back(tmp_path):
    path = tmp_path / "deep" / "p.json"
    write_plan(path, MIXED, SHA, {"floor_db": 60.0})
    assert read_plan(path, SHA) == MIXED
    assert json.loads(path.read_text())["floor_db"] == 60.0


def test_another_checkpoint_is_refused_unless_the_plan_names_none(tmp_path):
    path = tmp_path / "p.json"
    write_plan(path, MIXED, SHA, {})
    with pytest.raises(UsageError, match="found for another checkpoint"):
        read_plan(path, "1" * 64)
    fields = json.loads(path.read_text())
    del fields["checkpoint"]
    path.write_text(json.dumps(fields))
    assert read_plan(path, "1" * 64) == MIXED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"plan"',
        "[" * 100_000,
        '{"schema": 2, "plan": {"default": "fp16"}}',
        '{"plan": {"default": "fp16"}}',
        '{"schema": 1}',
        '{"schema": 1, "plan": []}',
        '{"schema": 1, "plan": {}}',
        '{"schema": 1, "plan": {"net.conv1": "fp32"}}',
        '{"schema": 1, "plan": {"default": "fp64"}}',
        '{"schema": 1, "plan": {"default": ["fp16"]}}',
        '{"schema": 1, "plan": {"default": "fp16", "net.conv1": 32}}',
        '{"schema": 1, "plan": {"default": "fp16", "net.conv1": {}}}',
        '{"schema": 1, "plan": {"default": "fp32", "net.conv1": "fp16"}}',
        '{"schema": 1, "checkpoint": 3, "plan": {"default": "fp16"}}',
    ],
)
def test_what_is_no_plan_is_one_line(tmp_path, text):
    path = tmp_path / "p.json"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_plan(path, SHA)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_no_file_a_folder_and_a_large_one(tmp_path):
    large = tmp_path / "large.json"
    large.write_bytes(b" " * ((1 << 20) + 1))
    for path, words in (
        (tmp_path / "none", "No such file"),
        (tmp_path, ""),
        (large, "are more than 1048576"),
    ):
        with pytest.raises(UsageError, match=f"not a plan: .*{words}"):
            read_plan(path, SHA)


MODULES = {"": False, "net": False, "net.conv1": True, "net.head": True}


def test_blocks_must_be_the_nets():
    Plan.of_blocks("fp16", {"net.conv1": "fp32"}).check_blocks(MODULES)
    with pytest.raises(UsageError, match=r"'net.conv2', and the net has no such .*net\.conv1"):
        Plan.of_blocks("fp16", {"net.conv2": "fp32"}).check_blocks(MODULES)
    with pytest.raises(UsageError, match="no such block"):
        Plan.of_blocks("fp16", {"": "fp32"}).check_blocks(MODULES)


def test_something_must_be_in_the_default():
    with pytest.raises(UsageError, match="leaves nothing in fp16"):
        Plan.of_blocks("fp16", {"net": "fp32"}).check_blocks(MODULES)
    Plan.of_blocks("fp16", {"net": "fp32", "net.head": "fp16"}).check_blocks(MODULES)
    Plan("fp16").check_blocks({"": False})
