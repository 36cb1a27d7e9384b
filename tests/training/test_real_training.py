"""Training on real pictures with a real loss network, as a user runs it."""

from __future__ import annotations

import csv

import pytest

from sttk.toolkit.checkpoints import load


@pytest.mark.nightly
def test_a_short_run_learns_the_painting(shared, sttk, tmp_path):
    run = tmp_path / "run"
    result = sttk(
        *("train", "--style", shared / "styles" / "wave.jpg", "--content", shared / "photos"),
        *("--vgg", shared / "vgg" / "vgg16_oxford_conv_fp16.npz", "-o", run),
        *("--steps", 120, "--size", 96, "--width", 0.5, "--precision", "fp32"),
    )
    assert result.exit_code == 0, result.output
    with (run / "log.csv").open() as log:
        rows = list(csv.DictReader(log))
    # Measured: 0.20 of the first twenty steps.
    assert float(rows[-1]["style"]) < 0.5 * float(rows[0]["style"])
    assert load(run / "net.safetensors").origin.card["loss_network"] == "vgg16"
