"""One table of all targets: precision, verdict, size, time; and every shipped style at each target.

usage: sttk bench ink-mobile-m --runtime ... --precision ... -o DIR
       python scripts/targets_report.py STYLE... --bench DIR/bench.json -o targets.md

It types 'sttk export' and 'sttk parity', as a user would, and reads their --json. Exit code 1 if an
artifact breaks its promise.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sttk.exporters import exportable
from sttk.toolkit import targets
from sttk.toolkit.io.json_text import loads

_NET = "ink-mobile-m"
_TARGETS = tuple(each.name for each in exportable() if each.timings)
_PRECISIONS = ("fp32", "fp16", "int8")
_JUDGED = "128x192"
_TIMED = "512x512"
_KINDS = ("photo", "dark", "low-contrast", "ramp")
_REGIMES = [word for kind in _KINDS for word in ("--regime", kind)]
# Core ML's activations are int8 from this system on.
_EXTRA = {("coreml", "int8"): ("--deployment-target", "iOS17")}
_BASE = "onnxruntime fp32"
_COLUMNS = ("target", "precision", "verdicts", "against the float net", "MB", "ms", "x", "")

Row = tuple[str, ...]


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("styles", nargs="*")
    parser.add_argument("--bench", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    times = _times(options.bench)
    one = [_row(target, precision, times) for target in _TARGETS for precision in _PRECISIONS]
    every: list[Row] = []
    for name in [None, *options.styles]:
        every += [_style(name)] if name else []
        options.output.write_text(_markdown(one, every, options.bench), encoding="utf-8")
    return int(any("FAIL" in row[-1] or "error" in row[-1] for row in (*one, *every)))


def _times(bench: Path) -> dict[str, float]:
    """Milliseconds by runtime and precision, medians."""
    rows = loads(bench.read_bytes())["rows"]
    return {
        f"{row['case']['runtime']} {row['case']['precision']}": 1e3 * row["summary"]["p50"]
        for row in rows
        if row.get("summary")
    }


def _row(target: str, precision: str, times: dict[str, float]) -> Row:
    print(target, precision, file=sys.stderr)  # noqa: T201
    with tempfile.TemporaryDirectory() as root:
        how = ("--target", target, "--precision", precision, "-o", root)
        made, error = _sttk(
            "export", _NET, *how, "--size", _JUDGED, *_EXTRA.get((target, precision), ())
        )
        if error:
            return (target, precision, "", "", "", "", "", error)
        folder = Path(made[0]["artifact"])
        size = _megabytes(folder)
        reports, error = _sttk("parity", root, *_REGIMES)
        if not reports:
            return (target, precision, "", "", size, "", "", error)
        counts, floats = _verdicts(reports[0])
    return (target, precision, counts, floats, size, *_timed(target, precision, times),
            _passed(reports[0]))  # fmt: skip


def _megabytes(folder: Path) -> str:
    """Of the model alone: a page's runtime and example, manifest and README are not."""
    manifest = loads((folder / "manifest.json").read_bytes())
    models = [
        name
        for name in manifest["files"]
        if name.endswith((".onnx", ".xml", ".bin", ".param", ".tflite", ".pte", ".engine"))
        or ".mlpackage/" in name
    ]
    # An engine's graph is beside it for parity; a page's is what it runs.
    beside = manifest["graph"] if not manifest["model"].endswith(".html") else None
    kept = [name for name in models if name != beside]
    return f"{sum((folder / name).stat().st_size for name in kept) / 1e6:.2f}"


def _verdicts(report: dict[str, Any]) -> tuple[str, str]:
    """Against the reference that the artifact promises to follow, and against the float net."""
    floats = [row for row in report["rows"] if row["against"] == "float net"]
    saved = [row for row in report["rows"] if row["against"] == "float16 weights"]
    return _counted([r for r in report["rows"] if r not in floats and r not in saved]), _counted(
        floats
    )


def _counted(rows: list[dict[str, Any]]) -> str:
    counts = Counter(row["rung"] for row in rows if row["rung"] != "finite")
    return ", ".join(f"{number} {rung}" for rung, number in counts.most_common())


def _timed(target: str, precision: str, times: dict[str, float]) -> tuple[str, str]:
    """Milliseconds, and the share of ONNX Runtime's in float32."""
    found = times.get(f"{targets.target(target).runtime} {precision}")
    if found is None:
        return "", ""
    return f"{found:.0f}", f"{found / times[_BASE]:.2f}"


def _passed(report: dict[str, Any]) -> str:
    verdict = "pass" if report["passed"] else "FAIL"
    if report.get("not_run"):
        good = sum(check["passed"] for check in report["checks"])
        return f"{verdict} of its graph, {good} of {len(report['checks'])} checks; no GPU here"
    return verdict


def _style(name: str) -> Row:
    """A shipped style, exported to all targets in each one's default precision."""
    print(name, file=sys.stderr)  # noqa: T201
    with tempfile.TemporaryDirectory() as root:
        _, error = _sttk("export", name, "--target", "all", "--size", _JUDGED, "-o", root)
        reports, wrong = _sttk("parity", root, *_REGIMES)
        cells = {report["target"]: report for report in reports}
        return (
            name,
            *(_cell(cells[target]) if target in cells else "" for target in _TARGETS[:-1]),
            error or wrong or "pass",
        )


def _cell(report: dict[str, Any]) -> str:
    if "error" in report:
        return str(report["error"])
    return f"{_verdicts(report)[0]}{', its graph' if report.get('not_run') else ''}"


def _sttk(*arguments: str) -> tuple[Any, str]:
    """What the command printed as JSON, and its last line of error."""
    command = [Path(sys.executable).with_name("sttk"), *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    lines = done.stderr.strip().splitlines()
    printed = loads(done.stdout) if done.stdout.strip() else []
    return printed, lines[-1] if done.returncode and lines else ""


def _markdown(one: list[Row], every: list[Row], bench: Path) -> str:
    about = loads(bench.read_bytes())["environment"]["machine"]
    lines = [
        f"# {_NET} at every target, and every style at each",
        "",
        f"Verdicts: of {', '.join(_KINDS)} at {_JUDGED}, seven pictures; fp32 has",
        "to be exact, fp16 and int8 faithful, int8 against the net with the same quantisers. *MB*:",
        f"the model's files. *ms*: median of one picture of {_TIMED}, of `sttk bench`, with",
        f"{about['threads used']} threads ({about['cpu']}: {', '.join(about['features'])}); *x*:",
        "of ONNX Runtime's time in fp32. Not timed: what cannot run here (Core ML is judged by",
        "sttk's interpreter, TensorRT by its graph), and fp16 where it is of the weights alone.",
        "",
        f"Python {platform.python_version()}, {_versions()}; {platform.machine()}.",
        f"Made by: `python scripts/targets_report.py STYLE... --bench {bench} -o targets.md`",
        "",
        *_table(_COLUMNS, one),
        "",
        "## Styles, in each target's default precision: fp32, of Core ML fp16",
        "",
        *_table(("style", *_TARGETS[:-1], ""), every),
    ]
    return "\n".join(lines) + "\n"


def _versions() -> str:
    found = []
    for name in ("torch", *targets.distributions()):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} not installed")
    return ", ".join(found)


def _table(head: Row, rows: list[Row]) -> list[str]:
    return [_line(head), "|" + "---|" * len(head), *map(_line, rows)]


def _line(cells: Row) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
