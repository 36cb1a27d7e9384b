"""``sttk export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exporters import TARGETS
from toolkit.commands.options import SIZE, json_option
from toolkit.contract import PRECISIONS, Size
from toolkit.errors import UsageError

if TYPE_CHECKING:
    from exporters.base import Request

_DEFAULT_SIZE = (512, 512)


@click.command(short_help="Export a style net to a target.")
@click.argument("style", required=False)
@click.option(
    "--target", type=click.Choice(list(TARGETS)), default="onnx", show_default=True, help="Format."
)
@click.option(
    "--size", "sizes", type=SIZE, multiple=True, help="N or HxW; repeatable.  [default: 512]"
)
@click.option("--dynamic", is_flag=True, help="One model for any size and batch.")
@click.option("--opset", type=int, default=18, show_default=True, help="ONNX opset.")
@click.option(
    "--simplify/--no-simplify", default=True, show_default=True, help="Run onnxsim, checked."
)
@click.option("--precision", type=click.Choice(PRECISIONS), help="Of the model.  [default: fp32]")
@click.option("--half", is_flag=True, help="The same as --precision fp16.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("artifacts"),
    show_default=True,
    help="Root of the artifact folders.",
)
@json_option
def export(
    style: str | None,
    target: str,
    sizes: tuple[Size, ...],
    dynamic: bool,
    opset: int,
    simplify: bool,
    precision: str | None,
    half: bool,
    output: Path,
    as_json: bool,
) -> None:
    """Export STYLE, a shipped style or a checkpoint file (default: ink).

    Each artifact is a folder OUTPUT/STYLE/TARGET-PRECISION-SIZE with the model and its
    manifest.json. 'sttk parity' proves it, 'sttk stylize --artifact' uses it.
    """
    if half and precision == "fp32":
        raise UsageError("--half is --precision fp16, and --precision fp32 is given")
    if dynamic and sizes:
        raise UsageError("--dynamic takes any size; --size fixes one: give one of them")
    from exporters.base import Request
    from toolkit import styles

    net = styles.find(style or styles.DEFAULT)
    chosen: list[Size | None] = [None] if dynamic else [*(dict.fromkeys(sizes) or [_DEFAULT_SIZE])]
    requests = [
        Request(net, "fp16" if half else precision or "fp32", size, opset, simplify)  # type: ignore[arg-type]
        for size in chosen
    ]
    _report(_export(target, requests, output), as_json)


def _export(target: str, requests: list[Request], root: Path) -> list[Path]:
    from exporters.artifact import folder_name, make_artifact
    from toolkit.console import progress

    folders = []
    with progress(f"export to {target}", total=len(requests)) as update:
        for done, request in enumerate(requests):
            update(done, folder_name(target, request))
            folders.append(make_artifact(target, request, root))
    return folders


def _report(folders: list[Path], as_json: bool) -> None:
    from toolkit.console import print_json

    facts = [_facts(folder) for folder in folders]
    if as_json:
        print_json(facts)
        return
    for fact in facts:
        click.echo(f"{fact['artifact']}: {fact['model']}, {fact['bytes'] / 1e6:.1f} MB")
    click.echo("next: sttk parity " + " ".join(str(folder) for folder in folders))


def _facts(folder: Path) -> dict[str, Any]:
    from toolkit.manifest import read_manifest

    manifest = read_manifest(folder)
    size = (folder / manifest.model).stat().st_size
    return {"artifact": str(folder), "model": manifest.model, "bytes": size}
