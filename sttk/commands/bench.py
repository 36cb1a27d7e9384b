"""``sttk bench``."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sttk.commands.options import OUTPUT, SIZE, Finite, Percent, json_option
from sttk.toolkit.core.errors import NotRunError, SlowerError, UsageError
from sttk.workflows.guesses import strict_option

if TYPE_CHECKING:
    from sttk.benchmarks.compare import Change
    from sttk.benchmarks.config import BenchConfig
    from sttk.benchmarks.rows import Results

_CHARTS = 6.0  # seconds that the nominal machine (``sttk.benchmarks.schedule``) takes to draw them


@click.command(short_help="Measure how fast a style is, and against what.")
@click.argument("style", required=False)
@click.option(
    "--size", "sizes", type=SIZE, multiple=True, default=["512"],
    help="N, HxW or 1080p; repeatable.  [default: 512]",
)  # fmt: skip
@click.option(
    "--runtime", "runtimes", multiple=True, metavar="NAME",
    help="Time this one, and fail if it cannot run; repeatable.  [default: those that fit]",
)  # fmt: skip
@click.option(
    "--precision", "precisions", multiple=True, metavar="NAME",
    help="fp32, bf16, fp16, int8, int8+bf16; repeatable.  [default: the usual ones]",
)  # fmt: skip
@click.option(
    "--batch", "batches", type=click.IntRange(1, 64), multiple=True, default=[1],
    help="Pictures at once; repeatable.  [default: 1]",
)  # fmt: skip
@click.option("--threads", type=click.IntRange(1), help="Of the CPU.  [default: its cores]")
@click.option(
    "--seconds", type=Finite(0, min_open=True), default=120.0, show_default=True,
    help="Wall time for all of it: rows that do not fit are left out, and named.",
)  # fmt: skip
@click.option(
    "--all", "every", is_flag=True,
    help="Leave nothing out, however long it takes. So does --runtime or --precision.",
)  # fmt: skip
@click.option("--gatys/--no-gatys", default=True, show_default=True, help="Time Gatys, too.")
@click.option("--full", is_flag=True, help="Run Gatys to the end, in place of extrapolating only.")
@click.option(
    "--equal-loss", is_flag=True,
    help="Count the iterations that are as good as the net; needs --paintings.",
)  # fmt: skip
@click.option(
    "--paintings", type=click.Path(path_type=Path, file_okay=False, exists=True), multiple=True,
    help="Folder of the painting that the style was trained on.",
)  # fmt: skip
@click.option(
    "--photos", type=click.Path(path_type=Path, file_okay=False),
    help="For --equal-loss.  [default: the package's]",
)  # fmt: skip
@click.option(
    "--vgg", type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Weights of VGG-19, for Gatys.  [default: those at hand]",
)  # fmt: skip
@click.option(
    "--style-vgg", type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="For --equal-loss: weights of the loss network that the style was trained on.",
)  # fmt: skip
@click.option("--profile", is_flag=True, help="List the slowest nodes of each row.")
@click.option("--peers", is_flag=True, help="Time other people's ways and nets beside it.")
@click.option("--self-test", is_flag=True, help="Test the stopwatch, and nothing else.")
@click.option(
    "--compare", type=click.Path(path_type=Path, dir_okay=False),
    help="Results of an earlier --json, of this machine.",
)  # fmt: skip
@click.option(
    "--fail-if-slower", "allowed", type=Percent(0), metavar="PERCENT",
    help="With --compare: exit code 1 if a row is surely slower by more.",
)  # fmt: skip
@click.option("-o", "--output", type=OUTPUT, help="Folder for report, page and charts.")
@strict_option
@json_option
def bench(**options: Any) -> None:
    """Measure STYLE (default: ink) on the runtimes that this machine has, in two minutes.

    STYLE is a shipped style or a checkpoint; of a shipped one its mobile nets are timed, too. Each
    runtime runs in a process of its own; they take turns. Beside each row stands how much faster it
    is than plain PyTorch and than Gatys' optimisation. What matters most comes first; what
    --seconds have no room for is left out and named, and --all times it. What cannot run says why.
    """
    if options["self_test"]:
        _self_test(options["as_json"])
        return
    _bench(options)


def _bench(options: dict[str, Any]) -> None:
    from sttk.benchmarks.compare import check_alike, read_results
    from sttk.benchmarks.environment import environment

    began = time.perf_counter()
    config = replace(_config(options), began=began)
    _check(options, config)
    old = read_results(options["compare"]) if options["compare"] else None
    if old:  # found before minutes are spent
        check_alike(environment(config.threads), old.environment)
        timed = frozenset(row.case for row in old.rows if row.timing)
        config = replace(config, required=timed)  # else there would be nothing to compare
    _announce(config)
    results = _measured(config, options)
    _write(results, options)
    _report(results, old, options)
    for runtime in options["runtimes"]:
        rows = [row for row in results.rows if row.case.runtime == runtime]
        if not any(row.timing for row in rows):
            raise NotRunError(f"asked for and not run: {rows[0].case.variant}: {rows[0].not_run}")


def _announce(config: BenchConfig) -> None:
    """How long it will take, where no budget bounds it."""
    from sttk.benchmarks.schedule import nominal_seconds

    if config.planned:
        return
    minutes = nominal_seconds(config) / 60
    if minutes >= 1:
        click.echo(f"all that is asked for: about {minutes:.0f} min on two idle cores", err=True)


def _check(options: dict[str, Any], config: BenchConfig) -> None:
    """Wrong usage is found before anything is measured."""
    from sttk.toolkit.imaging.charts import check_charts
    from sttk.toolkit.io.outputs import check_folder

    if options["equal_loss"]:
        from sttk.benchmarks.equal_loss import OPTION, photos_of
        from sttk.toolkit.evaluation.own_loss import own_loss

        if not options["paintings"]:
            raise UsageError(
                "--equal-loss judges by the painting", fix="pass the folder it lies in: --paintings"
            )
        own_loss(config.net, options["paintings"], options["style_vgg"], option=OPTION)
        photos_of(options["photos"])
    if options["allowed"] is not None and not options["compare"]:
        raise UsageError("--fail-if-slower is for --compare")
    if options["output"]:
        check_charts()
        check_folder(options["output"])


def _config(options: dict[str, Any]) -> BenchConfig:
    from sttk.benchmarks import peers, variants
    from sttk.benchmarks.config import BenchConfig
    from sttk.benchmarks.environment import threads_here
    from sttk.toolkit import styles
    from sttk.toolkit.core.shapes import text
    from sttk.toolkit.host.memory import check_fits

    for given, known in (
        (options["runtimes"], variants.runtimes()),
        (options["precisions"], variants.precisions()),
    ):
        if unknown := [name for name in given if name not in known]:
            raise UsageError(f"{unknown[0]}: not known; there are {', '.join(known)}")
    net = styles.find(options["style"] or styles.DEFAULT)
    sizes = tuple(dict.fromkeys(options["sizes"]))
    least = net.contract.smallest_side
    for size in sizes:
        if min(size) < least:
            raise UsageError(f"size {text(size)}: the net's smallest side is {least}")
        check_fits(size[0], size[1], fix="a smaller --size")
    planned = not (options["every"] or options["runtimes"] or options["precisions"])
    return BenchConfig(
        net,
        variants.chosen(options["runtimes"], options["precisions"]),
        sizes,
        tuple(dict.fromkeys(options["batches"])),
        options["threads"] or threads_here(),
        options["seconds"],
        planned=planned,
        ending=_CHARTS if options["output"] else 0.0,
        peaks=bool(options["output"] or options["as_json"]) or not planned,
        gatys=options["gatys"],
        full=options["full"],
        vgg=options["vgg"],
        profile=options["profile"],
        peers=peers.cases if options["peers"] else None,
    )


def _measured(config: BenchConfig, options: dict[str, Any]) -> Results:
    from sttk.benchmarks import suite
    from sttk.toolkit.io.console import progress

    with progress("bench", line_seconds=15.0) as on_progress:
        equal = _equal(config, options, on_progress) if options["equal_loss"] else []
        return replace(suite.run(config, on_progress), equal=tuple(equal))


def _equal(config: BenchConfig, options: dict[str, Any], on_progress: Any) -> list[dict[str, Any]]:
    from sttk.benchmarks.equal_loss import EqualLossSpec, measured

    style, paintings = config.net.origin.source, tuple(options["paintings"])
    spec = EqualLossSpec(style, paintings, options["style_vgg"], config.threads)
    return measured(spec, options["photos"], config.sizes, on_progress)


def _write(results: Results, options: dict[str, Any]) -> None:
    from sttk.benchmarks.charts import draw
    from sttk.benchmarks.formats.html import html
    from sttk.benchmarks.formats.markdown import markdown
    from sttk.toolkit.io.files import write_together
    from sttk.toolkit.io.json_text import dumps

    folder = options["output"]
    if not folder:
        return
    command = " ".join(["sttk", *sys.argv[1:]])
    charts = draw(results)
    drawn = {name: chart.svg for name, chart in charts.items()}
    texts = {
        "bench.json": dumps(results.to_dict()),
        "bench.md": markdown(results, command, drawn),
        "bench.html": html(results, command, drawn),
        **{f"{name}.svg": text for name, text in drawn.items()},
    }
    pictures = {f"{name}.png": chart.png for name, chart in charts.items()}
    files = {**{name: text.encode() for name, text in texts.items()}, **pictures}
    write_together({folder / name: data for name, data in files.items()})


def _report(results: Results, old: Results | None, options: dict[str, Any]) -> None:
    """Print; then fail if a row is slower than it may be, or gone."""
    from sttk.benchmarks import peers
    from sttk.benchmarks.compare import changes
    from sttk.benchmarks.formats.terminal import say, show
    from sttk.toolkit.io.console import print_json

    found = changes(results, old) if old else []
    if options["as_json"]:
        print_json({**results.to_dict(), "changes": [asdict(each) for each in found]})
    else:
        show(results)
        if not options["peers"]:
            say(peers.hint())
    if old:
        _judge(results, old, found, options)


def _judge(results: Results, old: Results, found: list[Change], options: dict[str, Any]) -> None:
    from sttk.benchmarks.compare import changed_software, gone, slower
    from sttk.benchmarks.formats.terminal import show_changes

    lost = gone(results, old)
    if not found and not lost:
        raise UsageError("the two results have no row in common")
    allowed = options["allowed"] or 0.0
    if not options["as_json"]:
        show_changes(found, lost, changed_software(results, old), allowed)
    if options["allowed"] is None:
        return
    if lost:
        raise SlowerError(f"{lost[0].case} ran then, and not now: {lost[0].not_run}")
    if late := slower(found, allowed):
        raise SlowerError(
            f"{len(late)} of {len(found)} rows are slower by more than {allowed:.0%}: "
            f"{late[0].case} by {late[0].ratio - 1:.0%}"
        )


def _self_test(as_json: bool) -> None:
    from sttk.benchmarks.self_test import self_test
    from sttk.toolkit.io.console import print_json

    found = list(self_test())
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        for each in found:
            click.echo(f"{'pass' if each.passed else 'FAIL'}  {each.name}: {each.said}")
    failed = [each.name for each in found if not each.passed]
    if failed:
        raise SlowerError(f"the stopwatch cannot be trusted: {'; '.join(failed)}")
