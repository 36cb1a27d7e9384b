"""A page of docs/ as its test reads it: fenced blocks, commands, edits, links.

Conventions:

``console``
    Lines that begin with ``$ `` are commands and are run; a backslash at the end continues one.
    ``# exit code N`` at a command's end is the exit code that it must have (``N or M``: where it
    depends on the machine). Other lines are what
    it prints. They are there for the reader; in a block tagged ``console checked`` each of them
    has to be printed, in this order, where ``…`` stands for anything and a line ``...`` for lines
    left out.
``sh``
    Commands that are not run; the paragraph before says that they are not, and why.
``New file `PATH`:`` and ``In `PATH`:``
    Before a block, in docs/extend: the file to write, and the file to change by the ``diff``
    block, whose lines begin with a space (there), a minus (goes) or a plus (comes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TAGS = {
    "console", "console checked", "sh", "python", "swift", "cpp", "kotlin", "json", "yaml", "text",
    "markdown", "diff", "toml",
}  # fmt: skip

_FENCE = re.compile(r"^(`{3,})([^\n`]*)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"\s*# exit code (\d+)(?: or (\d+))?$")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_FILE = re.compile(r"^(New file|In) `([^`]+)`[^\n]*:$")


@dataclass(frozen=True)
class Block:
    """A fenced block: its tag, what is in it, and the last line of text before it."""

    tag: str
    text: str
    before: str

    @property
    def runs(self) -> bool:
        return self.tag.startswith("console")

    @property
    def file(self) -> tuple[str, str] | None:
        """``New file`` or ``In``, and the path."""
        found = _FILE.match(self.before.splitlines()[-1]) if self.before else None
        return (found[1], found[2]) if found else None


@dataclass(frozen=True)
class Command:
    """What is typed, its exit code, and the lines that it has to print."""

    line: str
    exit_codes: tuple[int, ...] = (0,)
    expected: tuple[str, ...] = ()


def names() -> list[str]:
    """Of all pages, by their path within docs/."""
    return sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def blocks(text: str) -> Iterator[Block]:
    for found in _FENCE.finditer(text):
        paragraphs = [each.strip() for each in text[: found.start()].split("\n\n")]
        before = [each for each in paragraphs if each]
        yield Block(found[2].strip(), found[3], before[-1] if before else "")


def commands(block: Block) -> Iterator[Command]:
    """The commands of a ``console`` block."""
    text = block.text.replace("\\\n", " ")
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, *printed = part.splitlines()
        code = _EXIT.search(line)
        line = line[: code.start()] if code else line
        shown = tuple(each for each in printed if each.strip() not in ("", "..."))
        checked = shown if block.tag == "console checked" else ()
        codes = tuple(int(each) for each in code.groups() if each) if code else (0,)
        yield Command(line.strip(), codes, checked)


def missing(expected: tuple[str, ...], output: str) -> str | None:
    """The first of the lines that is not in the output, or not in this order."""
    lines = iter([" ".join(line.split()) for line in output.splitlines()])
    for wanted in expected:
        parts = [re.escape(" ".join(part.split())) for part in wanted.split("…")]
        pattern = re.compile(r"\s?.*?\s?".join(parts))
        if not any(pattern.fullmatch(line) for line in lines):
            return wanted
    return None


def change(content: str, diff: str) -> str:
    """The text with a ``diff`` block of one place applied, which must be there once."""
    lines = [line or " " for line in diff.splitlines()]
    old = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
    new = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
    assert content.count(old) == 1, f"{content.count(old)} times in the file:\n{old}"
    return content.replace(old, new)


def links(text: str) -> list[str]:
    """Targets of links, code left out."""
    prose = re.sub(r"`[^`\n]+`", lambda code: "_" * len(code[0]), _FENCE.sub("", text))
    return _LINK.findall(prose)


def anchors(text: str) -> set[str]:
    """Of the headings, as GitHub names them."""
    heads = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}
