"""Export checkpoints to every target, judge each artifact, write a table.

usage: python scripts/targets_report.py CHECKPOINT... [--precision fp16] -o FILE.md

It types 'sttk export --target all' and 'sttk parity', as a user would, and reads their --json. One
row per artifact; what could not be exported or judged is a row that says so, and exit code 1.
"""

from __future__ import annotations

import argparse
import json
import platform
import shlex
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

_LIBRARIES = ("torch", "onnxruntime", "openvino", "tensorrt-rtx-cu13", "coremltools")
_COLUMNS = ("checkpoint", "target", "MB", "run by", "largest error", "PSNR", "")
_SIZE = "256"


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoints", nargs="+")
    parser.add_argument("--precision", default="fp16")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    rows = [row for each in options.checkpoints for row in _rows(each, options.precision)]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(_markdown(rows, options), encoding="utf-8")
    return int(any(not row[-1].startswith("pass") for row in rows))


def _rows(checkpoint: str, precision: str) -> list[list[str]]:
    print(checkpoint, file=sys.stderr)  # noqa: T201
    with tempfile.TemporaryDirectory() as root:
        made, error = _sttk(
            "export", checkpoint, "--target", "all", "--precision", precision, "--size", _SIZE,
            "-o", root,
        )  # fmt: skip
        name = Path(checkpoint).name
        if not made:
            return [[name, "-", "-", "-", "-", "-", error]]
        sizes = {Path(fact["artifact"]).name: fact["bytes"] / 1e6 for fact in made}
        reports, _ = _sttk("parity", root)
        found = [_row(name, sizes, report) for report in reports]
        return [*found, *([[name, "-", "-", "-", "-", "-", error]] if error else [])]


def _row(name: str, sizes: dict[str, float], report: dict[str, Any]) -> list[str]:
    folder = Path(report["candidate"]).name
    target, size = folder.split("-")[0], f"{sizes[folder]:.1f}"
    if "error" in report:
        return [name, target, size, "-", "-", "-", report["error"]]
    largest = max(row["found"]["largest"] for row in report["rows"])
    psnr = min(row["found"]["psnr"] for row in report["rows"])
    verdict = "pass" if report["passed"] else "FAIL"
    if report["not_run"]:
        checks = report["checks"]
        good = sum(check["passed"] for check in checks)
        verdict += f" of graph and {good} of {len(checks)} checks; {report['not_run']}"
    return [name, target, size, report["runtime"], f"{largest:.4f}", f"{psnr:.1f} dB", verdict]


def _sttk(*arguments: str) -> tuple[list[dict[str, Any]], str]:
    """What the command printed as JSON, and its last line of error."""
    command = [Path(sys.executable).with_name("sttk"), *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    lines = done.stderr.strip().splitlines()
    printed: list[dict[str, Any]] = json.loads(done.stdout) if done.stdout.strip() else []
    return printed, lines[-1] if done.returncode and lines else ""


def _markdown(rows: list[list[str]], options: argparse.Namespace) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    command = f"python scripts/targets_report.py CHECKPOINT... --precision {options.precision}"
    lines = [
        f"# Checkpoints to every target, {options.precision}, {_SIZE}x{_SIZE}",
        "",
        "Worst input of each artifact against its PyTorch reference, the photographs of",
        "toolkit/photos; errors are of 255. The engine of TensorRT is looked at, not run, where",
        "there is no GPU: its figures are those of the graph that it was built from, under ONNX",
        "Runtime. Without macOS, coreml is an interpreter of the saved package.",
        "",
        f"Python {platform.python_version()}, {versions}; {platform.machine()}.",
        f"Made by: `{command} -o {shlex.quote(str(options.output))}`",
        "",
        "| " + " | ".join(_COLUMNS) + " |",
        "|" + "---|" * len(_COLUMNS),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
