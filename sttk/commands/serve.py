"""``sttk serve``."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sttk.toolkit.core.errors import UsageError

if TYPE_CHECKING:
    from sttk.toolkit.artifact.search import Entry

_ROOT = Path("artifacts")


@click.command(short_help="Serve a page that runs a style in browsers.")
@click.argument(
    "folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path, file_okay=False)
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to serve on; another one lets the network see the page.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8764,
    show_default=True,
    help="Port; 0 takes a free one.",
)
def serve(folder: Path | None, host: str, port: int) -> None:
    """Serve DIR, an artifact of the target web, until Ctrl-C.

    Without DIR, the only page below artifacts/ is served. It is sent with the headers that threads
    in WebAssembly need. No picture leaves the browser.
    """
    from sttk.toolkit.web.server import serving

    chosen = folder or _only()
    _check(chosen)
    with serving(chosen, host, port) as server:
        try:
            click.echo(f"{server.url}: {chosen}; Ctrl-C ends it")
            threading.Event().wait()
        except KeyboardInterrupt as error:
            if type(error) is not KeyboardInterrupt:
                raise  # SIGTERM


def _only() -> Path:
    from sttk.toolkit.artifact.search import search

    found = [entry.folder for entry in search(_ROOT) if _is_page(entry)]
    if len(found) != 1:
        listed = ": " + ", ".join(map(str, found)) if found else ""
        raise UsageError(
            f"{_ROOT}/ holds {len(found)} pages{listed}",
            fix="name the folder of one" if found else "make one with 'sttk export --target web'",
        )
    return found[0]


def _check(folder: Path) -> None:
    if not (folder / "index.html").is_file():
        raise UsageError(
            f"{folder}: no index.html here", fix="make a page with 'sttk export --target web'"
        )


def _is_page(entry: Entry) -> bool:
    """Return whether an artifact is a whole page, not one of the styles within it."""
    from sttk.toolkit.core.errors import ArtifactError
    from sttk.toolkit.web.page import FACTS

    whole = not isinstance(entry.content, ArtifactError)
    return whole and (entry.folder / FACTS).is_file()
