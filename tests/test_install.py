"""``scripts/install.sh``, by which make installs."""

from __future__ import annotations

import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "scripts" / "install.sh"


def install(log, program):
    command = ["sh", SCRIPT, "libraries", log, "sh", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_two_lines_are_enough(tmp_path):
    result = install(tmp_path / "log", "echo WARNING: much; echo more >&2")
    assert (result.returncode, result.stderr) == (0, "")
    first, second = result.stdout.splitlines()
    assert first == "installing libraries (a few minutes the first time) ..."
    assert second.startswith("done in ")
    assert (tmp_path / "log").read_text() == "WARNING: much\nmore\n"


def test_a_failure_is_shown(tmp_path):
    result = install(tmp_path / "log", "echo no such version >&2; exit 7")
    assert result.returncode == 7
    assert result.stderr.splitlines() == [
        "no such version",
        f"installing libraries failed; the whole log: {tmp_path / 'log'}",
    ]
