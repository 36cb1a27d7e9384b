"""Measure pictures in tiles: that they are the whole picture, and what memory a large one takes.

usage: python scripts/tiles_report.py -o artifacts/reports/tiles.md

The picture is a photograph of the package, scaled up. Each run is a process of its own, by the
command that a user types; memory is the most that it held.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import Image

from sttk.toolkit.host.machine import cpu
from sttk.toolkit.imaging.regimes import shipped_photos
from sttk.toolkit.io.files import write_atomic

_INTRO = """\
`sttk stylize --tile {tile}`, with torch: PSNR and largest difference, of 255, from the same
picture run whole, both as 8-bit files; and time and memory of the whole command. A photograph of
the package, scaled."""
_RUN = """
import sys
from sttk.toolkit.host import memory
from sttk.cli import cli
cli(sys.argv[1:], standalone_mode=False)
print(memory.peak())
"""


@dataclass(frozen=True)
class Ran:
    """One run of ``sttk stylize``."""

    seconds: float
    bytes: int
    picture: Path


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--styles", nargs="+", default=["ink", "ink-mobile-m"])
    parser.add_argument("--tile", type=int, default=768)
    parser.add_argument("--both", type=int, nargs=2, default=(1600, 2400), metavar=("H", "W"))
    parser.add_argument("--large", type=int, nargs=2, default=(4000, 6000), metavar=("H", "W"))
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sttk-") as scratch:
        rows = [_row(style, options, Path(scratch)) for style in options.styles]
    write_atomic(options.output, _markdown(rows, options).encode())
    return 0


def _row(style: str, options: argparse.Namespace, scratch: Path) -> list[str]:
    photo = _photo(scratch / "both.png", *options.both)
    whole = _stylized(photo, style, 0, scratch / f"{style}-whole.png")
    tiled = _stylized(photo, style, options.tile, scratch / f"{style}-tiled.png")
    photo = _photo(scratch / "large.png", *options.large)
    large = _stylized(photo, style, options.tile, scratch / f"{style}-large.png")
    largest, psnr = _difference(whole.picture, tiled.picture)
    return [
        style,
        f"{psnr:.1f} dB",
        f"{largest:.0f}",
        *(f"{ran.seconds:.0f} s, {ran.bytes / 1e9:.2f} GB" for ran in (whole, tiled, large)),
    ]


def _photo(path: Path, height: int, width: int) -> Path:
    with Image.open(shipped_photos()[0]) as photo:
        photo.convert("RGB").resize((width, height), Image.Resampling.BICUBIC).save(path)
    return path


def _stylized(photo: Path, style: str, tile: int, output: Path) -> Ran:
    how = ["--tile", str(tile)] if tile else []
    command = ["stylize", str(photo), "--style", style, *how, "-o", str(output)]
    started = time.perf_counter()
    ran = subprocess.run(  # noqa: S603 (itself)
        [sys.executable, "-c", _RUN, *command], check=True, capture_output=True, text=True
    )
    return Ran(time.perf_counter() - started, int(ran.stdout.split()[-1]), output)


def _difference(one: Path, other: Path) -> tuple[float, float]:
    """Largest and PSNR, of 255."""
    with Image.open(one) as first, Image.open(other) as second:
        apart = np.asarray(first).astype(float) - np.asarray(second).astype(float)
    error = float(np.square(apart).mean())
    return float(np.abs(apart).max()), 10 * math.log10(255**2 / error) if error else math.inf


def _markdown(rows: list[list[str]], options: argparse.Namespace) -> str:
    both, large = ("x".join(map(str, size)) for size in (options.both, options.large))
    titles = ["style", "tiled against whole", "largest", f"{both} whole", f"{both} in tiles",
              f"{large} in tiles"]  # fmt: skip
    table = [titles, ["---"] * len(titles), *rows]
    processor = cpu()
    parts = [
        "# Pictures in tiles",
        _INTRO.format(tile=options.tile),
        "\n".join(f"| {' | '.join(row)} |" for row in table),
        f"{processor.name}, {processor.cores} cores; torch {version('torch')}.",
        f"Made by: `python {' '.join(sys.argv)}`",
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(main())
