"""What is killed: a row for each command, with what must hold after the kill and the rerun.

A subject works in a folder with ``in``, what it reads, ``out``, what it writes, and ``tmp``. To add
one, write its row in :func:`subjects`.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from PIL import Image

from sttk.benchmarks import suite
from sttk.benchmarks.compare import read_results
from sttk.benchmarks.rows import Timing
from sttk.exporters.onnx import export as onnx
from sttk.toolkit.artifact.manifest import FILE_NAME
from sttk.toolkit.artifact.search import find_artifacts
from sttk.toolkit.checkpoints import load
from sttk.toolkit.imaging.regimes import shipped_photos
from sttk.toolkit.io.files import sha256
from tests.faults.killing import run
from tests.video import clips

ROOT = Path(__file__).parents[2]
NET = "ink-mobile-m"
BENCH = ROOT / "artifacts" / "reports" / "bench" / "bench.json"
_NET = "net.safetensors"
State = dict[str, str]
Faults = Iterator[str]


def nothing(*_: object) -> None:
    """Prepare, or stand in for, nothing."""


@dataclass(frozen=True)
class Subject:
    """One command in one situation.

    Attributes:
        name: in the report.
        command: arguments of ``sttk``, run in the subject's folder.
        prepare: fills the folder's ``out`` once, before all kills.
        killed: what is wrong in a folder after a kill; given the folder, the one before, and the
            one after an undisturbed run.
        rerun: the command that mends it, given the folder and the one before.
        rerun_faults: what is wrong after the rerun, given the same three.
        stand_in: replaces what is slow in the child.
        said: what the stand-in is, for the report.
        kills: how many by default.
    """

    name: str
    command: list[str]
    prepare: Callable[[Path], None]
    killed: Callable[[Path, Path, Path], Faults]
    rerun: Callable[[Path, Path], list[str]]
    rerun_faults: Callable[[Path, Path, Path], Faults]
    stand_in: Callable[[], None] = nothing
    said: str = ""
    kills: int = 10


def content(folder: Path) -> State:
    """Digest of every file of ``out`` under a final name, by path."""
    out = folder / "out"
    names = {path: path.relative_to(out) for path in out.rglob("*") if path.is_file()}
    return {
        str(name): sha256(path)
        for path, name in sorted(names.items())
        if not any(part.startswith(".") for part in name.parts)
    }


def left_over(folder: Path) -> Faults:
    """Names that only an unfinished command has."""
    for path in sorted((folder / "out").rglob(".*")):
        yield f"left over: {path.relative_to(folder)}"


def old_or_new(folder: Path, before: Path, after: Path) -> Faults:
    """All files are the old ones or all are the new ones, byte for byte."""
    if content(folder) not in (content(before), content(after)):
        yield f"neither old nor new: {sorted(content(folder))}"


def new(folder: Path, before: Path, after: Path) -> Faults:
    """All files are the new ones."""
    if content(folder) != content(after):
        yield f"not the undisturbed run's: {sorted(content(folder))}"
    yield from left_over(folder)


def verified(folder: Path, before: Path, after: Path) -> Faults:
    """As :func:`old_or_new`; and ``sttk verify`` passes where there is an artifact."""
    yield from old_or_new(folder, before, after)
    expected = (0,) if find_artifacts(before / "out") else (0, 2)
    yield from _verify(folder, expected)


def new_and_verified(folder: Path, before: Path, after: Path) -> Faults:
    """As :func:`new`; and ``sttk verify`` passes."""
    yield from new(folder, before, after)
    yield from _verify(folder, (0,))


def _verify(folder: Path, expected: tuple[int, ...]) -> Faults:
    told = run(["verify", "out"], folder)
    if told.code not in expected:
        yield f"verify gives {told.code}: {told.said.strip()}"


def opens(folder: Path, before: Path, after: Path) -> Faults:
    """Each file under a final name is the old one, or can be read to its end; none is unknown."""
    old, known = content(before), {*content(before), *content(after)}
    for name, digest in content(folder).items():
        path = folder / "out" / name
        if name not in known:
            yield f"unknown file: {name}"
        elif digest != old.get(name):
            try:
                _READERS[path.suffix](path)
            except Exception as error:
                yield f"{name} cannot be read: {type(error).__name__}: {error}"


def _picture(path: Path) -> None:
    with Image.open(path) as picture:
        picture.load()


def _ends(text: str, path: Path) -> None:
    if not path.read_text(encoding="utf-8").endswith(text):
        raise ValueError("cut off")


def _table(path: Path) -> None:
    rows = list(csv.reader(io.StringIO(path.read_text(), newline="")))
    if len({len(row) for row in rows}) != 1 or not path.read_text().endswith("\n"):
        raise ValueError("cut off")


_READERS: dict[str, Callable[[Path], object]] = {
    ".png": _picture,
    ".svg": ET.parse,
    ".json": lambda path: json.loads(path.read_bytes()),
    ".md": partial(_ends, "\n"),
    ".html": partial(_ends, "</html>\n"),
    ".csv": _table,
    ".pt": lambda path: torch.load(path, weights_only=True),
    ".safetensors": load,
}


def opens_and_clean(folder: Path, before: Path, after: Path) -> Faults:
    """All files of the undisturbed run are there and can be read."""
    yield from opens(folder, before, after)
    if missing := content(after).keys() - content(folder).keys():
        yield f"missing: {sorted(missing)}"
    yield from left_over(folder)


def same_net(folder: Path, before: Path, after: Path) -> Faults:
    """The net has the bits of the undisturbed run's, and so has its picture."""
    yield from opens_and_clean(folder, before, after)
    one, other = (load(each / "out" / _NET).net.state_dict() for each in (folder, after))
    if one.keys() != other.keys() or any(not torch.equal(one[key], other[key]) for key in one):
        yield "the net has other bits"
    if content(folder).get("preview.png") != content(after).get("preview.png"):
        yield "another preview"


def _again(command: list[str], folder: Path, before: Path) -> list[str]:
    return command


def _resumed(command: list[str], folder: Path, before: Path) -> list[str]:
    """Go on where a state of this run was saved."""
    state = "state.pt"
    if state not in content(folder) or content(folder)[state] == content(before).get(state):
        return command
    return [*(word for word in command if word != "--force"), "--resume"]


def _made(command: list[str], folder: Path, stand_in: Callable[[], None] = nothing) -> None:
    done = run(command, folder, stand_in)
    if done.code != 0:
        raise RuntimeError(done.said)


def _old_artifact(command: list[str], folder: Path) -> None:
    """An artifact that is whole, and none of whose files is as a new export makes it."""
    _made(command, folder, RECORDED.export)
    (artifact,) = find_artifacts(folder / "out")
    file = artifact / FILE_NAME
    manifest = json.loads(file.read_text())
    for name in manifest["files"]:
        with (artifact / name).open("ab") as stream:
            stream.write(b"\n")
        manifest["files"][name] = sha256(artifact / name)
    file.write_text(json.dumps(manifest))


def _old_picture(folder: Path) -> None:
    shutil.copy(shipped_photos()[0], folder / "in" / "photo.jpg")
    Image.new("RGB", (640, 480), (200, 30, 30)).save(folder / "out" / "picture.png")


def _old_video(folder: Path) -> None:
    clips.write(folder / "in" / "clip.mp4", 24)
    clips.write(folder / "out" / "video.mp4", 3)


def _pictures(folder: Path) -> None:
    """Small photographs to train on."""
    for photo in shipped_photos():
        with Image.open(photo) as picture:
            picture.thumbnail((96, 96))
            picture.save(folder / "in" / f"{photo.stem}.png")


def _old_run(command: list[str], folder: Path) -> None:
    _pictures(folder)
    _made(command, folder)


class _Recorded:
    """Replaces what is slow by what it gave the first time."""

    graph: bytes | None = None

    def export(self) -> None:
        """The traced graph; README, manifest, files and names are made anew."""
        if self.graph is None:
            raise RuntimeError("record the graph first")
        graph = self.graph
        onnx._built = lambda _: graph

    def record(self, folder: Path) -> None:
        """Trace once, by the command itself."""
        command = ["export", NET, "--size", "64", "-o", "out"]
        _made(command, folder)
        (model,) = (folder / "out").rglob(onnx.MODEL)
        _Recorded.graph = model.read_bytes()


def _figures() -> None:
    """A few figures of the committed report, in place of minutes of measuring."""
    results = read_results(BENCH)
    timed = [row for row in results.rows if row.timing][:2]
    few = [replace(row, timing=_short(row.timing)) for row in timed if row.timing]
    shortened = results.with_rows(tuple(few))
    suite.run = lambda *_: shortened


def _short(timing: Timing) -> Timing:
    """Resampling many turns takes seconds."""
    return replace(timing, turns=timing.turns[:3], whole=timing.whole[:3])


RECORDED = _Recorded()
GRAPH = "the traced graph is a recorded one"


def export(target: str) -> list[str]:
    """The command that makes a small artifact."""
    return ["export", NET, "--size", "64", "--target", target, "-o", "out"]


def _exports(kills: int, *, whole: bool) -> Iterator[Subject]:
    """Over an old artifact, and into an empty folder; ``whole``: with torch's tracing."""
    for target in ("onnx", "openvino"):
        command = export(target)
        rest = (verified, partial(_again, command), new_and_verified)
        rest += (nothing, "") if whole else (RECORDED.export, GRAPH)
        name = f"export {target}" + ("" if whole else ", files alone")
        old = partial(_old_artifact, command)
        yield Subject(f"{name}, over an artifact", command, old, *rest, kills)
        yield Subject(f"{name}, nothing there", command, nothing, *rest, kills)


def _trainings() -> Iterator[Subject]:
    command = ["train", "--style", "in/cat.png", "--content", "in", "-o", "out", "--size", "32"]
    command += ["--style-size", "64", "--width", "0.05", "--batch", "1", "--steps", "24"]
    command += ["--precision", "fp32", "--device", "cpu", "--save-minutes", "0"]
    rest = (opens, partial(_resumed, command), same_net)
    yield Subject("train", command, _pictures, *rest, kills=4)
    anew = [*command, "--force", "--seed", "1"]
    rest = (opens, partial(_resumed, anew), same_net)
    yield Subject("train --force over a run", anew, partial(_old_run, command), *rest, kills=2)


def subjects() -> list[Subject]:
    """The table."""
    stylize = ["stylize", "in/photo.jpg", "-o", "out/picture.png", "--style", NET]
    stylize += ["--max-size", "512"]
    video = ["video", "in/clip.mp4", "-o", "out/video.mp4", "--style", NET, "--force"]
    video += ["--runtime", "torch"]
    bench = ["bench", NET, "--size", "64", "--no-gatys", "-o", "out"]
    older = ["bench", NET, "--size", "64", "-o", "out"]
    return [
        *_exports(13, whole=False),
        Subject(
            "stylize over a picture", stylize, _old_picture, old_or_new,
            partial(_again, stylize), new, kills=34,
        ),
        Subject(
            "video over a video", video, _old_video, old_or_new, partial(_again, video), new,
            kills=20,
        ),
        *_exports(1, whole=True),
        *_trainings(),
        Subject(
            "bench -o over a report", bench, partial(_old_report, older), opens,
            partial(_again, bench), opens_and_clean, _figures,
            "the figures are a few of the committed report", 6,
        ),
    ]  # fmt: skip


def _old_report(command: list[str], folder: Path) -> None:
    _made(command, folder, _figures)
