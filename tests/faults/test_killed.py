"""A few of the kills of scripts/faults_report.py, at moments that no clock decides."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KILLS = {"export onnx, files alone, over an artifact": 3, "train": 2}

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.nightly,
]


def test_killed_before_calls_to_the_file_system():
    command = [sys.executable, "scripts/faults_report.py", "--at-calls", "--seed", "3"]
    command += [f"--only={name}={count}" for name, count in KILLS.items()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["faults"] == []
    assert {name: row["kills"] for name, row in found["rows"].items()} == KILLS
