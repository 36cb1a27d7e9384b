"""Export checkpoints to targets in fp32 and fp16, judge each artifact, write a table.

usage: python scripts/parity_report.py CHECKPOINT... [--target NAME]... -o REPORT.md [--keep DIR]

It types 'sttk export' and 'sttk parity', as a user would, and reads their --json. One row per
artifact; what could not be exported or judged is a row that says so, and exit code 1. With --keep a
run that was stopped goes on at the checkpoint that it was at.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sttk.toolkit.io.files import write_atomic
from sttk.toolkit.io.json_text import loads

_LIBRARIES = (
    "torch", "onnx", "onnxruntime", "openvino", "tensorrt-rtx-cu13", "coremltools",
)  # fmt: skip
_COLUMNS = ("checkpoint", "layout", "artifact", "verdicts", "saved weights", "largest", "PSNR", "")
_SIZE = "128x192"
_DYNAMIC = "onnx"  # the target whose models of any size are judged, too
_PRECISIONS = ("fp32", "fp16")

Row = tuple[str, ...]


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoints", nargs="+")
    parser.add_argument("--target", action="append", help="repeatable; all of them by default")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--keep", type=Path, help="folder for each checkpoint's rows")
    options = parser.parse_args()
    targets = options.target or ["all"]
    rows = [
        row
        for number, checkpoint in enumerate(options.checkpoints)
        for row in _kept(options.keep, number, checkpoint, targets)
    ]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(_markdown(rows, options.target or []), encoding="utf-8")
    return int(any(not row[-1].startswith("pass") for row in rows))


def _kept(keep: Path | None, number: int, checkpoint: str, targets: list[str]) -> list[Row]:
    """The rows of a checkpoint, from a file in ``keep`` where an earlier run has left it."""
    path = keep / f"{number:02}-{Path(checkpoint).name}.json" if keep else None
    if path and path.exists():
        return [tuple(row) for row in loads(path.read_bytes())]
    rows = list(_rows(checkpoint, targets))
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(rows).encode())
    return rows


def _rows(checkpoint: str, targets: list[str]) -> Iterator[Row]:
    name = Path(checkpoint).name
    named = [word for target in targets for word in ("--target", target)]
    exports = ((*named, "--size", _SIZE), ("--target", _DYNAMIC, "--dynamic"))
    with tempfile.TemporaryDirectory() as root:
        for precision in _PRECISIONS:
            for how in exports:
                print(name, precision, *how, file=sys.stderr)  # noqa: T201
                made = ("export", checkpoint, *how, "--precision", precision, "-o", root)
                _, error = _sttk(*made)
                if error:
                    yield (name, "", precision, *[""] * 4, error)
        reports, _ = _sttk("parity", root)
        for report in reports:
            yield _row(name, report)


def _row(name: str, report: dict[str, Any]) -> Row:
    folder = Path(report["candidate"])
    if "error" in report:
        return (name, "", folder.name, *[""] * 4, report["error"])
    manifest = loads((folder / "manifest.json").read_bytes())
    saved = [row for row in report["rows"] if row["against"] == "float16 weights"]
    rows = [row for row in report["rows"] if row not in saved]
    found = [row["found"] for row in rows if not math.isnan(row["found"]["psnr"] or math.nan)]
    verdict = "pass" if report["passed"] else "FAIL"
    if report["not_run"]:
        good = sum(check["passed"] for check in report["checks"])
        verdict += f" of its graph, {good} of {len(report['checks'])} checks; {report['not_run']}"
    return (
        name,
        manifest["checkpoint"]["layout"],
        folder.name,
        _counted(rows),
        _counted(saved),
        f"{max(each['largest'] for each in found):.4f}",
        f"{min(each['psnr'] for each in found):.1f} dB",
        verdict,
    )


def _counted(rows: list[dict[str, Any]]) -> str:
    """Such as ``12 exact, 1 ill-conditioned``; constants are looked at for NaN only."""
    counts = Counter(row["rung"] for row in rows if row["rung"] != "finite")
    return ", ".join(f"{number} {rung}" for rung, number in counts.most_common())


def _sttk(*arguments: str) -> tuple[list[dict[str, Any]], str]:
    """What the command printed as JSON, and its last line of error."""
    command = [Path(sys.executable).with_name("sttk"), *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    lines = done.stderr.strip().splitlines()
    printed: list[dict[str, Any]] = loads(done.stdout) if done.stdout.strip() else []
    return printed, lines[-1] if done.returncode and lines else ""


def _markdown(rows: list[Row], targets: list[str]) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    failed = sum(not row[-1].startswith("pass") for row in rows)
    told = "".join(f" --target {target}" for target in targets)
    inputs = sum(_inputs(row[3]) + _inputs(row[4]) for row in rows)
    lines = [
        "# Parity of every checkpoint",
        "",
        f"**{len(rows)} clean artifacts, {inputs} verdicts, {failed} false alarms.**",
        "",
        f"Every kind of input that `sttk parity` has by default, at {_SIZE}, or its sizes for a",
        "model that takes any. Errors are of 255, those of the worst input, against the checkpoint",
        "in float64; fp32 has to be exact, fp16 faithful. *Saved weights*: the file in float32",
        "arithmetic, which has to be exact against the checkpoint with its weights in float16. The",
        "engine of TensorRT is looked at, not run, where there is no GPU: its figures are those of",
        "the graph that it was built from, under ONNX Runtime. Without macOS, coreml is sttk's",
        "interpreter of the saved package.",
        "",
        f"Python {platform.python_version()}, {versions}; {platform.machine()}.",
        f"Made by: `python scripts/parity_report.py CHECKPOINT...{told} -o REPORT.md`",
        "",
        _line(_COLUMNS),
        "|" + "---|" * len(_COLUMNS),
        *map(_line, rows),
    ]
    return "\n".join(lines) + "\n"


def _line(cells: Row) -> str:
    return f"| {' | '.join(cells)} |"


def _inputs(counts: str) -> int:
    return sum(int(part.split()[0]) for part in counts.split(", ") if part)


if __name__ == "__main__":
    sys.exit(main())
