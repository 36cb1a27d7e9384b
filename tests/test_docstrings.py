"""Docstrings are sentences, and what they say of an argument can be understood alone."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import sttk

ROOT = Path(sttk.__file__).parent
_PREPOSITIONS = "of|that|to|in|as|with|without|by|for|from|on|at|where|whose|which|under|over|than"
_FRAGMENT = re.compile(rf"(?:{_PREPOSITIONS})\b", re.IGNORECASE)
_SECTION = re.compile(r"(Args|Attributes|Returns|Raises|Yields):$")
_ENTRY = re.compile(r"    ([\w, *`]+): (.*)$")
_KINDS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def docstrings():
    for file in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, _KINDS) and (text := ast.get_docstring(node)):
                yield f"{file.relative_to(ROOT)}: {getattr(node, 'name', 'module')}", text


def entries(text):
    """What is said of each argument and attribute."""
    section = ""
    for line in text.splitlines():
        if found := _SECTION.match(line):
            section = found[1]
        elif section in ("Args", "Attributes") and (entry := _ENTRY.match(line)):
            yield entry[1], entry[2]


def test_a_docstring_does_not_begin_with_a_preposition():
    assert [name for name, text in docstrings() if _FRAGMENT.match(text)] == []


def test_no_argument_is_described_by_a_fragment():
    found = [
        (name, argument)
        for name, text in docstrings()
        for argument, said in entries(text)
        if _FRAGMENT.match(said)
    ]
    assert found == []


def test_a_fragment_is_found():
    text = "Of a net.\n\nArgs:\n    net: of a style.\n    size: the size."
    assert _FRAGMENT.match(text)
    assert [bool(_FRAGMENT.match(said)) for _, said in entries(text)] == [True, False]
