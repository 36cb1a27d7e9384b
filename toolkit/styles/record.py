"""A shipped style's figures, into its card and its page."""

from __future__ import annotations

from typing import Any

from toolkit import styles
from toolkit.checkpoints.native import write_card
from toolkit.files import write_atomic
from toolkit.styles.page import with_facts


def record(name: str, card: dict[str, Any]) -> None:
    """Write ``card`` into the net's file, and what it says into ``NAME.md``.

    Raises:
        CheckpointError: the net's file cannot be read.
    """
    write_card(styles.folder() / f"{name}.safetensors", card)
    page = styles.folder() / f"{name}.md"
    text = page.read_text(encoding="utf-8") if page.exists() else f"# {name}\n"
    write_atomic(page, with_facts(text, card).encode())
