from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from sttk.toolkit.nets.johnson import JohnsonSpec
from tests.conftest import random_johnson
from tests.docs import pages
from tests.docs import warm as warm_server
from tests.video import clips

_PHOTOS = pages.ROOT / "sttk/toolkit/photos"
_PACKAGES = ("sttk",)


@pytest.fixture
def folder(tmp_path):
    """What a page's commands find: photographs, a painting, a clip, somebody's checkpoint."""
    here = tmp_path / "here"
    (here / "photos").mkdir(parents=True)
    shutil.copy(_PHOTOS / "pagoda.jpg", here / "photo.jpg")
    for name in ("cat.jpg", "coffee.jpg"):
        shutil.copy(_PHOTOS / name, here / "photos")
    with Image.open(_PHOTOS / "rocket.jpg") as picture:
        picture.crop((100, 100, 356, 356)).save(here / "painting.jpg")
    clips.write(here / "clip.mp4")
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


@pytest.fixture(scope="session")
def warm():
    """The script that the checkout's sttk is started by, quickly: see tests/docs/warm.py."""
    place = tempfile.TemporaryDirectory(prefix="sttk-")  # a socket's path must be short
    address = Path(place.name) / "socket"
    server = subprocess.Popen(
        [sys.executable, warm_server.__file__, str(address)], env=_environment(pages.ROOT),
        start_new_session=True,
    )  # fmt: skip
    while not address.exists():
        assert server.poll() is None, "it could not be started"
        time.sleep(0.1)
    yield warm_server.CLIENT.format(python=sys.executable, address=str(address))
    server.terminate()
    server.wait()
    place.cleanup()


@pytest.fixture
def cold():
    """The script that starts the sttk which PYTHONPATH leads to, as a user's would."""
    return f'#!/bin/sh\nexec "{sys.executable}" -m sttk "$@"\n'


@pytest.fixture
def shell(folder, tmp_path):
    """Runs a command line as a user types it, with ``sttk`` a script of this text."""
    tools = tmp_path / "bin"
    tools.mkdir()

    def run(command: pages.Command, sttk: str, packages: Path = pages.ROOT) -> None:
        _script(tools / "sttk", sttk)
        _script(tools / "python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command.line],
            cwd=folder, env=_environment(packages, tools), text=True, capture_output=True,
            check=False, start_new_session=True,  # a signal that a page sends is not for the tests
        )  # fmt: skip
        said = f"$ {command.line}\n{done.stdout}{done.stderr}"
        assert done.returncode in command.exit_codes, f"exit code {done.returncode}: {said}"
        lost = pages.missing(command.expected, done.stdout + done.stderr)
        assert lost is None, f"not printed, or not in this order: {lost}\n{said}"

    return run


def _script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _environment(packages: Path, *tools: Path) -> dict[str, str]:
    """Ours, but for what would make sttk behave as in a workflow of GitHub's."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GITHUB_")}
    path = os.pathsep.join([*map(str, tools), os.environ["PATH"]])
    told = {"PATH": path, "PYTHONPATH": str(packages), "COLUMNS": "120"}
    return {**kept, **told, "OMP_NUM_THREADS": "1"}  # as many tests run at once as there are cores


@pytest.fixture
def packages(tmp_path):
    """A copy of the packages, to be changed."""
    copy = tmp_path / "packages"
    for name in _PACKAGES:
        shutil.copytree(pages.ROOT / name, copy / name)
    return copy
