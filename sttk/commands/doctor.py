"""``sttk doctor``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from sttk.commands.options import json_option
from sttk.toolkit.core.errors import SttkError


@click.command(short_help="Show what this machine can do.")
@click.option(
    "--require",
    "required",
    multiple=True,
    metavar="NAME",
    help="Fail unless a target, an extra or cuda can be used here; repeatable.",
)
@json_option
def doctor(required: tuple[str, ...], as_json: bool) -> None:
    """Show versions, CPU, memory and CUDA devices, and which targets can be used here.

    Library versions that are known to fail together are listed with the fix. The exit code is 1 if
    something required is missing.
    """
    from sttk import exporters
    from sttk.toolkit.io.console import print_json
    from sttk.toolkit.targets.abilities import missing
    from sttk.workflows.doctor import examine

    absent = missing(required, exporters.names())
    found = examine()
    if as_json:
        print_json({**found, "missing": absent})
    else:
        for line in _lines(found):
            click.echo(line)
    if absent:
        raise SttkError(f"required and not here: {'; '.join(absent)}")


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"sttk {found['sttk']}, Python {found['python']}, {found['platform']}"
    yield _cpu(found["cpu"])
    yield _memory(found["memory"])
    yield from map(_gpu, found["cuda"])
    if not found["cuda"]:
        yield "CUDA: no device"
    yield "libraries"
    width = max(len(library["name"]) for library in found["libraries"])
    for library in found["libraries"]:
        yield f"  {library['name']:<{width}}  {_version(library)}"
    yield "targets"
    for target in found["targets"]:
        yield f"  {target['target']}: export {target['export']}, run {target['run']}"
    for text in found["broken"]:
        yield f"broken: {text}"
    yield from map(_pair, found["known_bad"])


def _cpu(cpu: dict[str, Any]) -> str:
    cores = f"{cpu['cores']} cores, " if cpu["cores"] else ""
    return ", ".join([f"CPU: {cpu['name']}, {cores}{cpu['threads']} threads", *cpu["features"]])


def _memory(memory: dict[str, Any]) -> str:
    total, free = (
        f"{memory[key] / 1e9:.1f} GB" if memory[key] else "unknown"
        for key in ("bytes", "available")
    )
    return f"memory: {total}, {free} available"


def _gpu(gpu: dict[str, Any]) -> str:
    return (
        f"CUDA: {gpu['name']}, compute capability {gpu['compute_capability']}, "
        f"driver {gpu['driver']}"
    )


def _version(library: dict[str, Any]) -> str:
    if library["version"] is None:
        return f"absent: {library['fix']}"
    if library["good"]:
        return str(library["version"])
    return f"{library['version']}, wanted {library['wanted']}: {library['fix']}"


def _pair(pair: dict[str, Any]) -> str:
    other = f" with {pair['other']} {pair['other_versions']}" if pair["other"] else ""
    return (
        f"known: {pair['library']} {pair['versions']}{other}: {pair['happens']}\n"
        f"  {pair['fix']} [{pair['source']}]"
    )
