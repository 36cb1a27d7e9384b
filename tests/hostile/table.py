"""The counts as Markdown."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from sttk.toolkit.host.machine import cpu
from tests.hostile.campaign import Campaign, Tally
from tests.hostile.judge import CODES, MOST_MEMORY
from tests.hostile.worker import ROOM

_LIBRARIES = (
    "torch",
    "safetensors",
    "onnx",
    "onnxruntime",
    "openvino",
    "coremltools",
    "pillow",
    "numpy",
)
_FAULTS = (
    "crash",
    "hang",
    "traceback",
    "exit",
    "stderr",
    "memory",
    "code ran",
    "input changed",
    "left behind",
)
_INTRO = """\
# Hostile files

Small valid files of each kind are changed by a seeded random generator, and each result is given to
the commands that users give such files to, in a process with limits on memory and time. An outcome
is good if the exit code is 0, 1, 2 or 3; standard error is one line that begins with `error: `, or
empty where all went well; no code of the file ran; the input is what it was; results are there
whole or not at all, and nothing temporary is left; and the process grew by less than {most:.1f} GB
(address space: {room:.0f} GB). Everything else is counted: *crash* (ended by a signal), *hang*,
*traceback*, *exit* (another code), *stderr* (another text), *memory*, *code ran*, *input changed*,
*left behind*.

{inputs:,} inputs, {runs:,} commands, {bad:,} outcomes that are not good. Seed {seed}; {minutes:.0f}
minutes in all, one process."""


def report(campaign: Campaign, seconds: float, command: str) -> str:
    inputs = sum(campaign.inputs.values())
    parts = [
        _INTRO.format(
            most=MOST_MEMORY / (1 << 30), room=ROOM / (1 << 30), inputs=inputs,
            runs=sum(tally.runs for tally in campaign.by_command.values()),
            bad=len(campaign.bad), seed=campaign.seed, minutes=seconds / 60,
        ),
        "## By command",
        _table(("kind", "command"), campaign.by_command, campaign),
        "## By mutation",
        _table(("kind", "mutation"), campaign.by_mutation, None),
        *_bad(campaign),
        _made_on(),
        _again(campaign, command),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _made_on() -> str:
    processor = cpu()
    python = f"Python {platform.python_version()}"
    return f"{processor.name}, {processor.cores} cores; {python}, {_versions()}."


def _again(campaign: Campaign, command: str) -> str:
    one = f"`python scripts/fuzz_report.py --seed {campaign.seed} --again 'KIND/NUMBER'`"
    return f"Made by: `{command}`. One of the inputs again: {one}."


def _bad(campaign: Campaign) -> list[str]:
    """The first of them; none, where there is none."""
    if not campaign.bad:
        return []
    lines = [f"- {bad.input}, {bad.mutation}, {bad.command}: {', '.join(bad.faults)}"
             for bad in campaign.bad[:50]]  # fmt: skip
    return ["## Not good", "\n".join(lines)]


def _table(
    titles: tuple[str, str], tallies: Mapping[tuple[str, str], Tally], campaign: Campaign | None
) -> str:
    inputs = ["inputs"] if campaign else []
    head = [
        *titles,
        *inputs,
        "runs",
        *(f"exit {code}" for code in CODES),
        "not good",
        "largest memory",
    ]
    rows = [head, ["---"] * len(titles) + ["---:"] * (len(head) - len(titles))]
    for (kind, name), tally in sorted(tallies.items()):
        given = [f"{campaign.inputs[kind]:,}"] if campaign else []
        codes = [str(tally.codes[str(code)]) for code in CODES]
        rows.append(
            [
                kind,
                name,
                *given,
                f"{tally.runs:,}",
                *codes,
                _faults(tally),
                f"{tally.grown / 1e6:.0f} MB",
            ]
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _faults(tally: Tally) -> str:
    found = [f"{count} {name}" for name, count in sorted(tally.faults.items())]
    return ", ".join(found) or "0"


def _versions() -> str:
    found = []
    for library in _LIBRARIES:
        try:
            found.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            found.append(f"{library} absent")
    return ", ".join(found)
