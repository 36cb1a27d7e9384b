"""To add something is what docs/extend says: its own files, and one line in one table."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from tests.docs import edits, pages

TARGETS = "sttk/toolkit/targets/__init__.py"
# Of each page: what every new file's path has to match, and the table that has one line more.
ADDS = {
    "extend/device.md": (r"sttk/toolkit/devices/sse\.py", "sttk/toolkit/devices/__init__.py"),
    "extend/layout.md": (
        r"sttk/toolkit/(checkpoints|nets)/sketch\.py", "sttk/toolkit/checkpoints/__init__.py",
    ),
    "extend/rewrite.md": (
        r"sttk/toolkit/rewrites/drop_bias\.py", "sttk/toolkit/rewrites/rules.py",
    ),
    "extend/runtime.md": (r"sttk/toolkit/targets/pt2/\w+\.py", TARGETS),
    "extend/target.md": (
        r"sttk/toolkit/targets/pt2/\w+\.py|sttk/exporters/pt2/(\w+\.py|usage\.md)", TARGETS,
    ),
}  # fmt: skip
# A rewrite is asked for by the targets where it pays: a line of each is another then.
PAYS = {"extend/rewrite.md": r"sttk/exporters/\w+/__init__\.py"}

# Prints the options that list each name, out of the targets and runtimes, as "command --option".
LISTED = """
import json, sys, click
from sttk.cli import COMMANDS, cli
found = {name: [] for name in sys.argv[1:]}
for command in COMMANDS:
    for option in cli.get_command(None, command).params:
        kinds = [option.type, *getattr(option.type, "types", ())]
        for name in found:
            if any(isinstance(kind, click.Choice) and name in kind.choices for kind in kinds):
                found[name].append(f"{command} {option.opts[0]}")
print(json.dumps(found))
"""
ABILITY = """
from sttk import exporters
from sttk.toolkit.targets.abilities import abilities
print(*abilities((), exporters.names()), sep="\\n")
"""
REWRITES = """
from sttk.exporters import exporter, names
from sttk.toolkit.rewrites.rules import NAMES, rule
print([rule(name).NAME for name in NAMES], {each: exporter(each).rewrites for each in names()})
"""


@pytest.fixture
def extended(packages, folder):
    """Makes a page's edits in a copy of the package; returns what runs code with that copy."""

    def follow(name):
        edits.edit_all(name, packages, folder)

        def run(*arguments):
            environment = {**os.environ, "PYTHONPATH": str(packages)}
            return subprocess.run(
                [sys.executable, *arguments], cwd=folder, env=environment, check=True,
                capture_output=True, text=True,
            ).stdout  # fmt: skip

        return run

    return follow


@pytest.mark.parametrize("name", sorted(ADDS))
def test_its_own_files_and_one_line_in_one_table(name, packages, folder):
    edits.edit_all(name, packages, folder)
    own, table = ADDS[name]
    changes = edits.changes(packages)
    assert [path for path in changes.new if not re.fullmatch(own, path)] == []
    pays = {path for path in changes.lines if re.fullmatch(PAYS.get(name, ""), path)}
    assert changes.lines == {table: (1, 0), **dict.fromkeys(pays, (1, 1))}


def test_every_page_is_counted():
    assert {name for name in pages.names() if name.startswith("extend/")} == set(ADDS)


def test_a_target_is_offered_wherever_others_are(extended):
    run = extended("extend/target.md")
    found = json.loads(run("-c", LISTED, "pt2", "ncnn"))  # a target and its runtime, of one name
    assert found["pt2"] == found["ncnn"]
    assert {"export --target", "parity --require", "stylize --runtime"} <= set(found["pt2"])
    assert "pt2: export yes, run yes" in run("-c", ABILITY).splitlines()


def test_what_can_only_be_run_is_not_offered_for_export(extended):
    run = extended("extend/runtime.md")
    assert json.loads(run("-c", LISTED, "pt2")) == {"pt2": ["parity --require"]}
    assert "pt2: export no: sttk has no exporter to it, run yes" in run("-c", ABILITY)


def test_a_layout_is_listed(extended):
    assert "sketch" in extended("extend/layout.md")("-m", "sttk", "styles", "--layouts")


def test_a_rewrite_is_found(extended):
    assert extended("extend/rewrite.md")("-c", REWRITES).count("'drop-bias'") == 2
