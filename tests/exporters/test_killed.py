"""Killed at any moment, an export leaves a whole artifact or none; of two at once, one stays."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sttk.toolkit.artifact.search import search
from sttk.toolkit.opened.verify import verify

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

# What follows runs in a process of its own, which has one thread and so can be forked.
COMMON = """
import json, os, shutil, signal, sys
from pathlib import Path
from sttk.exporters import artifact, plans
from sttk.exporters.base import Exporter, Product, ExportRequest
from sttk.exporters.options import Options
from sttk.toolkit.artifact import staging
from sttk.toolkit.checkpoints import load
from sttk.toolkit.artifact.search import search
from sttk.toolkit.opened.verify import verify

root, net, way = Path(sys.argv[1]), load(sys.argv[2]), sys.argv[3]
content = b""

def quick(request, folder):
    (folder / "model.bin").write_bytes(content)
    (folder / "package").mkdir()
    (folder / "package" / "weights").write_bytes(content)
    return Product("model.bin")

exporter = Exporter(quick, Options, ("fp32",), ("fixed",))
artifact.exporter = plans.exporter = lambda _: exporter
if way == "rename":
    staging.exchange = lambda *_: False

def export(new):
    global content
    content = new
    return artifact.make_artifact("onnx", ExportRequest(net), root)

def found():
    contents = []
    for entry in search(root):
        assert verify(entry).passed, verify(entry)
        contents.append((entry.folder / "package" / "weights").read_text())
    return contents

def hidden():
    return sorted(path.name for path in root.glob("tiny/.*"))
"""
# A child exports, and kills itself just before its Nth call to the file system: all N that there
# are. Python announces these calls to audit hooks; the exchange of two names is announced here.
KILL = """
STEPS = {"open", "os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.chmod", "shutil.rmtree"}
left = 0

def step():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def hook(event, arguments):
    # rmtree names files by the number of their folder; all else that is opened is Python's own.
    if event in STEPS and (event in ("os.remove", "os.rmdir") or str(root) in str(arguments[:2])):
        step()

exchange = staging.exchange
staging.exchange = lambda *paths: (step(), exchange(*paths), step())[1]

def export_killed(new, before):
    global left
    child = os.fork()
    if child == 0:
        left = before
        sys.addaudithook(hook)
        export(new)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or status == 0, status
    return os.WIFSIGNALED(status)

def kill_all(over):
    killed, steps = True, 0
    while killed:
        steps += 1
        shutil.rmtree(root / "tiny", ignore_errors=True)
        if over:
            export(b"old")
        killed = export_killed(b"new", steps)
        allowed = [["old"], ["new"]] if over else [[], ["new"]]
        if not (over and way == "rename"):
            assert found() in allowed, (steps, found())
        # What any later export of this style does first.
        staging.sweep(root / "tiny", artifact._is_whole)
        assert found() in allowed, (steps, found())
        assert hidden() == [], (steps, hidden())
        export(b"later")
        assert found() == ["later"] and hidden() == [], (steps, found(), hidden())
    return steps - 1

print(json.dumps({"over none": kill_all(False), "over one": kill_all(True)}))
"""
RACE = """
final = export(b"first")
children, gone = set(), 0
for name in "abc":
    child = os.fork()
    if child == 0:
        for count in range(20):
            export(f"{name}{count}".encode())
        os._exit(0)
    children.add(child)
while children:
    gone += not final.exists()
    child, status = os.waitpid(-1, os.WNOHANG)
    assert status == 0, status
    children.discard(child)
assert hidden() == [], hidden()
assert (final / "model.bin").read_text() == found()[0]
print(json.dumps({"gone": gone, "last": found()}))
"""


def run(program: str, *args: object) -> dict:
    command = [sys.executable, "-c", COMMON + program, *map(str, args)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("way", ["exchange", "rename"])
def test_killed_before_each_call_to_the_file_system(way, checkpoint, tmp_path):
    killed = run(KILL, tmp_path, checkpoint, way)
    assert killed["over none"] > 15
    assert killed["over one"] > 20


@pytest.mark.parametrize("way", ["exchange", "rename"])
def test_exports_of_the_same_artifact_at_once(way, checkpoint, tmp_path):
    result = run(RACE, tmp_path, checkpoint, way)
    assert result["last"] in (["a19"], ["b19"], ["c19"])
    if way == "exchange":
        assert result["gone"] == 0


def export(checkpoint: Path, root: Path) -> subprocess.Popen:
    program = "from sttk.cli import main; main()"
    arguments = ["export", str(checkpoint), "--size", "64", "-o", str(root)]
    return subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.DEVNULL)


def whole(root: Path) -> list[Path]:
    found = search(root)
    for entry in found:
        assert verify(entry, require_checkpoint=True).passed, verify(entry)
    return [entry.folder for entry in found]


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_real_exports_killed_at_24_moments(checkpoint, tmp_path):
    """Half of them in the last second, in which files are written; half over an older artifact."""
    started = time.monotonic()
    assert export(checkpoint, tmp_path / "first").wait() == 0
    lasts = time.monotonic() - started
    rng, killed = random.Random(0), 0
    for number in range(24):
        late = number >= 12
        moment = rng.uniform(max(0.0, lasts - 1) if late else 0, lasts + (0.2 if late else 0))
        root = tmp_path / ("first" if number % 2 else f"none{number}")
        process, started = export(checkpoint, root), time.monotonic()
        try:
            # One that is over before its moment says how long they last now: neighbours come, go.
            done = process.wait(moment) == 0
            lasts = time.monotonic() - started
        except subprocess.TimeoutExpired:
            process.kill()
            done = process.wait() == 0
        killed += not done
        found = whole(root)
        assert len(found) == 1 if number % 2 or done else len(found) <= 1, (number, moment)
    assert killed  # how many, the machine decides; the test above kills before each call there is
    for root in sorted(tmp_path.iterdir()):
        if (root / "tiny").is_dir():
            assert export(checkpoint, root).wait() == 0
            assert [path.name for path in (root / "tiny").iterdir()] == ["onnx-fp32-64x64"]
            assert len(whole(root)) == 1
