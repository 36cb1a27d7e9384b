"""Snapshots of a run: what is written, what a resumed run keeps, what goes."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import torch

from sttk.toolkit.checkpoints import load
from sttk.toolkit.imaging.images import read_image
from sttk.toolkit.training import snapshots
from sttk.toolkit.training.folder import RunFolder
from sttk.toolkit.training.log import LossLog
from sttk.toolkit.training.snapshots import Snapshots


def files(folder):
    return sorted(path.name for path in (folder / "snapshots").iterdir())


def pair(name):
    return [f"{name}.png", f"{name}.safetensors"]


@pytest.fixture
def command(sttk, content, photo):
    base = ["train", "--style", photo, "--content", content, "--size", 32, "--style-size", 64]
    base += ["--width", 0.05, "--precision", "fp32", "--batch", 1, "--name", "my style"]

    def run(*options, code=0):
        result = sttk(*base, *options)
        assert result.exit_code == code, result.output
        return result

    return run


def test_each_snapshot_has_its_preview_and_is_the_net_of_its_step(command, tmp_path):
    run = tmp_path / "run"
    result = command("--steps", 4, "--snapshot-steps", 2, "-o", run)
    assert f"{run / 'snapshots'}: 2 snapshots, each with its preview" in result.output
    assert files(run) == [*pair("my-style-step-000002"), *pair("my-style-step-000004")]
    half, end = (load(run / f"snapshots/my-style-step-00000{n}.safetensors") for n in (2, 4))
    assert [net.origin.name for net in (half, end)] == [
        "my-style-step-000002",
        "my-style-step-000004",
    ]
    assert [net.origin.card["steps"] for net in (half, end)] == [2, 4]
    assert half.origin.card["name"] == "my style"
    final = load(run / "net.safetensors")
    x = 255 * torch.rand(1, 3, 32, 32)
    assert torch.equal(end(x), final(x))
    assert not torch.equal(half(x), final(x))
    pictures = (run / "snapshots/my-style-step-000004.png", run / "preview.png")
    last, preview = (read_image(path).rgb for path in pictures)
    assert np.array_equal(last, preview)
    # Snapshots change nothing of what is trained.
    command("--steps", 4, "-o", tmp_path / "without")
    assert torch.equal(load(tmp_path / "without" / "net.safetensors")(x), final(x))
    assert not (tmp_path / "without" / "snapshots").exists()


def test_a_resumed_run_keeps_its_snapshots_and_a_new_one_does_not(command, tmp_path):
    run = tmp_path / "run"
    command("--steps", 2, "--snapshot-steps", 1, "-o", run)
    before = (run / "snapshots/my-style-step-000001.safetensors").read_bytes()
    # What a killed run wrote after its last state, and what is the user's own.
    for name in (*pair("my-style-step-000003"), "best.safetensors"):
        (run / "snapshots" / name).write_bytes(b"left")
    command("--steps", 4, "--resume", "--snapshot-steps", 4, "-o", run)
    steps = [pair(f"my-style-step-00000{n}") for n in (1, 2, 4)]
    assert files(run) == sorted(["best.safetensors", *chain(*steps)])
    assert (run / "snapshots/my-style-step-000001.safetensors").read_bytes() == before
    command("--steps", 1, "--force", "-o", run)
    assert files(run) == ["best.safetensors"]


def test_the_number_of_snapshots_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshots, "MOST", 3)
    kept = Snapshots(tmp_path / "snapshots")
    kept.folder.mkdir()

    def write(net, picture):
        net.write_bytes(b"net")
        picture.write_bytes(b"picture")

    for step in (1, 2, 3, 4, 5, 5):
        kept.add("x", step, write)
    assert kept.names == [f"x-step-{step:06d}" for step in (3, 4, 5)]
    assert files(tmp_path) == sorted(chain.from_iterable(map(pair, kept.names)))


def test_the_state_lists_its_snapshots(tmp_path):
    run = '{"recipe": {}}'
    first = RunFolder(tmp_path, run)
    first.snapshots.names.append("x-step-000002")
    first.hold(2, {"progress": [2, 0.0, 0.5]}, LossLog())
    first.snapshots.names.append("x-step-000003")  # after the state
    first.write()
    again = RunFolder(tmp_path, run)
    again.read()
    assert again.snapshots.names == ["x-step-000002"]
    assert again.saved == 2
