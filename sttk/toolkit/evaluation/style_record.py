"""Writing the figures of a shipped style into its card and its page."""

from __future__ import annotations

from typing import Any

from sttk.toolkit import styles
from sttk.toolkit.checkpoints.native import write_card
from sttk.toolkit.evaluation.style_page import with_facts
from sttk.toolkit.io.files import write_atomic


def record(name: str, card: dict[str, Any]) -> None:
    """Write ``card`` into the net's file, and its content into ``NAME.md``.

    Raises:
        CheckpointError: the net's file cannot be read.
    """
    write_card(styles.folder() / f"{name}.safetensors", card)
    page = styles.folder() / f"{name}.md"
    text = page.read_text(encoding="utf-8") if page.exists() else f"# {name}\n"
    write_atomic(page, with_facts(text, card).encode())
