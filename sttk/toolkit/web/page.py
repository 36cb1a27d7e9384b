"""What a page says of itself in ``page.json``: its styles, and where their models lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sttk.toolkit.core.errors import ArtifactError
from sttk.toolkit.core.shapes import Shapes, Size
from sttk.toolkit.io.json_text import read_json

FACTS = "page.json"
# Styles that a page offers beside its own are artifacts in folders of this folder.
STYLES = "styles"
# JavaScript that waits until an open page has started: for null, or for why it cannot.
STARTED = 'async () => (await import("./app.js")).started'
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Part:
    """One style of a page.

    Attributes:
        page: the folder of the page: what is served.
        style: the style's name, by which the page's engine knows it.
        model: name of its ONNX file, beside its ``index.html``.
        size: (height, width) of what it takes, or None for any.
    """

    page: Path
    style: str
    model: str
    size: Size | None


def part_of(model: Path) -> Part:
    """The page and the style that a ``index.html`` stands for: a page's own, or one within it.

    Raises:
        ArtifactError: there is no page of sttk's around it.
    """
    folder = model.resolve().parent
    for page in (folder, folder.parent.parent):
        if (page / FACTS).is_file():
            inside = folder.relative_to(page).as_posix()
            return _part(page, "" if inside == "." else inside)
    raise ArtifactError(
        f"{model}: no page of sttk's: no {FACTS} here",
        fix="make one with 'sttk export --target web'",
    )


def _part(page: Path, folder: str) -> Part:
    facts = page / FACTS
    try:
        listed = read_json(facts, _MOST_BYTES)["styles"]
        found = [style for style in listed if style["folder"] == folder]
        if len(found) != 1:
            raise ValueError(f"{folder or 'its own style'} is in it {len(found)} times")
        name, model, size = (found[0][key] for key in ("name", "model", "size"))
        shapes = Shapes.fixed(*size) if size is not None else Shapes.any()
        return Part(page, str(name), str(model), shapes.only)
    except (OSError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ArtifactError(f"{facts}: not a page's ({reason})", fix="export it again") from error
