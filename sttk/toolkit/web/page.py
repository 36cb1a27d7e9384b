"""The description of a web page in ``page.json``: its styles and the paths of their models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sttk.toolkit.core.errors import ArtifactError
from sttk.toolkit.core.shapes import Shapes, Size
from sttk.toolkit.io.json_text import read_json

FACTS = "page.json"
# The folder of the artifacts of further styles that a page offers.
STYLES = "styles"
# JavaScript that waits until a page has started, and returns null or the reason of a failure.
STARTED = 'async () => (await import("./app.js")).started'
_MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Part:
    """One style of a page.

    Attributes:
        page: the folder of the page, which is served.
        style: the style's name in the page's engine.
        model: the name of its ONNX file, next to its ``index.html``.
        size: the (height, width) of its input; None for any.
    """

    page: Path
    style: str
    model: str
    size: Size | None


def part_of(model: Path) -> Part:
    """Return the style of an ``index.html``, which is a page's own or that of a further style.

    Raises:
        ArtifactError: the file is not in a page that sttk exported.
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
        listed = read_json(facts, _MAX_BYTES)["styles"]
        found = [style for style in listed if style["folder"] == folder]
        if len(found) != 1:
            raise ValueError(f"{folder or 'its own style'} is in it {len(found)} times")
        name, model, size = (found[0][key] for key in ("name", "model", "size"))
        shapes = Shapes.fixed(*size) if size is not None else Shapes.any()
        return Part(page, str(name), str(model), shapes.only)
    except (OSError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ArtifactError(f"{facts}: not a page's ({reason})", fix="export it again") from error
