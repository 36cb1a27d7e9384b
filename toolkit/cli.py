"""The ``sttk`` command. Names and import strings only: a command is imported when it is called."""

from __future__ import annotations

import importlib
import sys
from typing import Any, NamedTuple

import click

from toolkit import __version__
from toolkit.errors import SttkError


class _Entry(NamedTuple):
    target: str
    summary: str


COMMANDS: dict[str, _Entry] = {
    "export": _Entry("exporters.commands.export:export", "Export a style net to a target."),
    "parity": _Entry(
        "exporters.commands.parity:parity", "Prove that an artifact is its PyTorch reference."
    ),
    "stylize": _Entry("toolkit.commands.stylize:stylize", "Stylise a photograph."),
    "styles": _Entry("toolkit.commands.styles:styles", "List the styles that sttk ships."),
    "train": _Entry("toolkit.commands.train:train", "Train a style net on a painting."),
}

_EPILOG = """\b
Exit codes: 0 done; 1 it failed; 2 wrong usage or unreadable input;
3 something required could not run here; 70 a bug in sttk; 130 interrupted."""


class Failure(click.ClickException):
    """An error as the terminal shows it: one line, and an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(" ".join(message.split()))
        vars(self)["exit_code"] = exit_code  # a class attribute of click's

    def show(self, file: Any = None) -> None:
        """Print to standard error."""
        click.echo(f"error: {self.message}", err=True, file=file)


class LazyGroup(click.Group):
    """A group that imports a command when it is called, and turns errors into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """In the order of ``COMMANDS``: the daily ones first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].target.split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """From the table, so that ``--help`` imports nothing."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; with ``--debug``, errors keep their traceback."""
        if ctx.params.get("debug"):
            return super().invoke(ctx)
        try:
            return super().invoke(ctx)
        except SttkError as error:
            raise Failure(str(error), error.exit_code) from error
        except (click.ClickException, click.exceptions.Exit, click.Abort, EOFError):
            raise
        except KeyboardInterrupt:
            raise Failure("interrupted", 130) from None
        except Exception as error:
            text = f"a bug in sttk: {type(error).__name__}: {error}"
            raise Failure(f"{text} (sttk --debug ... shows the traceback)", 70) from error


@click.group(
    cls=LazyGroup, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="sttk")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def cli(debug: bool) -> None:
    """Style Transfer ToolKit: style nets from PyTorch to phones, edge boxes and GPUs."""


def main() -> None:
    """Entry point of the console script."""
    sys.exit(cli(prog_name="sttk"))
