from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.conftest import random_johnson
from tests.docs import pages
from toolkit.nets.johnson import JohnsonSpec

_PHOTOS = pages.ROOT / "toolkit/photos"
_PACKAGES = ("toolkit", "exporters", "benchmarks")
# A script that starts the checkout's sttk; and python, which not every machine calls so.
_SHIMS = {"sttk": "-m toolkit ", "python": ""}


@pytest.fixture
def folder(tmp_path):
    """What a page's commands find: photographs, a painting, somebody's checkpoint."""
    here = tmp_path / "here"
    (here / "photos").mkdir(parents=True)
    shutil.copy(_PHOTOS / "pagoda.jpg", here / "photo.jpg")
    for name in ("cat.jpg", "coffee.jpg"):
        shutil.copy(_PHOTOS / name, here / "photos")
    with Image.open(_PHOTOS / "rocket.jpg") as picture:
        picture.crop((100, 100, 356, 356)).save(here / "painting.jpg")
    net = random_johnson(JohnsonSpec(widths=(4, 6, 8), blocks=2))
    # A random net's picture is grey; a checkpoint of anyone's is not.
    with torch.no_grad():
        net.head.conv.weight.mul_(60.0)
        net.head.conv.bias.add_(127.0)
    state = {_their_key(key): value for key, value in net.state_dict().items()}
    torch.save(state, here / "candy.pth")
    return here


def _their_key(key: str) -> str:
    """The name that pytorch/examples has for one of our parameters."""
    if match := re.fullmatch(r"blocks\.(\d+)\.(conv|norm)(\d)(?:\.conv)?\.(\w+)", key):
        block, kind, number, part = match.groups()
        layer = f"conv{number}.conv2d" if kind == "conv" else f"in{number}"
        return f"res{int(block) + 1}.{layer}.{part}"
    key = re.sub(r"^norm", "in", key).replace(".conv.", ".conv2d.")
    ups = {"up1": "deconv1", "up2": "deconv2", "head": "deconv3"}
    return re.sub(r"^(up1|up2|head)", lambda found: ups[found[1]], key)


@pytest.fixture
def shell(folder, tmp_path):
    """Runs a command line as a user types it, with the packages that lie in ``packages``."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, arguments in _SHIMS.items():
        (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        (tools / name).chmod(0o755)

    def run(command: pages.Command, packages: Path = pages.ROOT) -> None:
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("GITHUB_")},
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(packages),
            "COLUMNS": "120",
        }
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command.line],
            cwd=folder, env=environment, text=True, capture_output=True, check=False,
        )  # fmt: skip
        said = f"$ {command.line}\n{done.stdout}{done.stderr}"
        assert done.returncode == command.exit_code, f"exit code {done.returncode}: {said}"
        lost = pages.missing(command.expected, done.stdout + done.stderr)
        assert lost is None, f"not printed, or not in this order: {lost}\n{said}"

    return run


@pytest.fixture
def packages(tmp_path):
    """A copy of the packages, to be changed."""
    copy = tmp_path / "packages"
    for name in _PACKAGES:
        shutil.copytree(pages.ROOT / name, copy / name)
    return copy
