"""Ctrl-C and SIGTERM: one line, an exit code of its own, nothing half-written."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
import torch

from sttk import cli
from sttk.toolkit.imaging.regimes import shipped_photos

_CODE = "[interrupted]"
ENDS = [
    (signal.SIGINT, 130, f"interrupted {_CODE}"),
    (signal.SIGTERM, 143, f"terminated {_CODE}"),
]


def start(*arguments):
    command = [sys.executable, "-m", "sttk", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process, number, there):
    """What it says and its exit code, after a signal as soon as ``there`` is not empty."""
    with process:
        while not there():
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        process.send_signal(number)
        errors = process.stderr.read()
    return errors, process.returncode


@pytest.mark.parametrize(("number", "code", "said"), ENDS)
def test_export(number, code, said, checkpoint, tmp_path):
    # A signal may fall into a callback from C, out of which Python lets no exception; the export
    # then ends as if there had been none, which is not what is looked at here.
    for attempt in map(str, range(3)):
        out = tmp_path / attempt
        process = start("export", checkpoint, "--size", "64", "-o", out)
        errors, got = ended(process, number, lambda out=out: list(out.glob("tiny/.onnx*")))
        if got != 0:
            break
    assert (errors, got) == (f"error: {said}\n", code)
    assert list((out / "tiny").iterdir()) == []


@pytest.mark.parametrize(("number", "code", "said"), ENDS)
def test_train_saves_its_state(number, code, said, tmp_path):
    photo, run = shipped_photos()[0], tmp_path / "run"
    options = ["--size", 32, "--style-size", 64, "--width", 0.05, "--batch", 1, "--steps", 5000]
    options += ["--save-minutes", 0, "--precision", "fp32", "--device", "cpu"]
    process = start("train", "--style", photo, "--content", photo.parent, "-o", run, *options)
    errors, got = ended(process, number, lambda: list(run.glob("log.csv")))
    assert (errors.splitlines()[-1], got) == (f"error: {said}", code)
    assert sorted(path.name for path in run.iterdir()) == ["log.csv", "state.pt"]
    state = torch.load(run / "state.pt", weights_only=True)
    assert len(state["log"]["rows"]) * 20 + len(state["log"]["open"]) == state["progress"][0]


def test_two_signals_at_once_stop_no_tidying_up():
    terminator = cli._Terminator()
    with pytest.raises(cli.Terminated):
        terminator()
    terminator()
