"""The painting of a model card, looked up in the user's folders: the package ships none."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.imaging.images import Picture, read_image, write_image
from sttk.toolkit.io.files import sha256

# The card's key for a painting that was cut out of another file: ``{"file": ..., "sha256": ...,
# "box": [left, top, right, bottom]}``, in pixels.
CUT = "painting_cut"


def find_painting(card: dict[str, Any], folders: Iterable[Path], scratch: Path) -> Path:
    """Return the file that the net was trained on, identified by its digest.

    Args:
        card: the net's model card.
        folders: the folders to search for the painting.
        scratch: a folder for the picture that is written if the painting is a part of a file.

    Raises:
        UsageError: none of the folders has the painting, or only another file of its name.
    """
    cut = card.get(CUT)
    if cut is None:
        return _known(card["painting"], card["painting_sha256"], folders)
    whole = _known(cut["file"], cut["sha256"], folders)
    left, top, right, bottom = cut["box"]
    path = scratch / f"{Path(card['painting']).stem}.png"
    write_image(path, Picture(read_image(whole).rgb[top:bottom, left:right]))
    return path


def title(card: dict[str, Any]) -> str:
    """Return the painting's title: the stem of its file, or of the file that it was cut from."""
    return Path(card.get(CUT, {}).get("file", card["painting"])).stem


def _known(name: str, digest: str, folders: Iterable[Path]) -> Path:
    files = [folder / name for folder in folders if (folder / name).is_file()]
    if not files:
        raise UsageError(f"{name}: in none of the folders of paintings")
    for file in files:
        if sha256(file) == digest:
            return file
    raise UsageError(f"{files[0]}: not the painting of the card", fix=f"its sha256 is {digest}")
