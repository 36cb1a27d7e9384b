"""What docs/ says is so: its commands run, its links lead somewhere, every command has a page."""

from __future__ import annotations

import pytest

from sttk.cli import COMMANDS, PLAIN_CODES
from sttk.exporters import names
from sttk.toolkit.core.errors import SttkError
from tests.docs import edits, pages

_NAMES = pages.names()


def _blocks(name: str) -> list[pages.Block]:
    """What there is to do: commands to run, files to write and to change."""
    return [each for each in pages.blocks(pages.read(name)) if each.runs or each.file]


def _plain() -> list[str]:
    names = [name for name in _NAMES if not name.startswith("extend/")]
    return [name for name in names if any(block.runs for block in _blocks(name))]


def _follow(name, shell, sttk, packages, folder):
    for block in _blocks(name):
        if block.file:
            edits.edit(block, packages, folder)
        for command in pages.commands(block) if block.runs else ():
            shell(command, sttk, packages)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", _plain())
def test_its_commands_run(name, shell, warm, folder):
    _follow(name, shell, warm, pages.ROOT, folder)


@pytest.mark.nightly
@pytest.mark.parametrize("name", [name for name in _NAMES if name.startswith("extend/")])
def test_what_is_added_as_the_page_says_works(name, shell, cold, packages, folder):
    edits.edit_as_before(name, packages, folder)
    _follow(name, shell, cold, packages, folder)


@pytest.mark.parametrize("name", _NAMES)
def test_every_block_has_a_tag_that_is_known(name):
    for block in pages.blocks(pages.read(name)):
        assert block.tag in pages.TAGS, block
        if block.tag == "sh":
            assert "not run" in " ".join(block.before.lower().split()), block
        if block.runs:
            assert list(pages.commands(block)), block


@pytest.mark.parametrize("name", _NAMES)
def test_its_links_lead_somewhere(name):
    for link in pages.links(pages.read(name)):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        file = (pages.DOCS / name).parent / path if path else pages.DOCS / name
        assert file.exists(), link
        if anchor:
            assert anchor in pages.anchors(file.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("name", [*sorted(COMMANDS)])
def test_every_command_has_its_page(name):
    assert pages.read(f"commands/{name}.md").startswith(f"# sttk {name}\n")
    assert f"](commands/{name}.md)" in pages.read("README.md")


def _codes(kind=SttkError):
    """Of an error and of all below it."""
    return {kind.code}.union(*(_codes(below) for below in kind.__subclasses__()))


@pytest.mark.parametrize("code", sorted(_codes() | set(PLAIN_CODES)))
def test_every_code_has_its_page(code):
    assert pages.read(f"diagnostics/{code}.md").startswith(f"# [{code}]\n")
    assert f"](diagnostics/{code}.md)" in pages.read("README.md")


@pytest.mark.parametrize("name", names())
def test_every_target_has_its_page(name):
    assert pages.read(f"targets/{name}.md").startswith(f"# {name}")
    assert f"](targets/{name}.md)" in pages.read("README.md")


def test_every_page_can_be_reached_from_the_index():
    index = pages.links(pages.read("README.md"))
    assert {name for name in _NAMES if name != "README.md"} <= set(index)


def test_a_command_ends_where_its_output_begins():
    text = "```console checked\n$ one \\\n  two  # exit code 3\nsaid … twice\n...\n$ three\n```\n"
    (block,) = pages.blocks(text)
    assert list(pages.commands(block)) == [
        pages.Command("one    two", (3,), ("said … twice",)),
        pages.Command("three"),
    ]


def test_what_is_not_printed_is_missed():
    output = "a   table of 3 rows\nlast\n"
    assert pages.missing(("a table of … rows", "last"), output) is None
    assert pages.missing(("last", "a table of … rows"), output) == "a table of … rows"
    assert pages.missing(("table",), output) == "table"
