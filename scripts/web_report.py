"""Judge and time the web page in Chromium, and look at it.

usage: python scripts/web_report.py --picture docs/web.jpg -o artifacts/reports/web.md

The page of the shipped mobile nets is exported (or named by --page), each of its styles is put to
the parity gate in Chromium, its canvas and its camera are held to the rung *faithful* against
torch, and the first style is timed at several sizes and numbers of threads. No GPU takes part.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

from PIL import Image

from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.exporters.web import ort_web
from sttk.exporters.web.options import WebOptions
from sttk.toolkit import styles
from sttk.toolkit.artifact.search import search
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.host.machine import cpu
from sttk.toolkit.imaging.regimes import NAMES, shipped_photos
from sttk.toolkit.io.files import write_atomic
from sttk.toolkit.opened.artifact import float_reference_of, open_entry
from sttk.toolkit.parity.canvas import canvas, judged
from sttk.toolkit.parity.compare import Report, Row
from sttk.toolkit.parity.run import Judge, ParityConfig
from sttk.toolkit.web.chromium import Chromium, Tab, find
from sttk.toolkit.web.page import STARTED
from sttk.toolkit.web.server import serving

_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
_TEXT = "(id) => document.getElementById(id).textContent"
_CLICK = "(id) => document.getElementById(id).click()"
_TIMES = """async (side, count) => {
  const { engine } = await import("./app.js");
  const image = new ImageData(side, side);
  for (let i = 0; i < image.data.length; i++) image.data[i] = i % 4 === 3 ? 255 : (i * 7919) % 251;
  const times = [];
  for (let i = 0; i < count; i++) {
    const began = performance.now();
    await engine.paint(image);
    times.push((performance.now() - began) / 1000);
  }
  return times;
}"""
_WARM_UP, _PAUSE, _PATIENCE = 3, 0.2, 120.0
_PHONE, _DESKTOP = ((390, 844), 2), ((1280, 800), 1)
_HIGH, _QUALITY = 600, 64  # of the picture for the docs: pixels, of JPEG


@dataclass(frozen=True)
class Timed:
    """What pictures of a size take in the page, from pixels to pixels."""

    side: int
    threads: int
    seconds: list[float]


def main() -> int:
    """Entry point."""
    options = _options()
    with ExitStack() as stack:
        page = options.page or _exported(stack)
        judge = Judge(ParityConfig(shipped_photos(), regimes=tuple(options.regime or NAMES)))
        reports = [
            judge.artifact(opened, float_reference_of(opened.manifest))
            for opened in map(open_entry, search(page))
        ]
        browser = stack.enter_context(Chromium(_CAMERA))
        server = stack.enter_context(serving(page))
        tab = _opened(browser, server.url, *_DESKTOP)
        net = styles.find(tab.run('() => document.querySelector("input[name=style]").value'))
        rows, fps = _looked_at(tab, net)
        times = [
            _timed(browser, server.url, side, threads, options.count)
            for side in (256, 512)
            for threads in range(1, 1 + (os.cpu_count() or 1))
        ]
        if options.picture:
            _picture(browser, server.url, options.picture)
    text = _markdown(reports, rows, fps, times, net)
    write_atomic(options.output, text.encode())
    return 0 if all(report.passed for report in reports) and all(row.passed for row in rows) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, help="an artifact that is there already")
    parser.add_argument("--regime", action="append", choices=NAMES)
    parser.add_argument("--count", type=int, default=12, help="pictures of each timing")
    parser.add_argument("--picture", type=Path, help="write screenshots here")
    parser.add_argument("-o", "--output", type=Path, required=True)
    return parser.parse_args()


def _exported(stack: ExitStack) -> Path:
    root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sttk-")))
    first, *_ = shipped = styles.small_of_each()
    request = ExportRequest(
        styles.find(first), shapes=Shapes.any(), options=WebOptions(offers=tuple(shipped))
    )
    return make_artifact("web", request, root)


def _opened(browser: Chromium, url: str, size: tuple[int, int], scale: float) -> Tab:
    tab = Tab(browser, url, size, scale)
    if failed := tab.run(STARTED, seconds=_PATIENCE):
        raise SystemExit(f"the page does not start: {failed}")
    return tab


def _until(tab: Tab, name: str, wanted: str) -> None:
    until = time.monotonic() + _PATIENCE
    while wanted not in (said := tab.run(_TEXT, name)):
        if time.monotonic() > until:
            raise SystemExit(f"the page says {said!r}, not {wanted!r}")
        time.sleep(_PAUSE)


def _looked_at(tab: Tab, net: StyleNet) -> tuple[list[Row], str]:
    """The verdicts on a photograph and on a frame of the camera, and the camera's speed."""
    tab.choose("#file", shipped_photos()[0])
    _until(tab, "status", "Painted")
    rows = [_verdict(tab, net, f"{shipped_photos()[0].name}, chosen as a file")]
    tab.run(_CLICK, "camera")
    _until(tab, "speed", "FPS")
    time.sleep(8)
    fps: str = tab.run(_TEXT, "facts")
    tab.run(_CLICK, "shoot")
    _until(tab, "status", "Painted")
    return [*rows, _verdict(tab, net, "the camera's picture, taken")], fps


def _verdict(tab: Tab, net: StyleNet, name: str) -> Row:
    return judged(net, *canvas(tab), name)


def _timed(browser: Chromium, url: str, side: int, threads: int, count: int) -> Timed:
    tab = _opened(browser, f"{url}?threads={threads}", *_DESKTOP)
    tab.run(_TIMES, side, _WARM_UP, seconds=_PATIENCE)
    times = tab.run(_TIMES, side, count, seconds=_PATIENCE)
    tab.call("Page.navigate", {"url": "about:blank"})
    return Timed(side, threads, times)


def _picture(browser: Chromium, url: str, file: Path) -> None:
    """The page on a phone and on a desktop, side by side."""
    shots = []
    for name, photo, window in (("great-wave-mobile-m", "coffee", _PHONE),
                                ("starry-night-mobile-m", "pagoda", _DESKTOP)):  # fmt: skip
        tab = _opened(browser, f"{url}#{name}", *window)
        tab.choose("#file", next(each for each in shipped_photos() if each.stem == photo))
        _until(tab, "status", "Painted")
        time.sleep(1)
        shot = Image.open(io.BytesIO(tab.picture())).convert("RGB")
        shots.append(shot.resize((round(shot.width * _HIGH / shot.height), _HIGH)))
    sheet = Image.new("RGB", (sum(shot.width for shot in shots) + 24, _HIGH), "white")
    sheet.paste(shots[0], (0, 0))
    sheet.paste(shots[1], (shots[0].width + 24, 0))
    sheet.save(file, quality=_QUALITY, optimize=True)


def _markdown(
    reports: list[Report], rows: list[Row], fps: str, times: list[Timed], net: StyleNet
) -> str:
    browser = subprocess.run(  # noqa: S603 (what the user's path says)
        [str(find()), "--version"], capture_output=True, text=True, check=False
    )
    named = re.search(r"Chrom\w+ [\d.]+", browser.stdout)
    made = (
        f"{cpu().name}, {os.cpu_count()} cores; {named[0] if named else 'Chromium'} without a "
        f"window or a GPU; {ort_web.NAME} {ort_web.VERSION}; torch {version('torch')}."
    )
    parts = [
        "# The web page in Chromium",
        ("Each style of the page of `sttk export --target web`, by the page's own engine, on "
        "WebAssembly, against PyTorch in float64; float32 tensors in and out."),
        _table(["style", "verdict", "promised", "inputs", "lowest PSNR", "largest difference"],
               [_style(report) for report in reports]),
        ("What the page shows: the pixels of its canvas against PyTorch's, rounded to 8 bits, of "
        f"the pixels that went in, {net.origin.name}."),
        _table(["picture", "verdict", "PSNR", "largest difference"],
               [_seen(row) for row in rows]),
        (f"Speed of {net.origin.name}, from pixels to pixels, with the page's other work; median "
        f"of {len(times[0].seconds)} after {_WARM_UP}, and the fastest of them."),
        _table(["size", "threads", "median", "FPS", "fastest", "FPS at that"],
               [_time(each) for each in times]),
        f"The camera, as the page says it: {fps}.",
        made,
        f"Made by: `python {' '.join(sys.argv)}`",
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _style(report: Report) -> list[str]:
    judged = [row for row in report.rows if row.judged]
    said = "pass" if report.passed else f"FAIL: {report.not_run}"
    counts = ", ".join(f"{report.count(rung)} {rung}" for rung in dict.fromkeys(
        row.rung for row in report.rows))  # fmt: skip
    lowest = min((row.found.psnr for row in judged), default=float("nan"))
    largest = max((row.found.largest for row in judged), default=float("nan"))
    name = report.reference.removeprefix("style:")
    return [name, said, report.promise, counts, f"{lowest:.1f} dB", f"{largest:.4f}"]


def _seen(row: Row) -> list[str]:
    return [row.name, row.rung, f"{row.found.psnr:.1f} dB", f"{row.found.largest:.2f}"]


def _time(timed: Timed) -> list[str]:
    usual, fastest = median(timed.seconds), min(timed.seconds)
    size = f"{timed.side}x{timed.side}"
    return [size, str(timed.threads), f"{usual * 1000:.0f} ms", f"{1 / usual:.1f}",
            f"{fastest * 1000:.0f} ms", f"{1 / fastest:.1f}"]  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
