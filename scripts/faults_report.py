"""Kill commands at random moments, look at what they leave, run them again, write a table.

usage: python scripts/faults_report.py -o artifacts/reports/faults.md

What is killed is the table in tests/faults/subjects.py. Exit code 1 if anything did not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
# Pools of threads do not survive a fork.
for _pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_pool] = "1"

from sttk.toolkit.io.files import write_atomic  # noqa: E402
from tests.faults import racing  # noqa: E402
from tests.faults.killing import Ended, Moment, run  # noqa: E402
from tests.faults.subjects import RECORDED, Subject, subjects  # noqa: E402

_CHANGE_SECONDS = 0.03
_SPARE = 1.05
_NO_GRAPH = ("stylize", "video", "train", "bench")


@dataclass
class Row:
    """What was found of one subject."""

    subject: Subject
    calls: int = 0
    seconds: float = 0.0
    times: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    checks: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """Processes that SIGKILL ended."""
        return sum(self.ways.values())


def main() -> int:
    """Entry point."""
    options = _options()
    _warm()
    rows, races = [], []
    with tempfile.TemporaryDirectory(prefix="faults-") as root:
        if options.races or not all(name.startswith(_NO_GRAPH) for name in options.only or [""]):
            RECORDED.record(_folder(Path(root) / "recorded"))
        if options.races:
            races = racing.all_races(options.races, options.seed, _folder(Path(root) / "races"))
        for number, subject in enumerate(subjects()):
            if count := options.kills.get(subject.name, 0 if options.only else subject.kills):
                rows.append(_subject(subject, count, options, Path(root) / str(number)))
                if options.output:  # it takes long, and may be killed, too
                    page = _page(rows, races, options.seed)
                    write_atomic(options.output, page.encode())
    faults = [fault for row in (*rows, *races) for fault in row.faults]
    for fault in faults:
        print(f"FAULT {fault}", file=sys.stderr)  # noqa: T201
    found = {row.subject.name: {"kills": row.kills, "checks": row.checks} for row in rows}
    print(json.dumps({"rows": found, "faults": faults}))  # noqa: T201
    return 1 if faults else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", default=[], metavar="SUBJECT=KILLS")
    parser.add_argument(
        "--races", type=int, help="pairs of exports at once; of each kind; default 8"
    )
    parser.add_argument("--at-calls", action="store_true", help="no moment that a clock decides")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    pairs = [text.rpartition("=") for text in options.only]
    options.kills = {name: int(count) for name, _, count in pairs}
    if unknown := options.kills.keys() - {subject.name for subject in subjects()}:
        parser.error(f"no such subject: {sorted(unknown)}")
    if options.races is None:
        options.races = 0 if options.only else 8
    return options


def _warm() -> None:
    """Import what the commands import, once."""
    import av  # noqa: F401, PLC0415
    import matplotlib.backends.backend_agg  # noqa: PLC0415
    import matplotlib.backends.backend_svg  # noqa: F401, PLC0415
    import onnxruntime  # noqa: F401, PLC0415
    import onnxscript  # noqa: F401, PLC0415
    import onnxsim  # noqa: F401, PLC0415
    import openvino  # noqa: F401, PLC0415

    import sttk.exporters.artifact  # noqa: PLC0415
    import sttk.toolkit.training.session  # noqa: PLC0415
    import sttk.toolkit.video.convert  # noqa: F401, PLC0415


def _folder(path: Path) -> Path:
    for name in ("in", "out", "tmp"):
        (path / name).mkdir(parents=True)
    return path


def _subject(subject: Subject, count: int, options: argparse.Namespace, root: Path) -> Row:
    rng = random.Random(f"{options.seed} {subject.name}")  # noqa: S311
    before, after = _folder(root / "before"), root / "after"
    subject.prepare(before)
    shutil.copytree(before, after)
    whole = run(subject.command, after, subject.stand_in)
    if whole.code != 0:
        raise SystemExit(f"{subject.name}: {whole.said}")
    row = Row(subject, whole.calls, whole.seconds)
    tries = 0
    while row.kills < count and tries < 3 * count:
        tries += 1
        folder = root / "killed"
        shutil.copytree(before, folder)
        moment = _moment(rng, 0 if options.at_calls else tries, whole)
        _killed(row, folder, before, after, moment)
        shutil.rmtree(folder)
        print(f"{subject.name}: {row.kills} of {count}, {moment}", file=sys.stderr, flush=True)  # noqa: T201
    return row


def _moment(rng: random.Random, number: int, whole: Ended) -> Moment:
    """In turn: any time, soon after a change in the folder, before a call to the file system."""
    if number % 3 == 1:
        return Moment("time", rng.uniform(0, _SPARE * whole.seconds))
    if number % 3 == 2:
        change = rng.randint(1, max(1, whole.changes))
        return Moment("change", rng.uniform(0, _CHANGE_SECONDS), change)
    return Moment("call", number=rng.randint(1, whole.calls))


def _killed(row: Row, folder: Path, before: Path, after: Path, moment: Moment) -> None:
    subject = row.subject
    ended = run(subject.command, folder, subject.stand_in, moment)
    if ended.code is None:
        row.ways[moment.kind] += 1
        row.times[_when(ended, row.calls)] += 1
    elif ended.code != 0:
        row.faults.append(f"{subject.name}, {moment}: {ended.code}: {ended.said}")
    found = list(subject.killed(folder, before, after))
    again = run(subject.rerun(folder, before), folder, subject.stand_in)
    if again.code != 0:
        found.append(f"the rerun gives {again.code}: {again.said.strip()}")
    else:
        found += subject.rerun_faults(folder, before, after)
    row.checks += 3
    row.faults += [f"{subject.name}, {moment}: {fault}" for fault in found]


def _when(ended: Ended, calls: int) -> str:
    """The call that is killed before is not counted as begun."""
    if ended.calls == 0:
        return "before"
    return "after" if ended.calls >= calls else "while"


def _page(rows: list[Row], races: list[racing.Races], seed: int) -> str:
    alone, of_two = sum(row.kills for row in rows), sum(race.kills for race in races)
    faults = sum(len(row.faults) for row in (*rows, *races))
    checks = sum(row.checks for row in rows)
    said = f"{alone + of_two} kills: {alone} of a command alone, with {checks} checks, and {of_two}"
    said += " of one of two exports at once"
    parts = [
        "# Killed at any moment",
        f"**{said}; {faults} failures.**",
        _ABOUT,
        "\n".join(_table(rows)),
        "\n".join(_notes(rows)),
        "## Two exports into one folder at once",
        _RACES,
        "\n".join(racing.table(races)),
        *(["\n".join(f"- {fault}" for row in (*rows, *races) for fault in row.faults)]
          if faults else []),
        f"Made by: `python {' '.join(sys.argv)}`, seed {seed}.",
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


_ABOUT = """\
Each command is killed by SIGKILL, with its children: a third at any time of its run, a third a few
milliseconds after polling saw a change in the output folder, a third just before one of its calls
to the file system. *Before*: it had not begun to change the folder; *while*: between its first and
its last such call; *after*: that was made, and the process had not ended yet.

Three checks follow each kill. What lies under final names is the old or the new, whole: artifacts
byte for byte and by `sttk verify`, pictures byte for byte, a report's and a run's files one by one.
Then the same command, or `sttk train --resume` where this run had saved a state, gives exit code
0. And then everything is as an undisturbed run leaves it (artifacts and pictures to the byte, a
trained net to the bit), `sttk verify` passes, and no `.NAME.PID.*` lies beside. A command that
ended before its moment is checked in the same way, and is no kill.

The commands run in children forked from one process that has imported torch; each child runs
`sttk.cli.main`. *Files alone*: the graph that torch traces for seconds is a recorded one, so
more kills meet the writing."""
_RACES = """\
Both started together, of a graph that was recorded, with none or an old artifact there. One wins
whole, both give exit code 0 or one of them one line; `sttk verify` passes, nothing is left over.
*One killed*: just before one of its calls to the file system; a third export then tidies up."""


def _table(rows: list[Row]) -> Iterator[str]:
    yield "| command | seconds | calls | kills | before | while | after | checks | failures |"
    yield "| --- |" + " ---: |" * 8
    for row in rows:
        cells = [row.subject.name, f"{row.seconds:.1f}", row.calls, row.kills]
        cells += [row.times[name] for name in ("before", "while", "after")]
        yield f"| {' | '.join(map(str, [*cells, row.checks, len(row.faults)]))} |"


def _notes(rows: list[Row]) -> Iterator[str]:
    for row in rows:
        said = f"; {row.subject.said}" if row.subject.said else ""
        command = " ".join(row.subject.command).replace(f"{ROOT}/", "")
        yield f"- {row.subject.name}: `sttk {command}`{said}"


if __name__ == "__main__":
    sys.exit(main())
