from __future__ import annotations

import click
import pytest

from sttk import __version__, cli
from sttk.toolkit.core.errors import MissingExtraError, SttkError, UsageError
from tests.starts import starts


def test_help_is_quick_and_leaves_torch_alone():
    program = "import sys; from sttk.cli import cli; cli(['--help'], standalone_mode=False);"
    program += "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    # Python with click is 2 starts of Python, this is 3; numpy would be 3 more, rich 4. Where a
    # start takes 0.04 s, the 0.3 s that are promised are 7.
    assert starts(program) < 6


def test_the_help_names_the_commands(sttk):
    text = sttk("--help").stdout
    assert [name for name in cli.COMMANDS if name not in text] == []


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_is_there_under_its_summary(name, sttk):
    command = cli.cli.get_command(click.Context(cli.cli), name)
    assert command.name == name
    assert command.get_short_help_str(limit=100) == cli.COMMANDS[name]
    assert sttk(name, "--help").exit_code == 0


def test_version(sttk):
    assert __version__ in sttk("--version").output


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (SttkError("it broke", fix="mend it"), 1, "error: it broke (mend it) [failed]"),
        (UsageError("wrong\n  input"), 2, "error: wrong input [usage]"),
        (MissingExtraError("onnx", "onnx"), 3, "pip install 'sttk[onnx]') [missing-extra]"),
        (
            ZeroDivisionError("by 0"),
            70,
            "a bug in sttk: ZeroDivisionError: by 0 (sttk --debug ... shows the traceback) [bug]",
        ),
        (KeyboardInterrupt(), 130, "error: interrupted [interrupted]"),
        (
            OSError(28, "No space left on device"),
            1,
            "error: No space left on device: output [system]",
        ),
        (cli.Terminated(), 143, "error: terminated [interrupted]"),
        (
            type("_ArrayMemoryError", (MemoryError,), {})(),
            1,
            "error: out of memory [memory]",
        ),
    ],
)
def test_errors_are_one_line_and_an_exit_code(error, code, line, sttk, monkeypatch):
    @click.command()
    def broken() -> None:
        raise error

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: broken)
    result = sttk("styles")
    assert result.exit_code == code
    assert line in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_usage_errors_are_one_line_too(sttk):
    for arguments in (["none"], ["export", "--size", "big"], ["--none"], ["stylize"]):
        result = sttk(*arguments)
        assert result.exit_code == 2
        assert len(result.stderr.splitlines()) == 1, result.stderr
        assert "--help" in result.stderr


def test_a_name_too_long_is_one_line(sttk):
    for command in ("export", "parity"):
        result = sttk(command, "x" * 300)
        assert result.exit_code == 1
        assert result.stderr.startswith("error: File name too long")
        assert len(result.stderr.splitlines()) == 1


def test_control_characters_do_not_reach_the_terminal(sttk):
    assert "\x1b" not in sttk("export", "\x1b]0;owned\x07").stderr


def test_debug_keeps_the_traceback_and_the_exit_code(sttk, monkeypatch):
    @click.command()
    def broken() -> None:
        raise UsageError("wrong")

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: broken)
    result = sttk("--debug", "styles")
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
    assert "error: wrong" in result.stderr
