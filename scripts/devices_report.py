"""The verdicts of nets at every target, in every precision, on every device that is here.

usage: python scripts/devices_report.py NET... -o devices.md [--state FILE]

A NET is a shipped style or a checkpoint. The script types 'sttk export' and 'sttk parity --device
all', as a user would, and reads their --json. What is done is kept in the state file, so a run that
was stopped goes on where it was. Exit code 1 if a model breaks its promise anywhere.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sttk.exporters import exportable, exporter
from sttk.toolkit import devices, targets
from sttk.toolkit.io.json_text import loads

_SIZE = "64x64"
# The kinds of pictures on which float16 is worst, and a photograph; an emulated CPU is slow.
_KINDS = ("low-contrast", "ramp", "dark")
_REGIMES = [word for kind in _KINDS for word in ("--regime", kind)]
_PRECISIONS = ("fp32", "fp16", "int8")
# Core ML's activations are int8 from this system on.
_EXTRA = {("coreml", "int8"): ("--deployment-target", "iOS17")}
_MOST_RUNGS = ("exact", "faithful", "same style", "different", "ill-conditioned", "not run")

Record = dict[str, Any]


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nets", nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--state", type=Path, default=Path("devices-report.jsonl"))
    parser.add_argument("--target", action="append")
    options = parser.parse_args()
    records = _kept(options.state)
    done = {(each["net"], each["target"], each["precision"]) for each in records}
    for unit in _units(options.nets, options.target or [each.name for each in exportable()]):
        if unit in done:
            continue
        print(*unit, file=sys.stderr)  # noqa: T201
        records += (found := _judged(*unit))
        with options.state.open("a", encoding="utf-8") as state:
            state.writelines(f"{json.dumps(each)}\n" for each in found)
        _write(options.output, records, options.nets)
    _write(options.output, records, options.nets)
    return int(any(not each["passed"] for each in records if not each["error"]))


def _kept(state: Path) -> list[Record]:
    lines = state.read_text(encoding="utf-8").splitlines() if state.exists() else []
    return [loads(line.encode()) for line in lines]


def _units(nets: list[str], names: list[str]) -> Iterator[tuple[str, str, str]]:
    for net in nets:
        for name in names:
            for precision in _PRECISIONS:
                if precision in exporter(name).precisions:
                    yield net, name, precision


def _judged(net: str, target: str, precision: str) -> list[Record]:
    """Export once, and return a record for each device that ran it, or one with the error."""
    made = {"net": net, "target": target, "precision": precision}
    with tempfile.TemporaryDirectory() as root:
        how = ("--target", target, "--precision", precision, "--size", _SIZE, "-o", root)
        _, error = _sttk("export", net, *how, *_EXTRA.get((target, precision), ()))
        if error:
            return [{**made, "device": "", "error": error, "passed": False}]
        began = time.monotonic()
        reports, error = _sttk("parity", root, "--device", "all", *_REGIMES)
        seconds = round(time.monotonic() - began)
        return [{**made, **_record(each), "seconds": seconds} for each in reports or []] or [
            {**made, "device": "", "error": error, "passed": False}
        ]


def _record(report: Record) -> Record:
    if "error" in report:
        return {"device": report.get("device", ""), "error": report["error"], "passed": False}
    evidence = report["evidence"] or {}
    rows = [row for row in report["rows"] if row["against"] != "float16 weights"]
    return {
        "device": evidence.get("device", devices.DEFAULT),
        "error": "",
        "passed": report["passed"],
        "promise": report["promise"],
        "not_run": report.get("not_run", ""),
        "arithmetic": evidence.get("arithmetic", ""),
        "machine": evidence.get("machine", ""),
        "features": evidence.get("features", []),
        "kind": evidence.get("kind", ""),
        "rungs": Counter(row["rung"] for row in rows if row["rung"] != "finite"),
        "worst": min((row["found"]["psnr"] for row in rows if row["found"]), default=None),
        "checks": {check["name"]: check["passed"] for check in report["checks"]},
    }


def _sttk(*arguments: str) -> tuple[Any, str]:
    """Return what the command printed as JSON, and its last line of error."""
    command = [Path(sys.executable).with_name("sttk"), *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    lines = done.stderr.strip().splitlines()
    printed = loads(done.stdout.encode()) if done.stdout.strip() else []
    return printed, lines[-1] if done.returncode and lines else ""


def _write(output: Path, records: list[Record], nets: list[str]) -> None:
    output.write_text("\n".join(_markdown(records, nets)) + "\n", encoding="utf-8")


def _markdown(records: list[Record], nets: list[str]) -> Iterator[str]:
    names = [each.name for each in devices.every()]
    ran = [each for each in records if not each["error"]]
    kept = sum(each["passed"] for each in ran)
    yield from (
        "# Verdicts on every device",
        "",
        f"Each net was exported at {_SIZE} to every target in every precision, and judged by `sttk",
        f"parity --device all` on pictures of {len(_KINDS)} kinds: {', '.join(_KINDS)}. Float16 is",
        "worst on these. A cell says what was found; in brackets what was promised there, the",
        "arithmetic and the least PSNR. The structural check has to pass too.",
        "",
        f"**{kept} of {len(ran)} verdicts keep their promise.**",
        "",
        *_machines(ran),
        "",
        f"Python {platform.python_version()}, {_versions()}; {platform.machine()}.",
        f"Made by: `python scripts/devices_report.py {' '.join(map(_short, nets))} -o devices.md`",
    )
    for net in dict.fromkeys(each["net"] for each in records):
        yield from ("", f"## {_short(net)}", "", _line(["target", "precision", *names]))
        yield "|" + "---|" * (2 + len(names))
        own = [each for each in records if each["net"] == net]
        for made in dict.fromkeys((each["target"], each["precision"]) for each in own):
            here = [each for each in own if (each["target"], each["precision"]) == made]
            cells = {each["device"]: _cell(each) for each in here}
            wrong = next((each["error"] for each in here if not each["device"]), "")
            yield _line([*made, *(cells.get(name, "") for name in names)] if not wrong
                        else [*made, wrong, *[""] * (len(names) - 1)])  # fmt: skip


def _machines(ran: list[Record]) -> Iterator[str]:
    found = {
        (each["device"], each["machine"], each["kind"], ", ".join(each["features"])) for each in ran
    }
    for device, machine, kind, features in sorted(found):
        yield f"- {device}: {machine}, {kind}{f' ({features})' if features else ''}"


def _cell(record: Record) -> str:
    if record["error"]:
        return str(record["error"])
    rungs = record["rungs"]
    counted = ", ".join(f"{rungs[rung]} {rung}" for rung in _MOST_RUNGS if rungs.get(rung))
    worst = record["worst"]
    floor = f", {worst:.0f} dB" if worst is not None else ""
    graph = ", its graph" if record["not_run"] else ""
    verdict = "" if record["passed"] else "**FAIL**: "
    promised = f"{record['promise']}, {record['arithmetic']}{floor}{graph}"
    return f"{verdict}{counted} ({promised})"


def _short(net: str) -> str:
    """Return a style's name, or the last two parts of a checkpoint's path."""
    return "/".join(Path(net).parts[-2:])


def _versions() -> str:
    found = []
    for name in ("torch", *targets.distributions()):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} not installed")
    return ", ".join(found)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
