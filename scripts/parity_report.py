"""Export checkpoints at a fixed size and dynamically, fp32 and fp16, judge each, write a table.

usage: python scripts/parity_report.py CHECKPOINT... -o artifacts/reports/parity.md

The table has one row per export: the worst input's figures, and the verdict. A checkpoint that
cannot be exported or fails is a row that says so, and exit code 1.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from exporters.artifact import make_artifact
from exporters.base import Request
from toolkit.errors import SttkError
from toolkit.parity.compare import Report
from toolkit.parity.run import judge_artifact
from toolkit.regimes import shipped_photos
from toolkit.shapes import Shapes
from toolkit.style_net import StyleNet
from toolkit.styles import find

_SHAPES = (Shapes.fixed(256, 256), Shapes.any())
_LIBRARIES = ("torch", "onnx", "onnxruntime", "onnxscript", "onnxsim")
_COLUMNS = ("checkpoint", "layout", "size", "precision", "inputs", "largest error", "PSNR", "")


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoints", nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    rows = [row for reference in options.checkpoints for row in _rows(reference)]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(_markdown(rows), encoding="utf-8")
    return int(any(row[-1] != "pass" for row in rows))


def _rows(reference: str) -> Iterator[list[str]]:
    net = find(reference)
    for shapes in _SHAPES:
        for precision in ("fp32", "fp16"):
            print(net.origin.name, shapes, precision, file=sys.stderr)  # noqa: T201
            yield [
                net.origin.name,
                net.origin.layout,
                str(shapes),
                precision,
                *_judge(net, precision, shapes),
            ]


def _judge(net: StyleNet, precision: str, shapes: Shapes) -> list[str]:
    with tempfile.TemporaryDirectory() as root:
        try:
            request = Request(net, precision, shapes)  # type: ignore[arg-type]
            return _worst(
                judge_artifact(
                    make_artifact("onnx", request, Path(root)), net, None, shipped_photos()
                )
            )
        except SttkError as error:
            return ["-", "-", "-", str(error)]


def _worst(report: Report) -> list[str]:
    largest = max(row.found.largest for row in report.rows)
    psnr = min(row.found.psnr for row in report.rows)
    verdict = "pass" if report.passed else "FAIL"
    return [str(len(report.rows)), f"{largest:.4f}", f"{psnr:.1f} dB", verdict]


def _markdown(rows: list[list[str]]) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    lines = [
        "# Parity of ONNX exports with their PyTorch reference",
        "",
        "Worst input of each export under ONNX Runtime on a CPU; errors are of 255. Inputs are the",
        "photographs of toolkit/photos; dynamic models are tried at 256x256, 180x300, 131x203 and",
        "with a batch of four.",
        "",
        f"Python {platform.python_version()}, {versions}; {platform.machine()}.",
        "Made by: `python scripts/parity_report.py CHECKPOINT... -o artifacts/reports/parity.md`",
        "",
        "| " + " | ".join(_COLUMNS) + " |",
        "|" + "---|" * len(_COLUMNS),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
