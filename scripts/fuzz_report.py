"""Hostile files, thousands of them, given to the commands that users give theirs to.

    python scripts/fuzz_report.py --inputs 5000 -o artifacts/reports/fuzz.md
    python scripts/fuzz_report.py --again 'ONNX file/37'

Kinds, seeds and mutations stand in tests/hostile/; the same seed makes the same inputs. Commands
run in forked processes with a limit on memory and time, so that what ends one ends no more.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
import time
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parents[1]))

from sttk.toolkit.io.files import write_atomic
from tests.hostile.campaign import Campaign, kind_named, warm
from tests.hostile.kinds import KINDS
from tests.hostile.table import report


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=500, help="in all, over all kinds")
    parser.add_argument("--minutes", type=float, default=240, help="after which to stop")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60, help="that a command may take")
    parser.add_argument("--kinds", nargs="+", choices=[kind.name for kind in KINDS])
    parser.add_argument("--again", metavar="KIND/NUMBER", help="this input alone; print all of it")
    parser.add_argument("--keep", type=Path, help="--again: leave its files in this folder")
    parser.add_argument("-o", "--output", type=Path, help="the report; else it is printed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sttk-fuzz-") as scratch:
        campaign = Campaign(options.seed, Path(scratch), options.seconds)
        try:
            return _again(campaign, options) if options.again else _all(campaign, options)
        finally:
            campaign.close()


def _again(campaign: Campaign, options: argparse.Namespace) -> int:
    name, _, number = options.again.rpartition("/")
    kind = kind_named(name)
    if options.keep:
        mutation, sample = campaign.sample(kind, int(number))
        click.echo(f"{mutation}: {sample.write(options.keep)}")
        return 0
    warm()
    found = campaign.run(kind, int(number))
    for (_, command), tally in campaign.by_command.items():
        click.echo(f"{command}: exit {dict(tally.codes)}, {tally.grown / 1e6:.0f} MB")
    for bad in found:
        click.echo(f"{bad}\n{bad.ran.stdout}\n{bad.ran.stderr}")
    return 1 if found else 0


def _all(campaign: Campaign, options: argparse.Namespace) -> int:
    warm()
    kinds = [kind for kind in KINDS if not options.kinds or kind.name in options.kinds]
    started = time.perf_counter()
    for turn in range(options.inputs):
        if time.perf_counter() - started > 60 * options.minutes:
            break
        kind = kinds[turn % len(kinds)]
        for bad in campaign.run(kind, turn // len(kinds)):
            click.echo(str(bad), err=True)
    seconds = time.perf_counter() - started
    command = f"python {shlex.join(sys.argv)}"
    text = report(campaign, seconds, command)
    if options.output:
        write_atomic(options.output, text.encode())
    else:
        click.echo(text)
    return 1 if campaign.bad else 0


if __name__ == "__main__":
    sys.exit(main())
