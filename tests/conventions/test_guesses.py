"""What was guessed of somebody's file is said wherever the file is used, or refused."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

import sttk as package
from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.checkpoints import load
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.guessing import GuessWarning
from sttk.toolkit.core.rungs import EXACT
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.nets.johnson import JohnsonSpec
from tests.conftest import random_johnson
from tests.conventions.author import retold
from tests.rungs import rung


@pytest.fixture(scope="module")
def plain():
    net = random_johnson(JohnsonSpec(widths=(4, 6, 8), blocks=2))
    with torch.no_grad():  # a photograph's range
        net.last.weight.mul_(25)
        net.last.bias.fill_(125)
    return net.eval()


@pytest.fixture
def bare(plain, tmp_path):
    """An ONNX file that is normalised outside its graph, by ImageNet's mean and std."""
    path = tmp_path / "anyones.onnx"
    axes = {"x": {2: "h", 3: "w"}, "y": {2: "h2", 3: "w2"}}
    net = retold(plain, "imagenet")
    with warnings.catch_warnings():  # of the exporter that most people used
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net, (torch.rand(1, 3, 64, 64),), str(path), opset_version=13, dynamo=False,
            input_names=["x"], output_names=["y"], dynamic_axes=axes,
        )  # fmt: skip
    return path


CHOICES = "#input=imagenet,output=imagenet"


def test_the_right_choice_gives_the_right_picture(bare, plain):
    x = torch.rand((1, 3, 40, 36), generator=torch.Generator().manual_seed(2)) * 255
    net = load(f"{bare}{CHOICES}")
    assert rung(net(x).numpy(), StyleNet(plain, Contract(), None), x.numpy()) == EXACT
    assert net.origin.guesses == ()


def test_a_bare_file_is_guessed(bare):
    said = [str(guess) for guess in load(bare).origin.guesses]
    assert [each.split(" ")[0] for each in said] == ["input", "output", "channels"]
    assert all("guessed (" in each and "the file does not say" in each for each in said)


def test_it_is_said_once_and_stands_in_all_reports(bare, sttk, photo, tmp_path):
    done = sttk("export", bare, "--size", "40x64", "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert done.stderr.count("note: anyones: input") == 1
    folder = tmp_path / "out/anyones/onnx-fp32-40x64"
    (said,) = {each for each in read_manifest(folder).guesses if each.startswith("output")}
    assert said in (folder / "README.md").read_text()
    files = {name: tmp_path / name for name in ("markdown", "html", "junit")}
    how = [part for name, path in files.items() for part in (f"--{name}", path)]
    done = sttk("parity", folder, "--photos", photo.parent, "--regime", "photo", "--json", *how)
    assert done.exit_code == 0, done.output
    assert done.stderr.count("note: anyones: input") == 1
    assert f"of the reference: {said}" in json.loads(done.stdout)[0]["notes"]
    for path in files.values():
        assert "the file does not say" in path.read_text(), path
    small = tmp_path / "small.png"
    Image.fromarray(np.zeros((40, 64, 3), np.uint8)).save(small)
    done = sttk("stylize", small, "-o", tmp_path / "o.png", "--artifact", folder)
    assert done.exit_code == 0, done.output
    assert said in done.stderr


COMMANDS = {
    "export": ("--size", "64", "-o", "{out}"),
    "parity": ("--reference", "{file}", "--regime", "photo"),
    "inspect": (),
    "stylize": ("--checkpoint", "{file}", "-o", "{out}/x.png"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_strict_refuses_a_guess(command, bare, sttk, photo, tmp_path):
    out = tmp_path / "out"
    subject = photo if command == "stylize" else bare
    if command == "inspect":
        subject = f"{bare}#input=0..1"
    rest = [part.format(file=bare, out=out) for part in COMMANDS[command]]
    done = sttk(command, subject, *rest, "--strict")
    assert done.exit_code == 2, done.output
    assert "output=0..255|0..1|-1..1|imagenet|caffe" in done.stderr
    assert not out.exists()


def test_strict_takes_what_is_known(bare, sttk, tmp_path):
    done = sttk("export", f"{bare}{CHOICES}", "--size", 64, "-o", tmp_path / "out", "--strict")
    assert done.exit_code == 0, done.output
    assert "guessed" not in done.stderr
    done = sttk("export", "ink-mobile-m", "--size", 64, "-o", tmp_path / "out", "--strict")
    assert done.exit_code == 0, done.output


def test_python_is_warned(bare):
    with pytest.warns(GuessWarning, match=r"output .*: guessed"):
        net = package.load(bare)
    assert len(net.guesses) == 3
