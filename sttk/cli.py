"""The ``sttk`` command, which knows its subcommands by name and imports them when called."""

from __future__ import annotations

import errno
import importlib
import re
import signal
import sys
import time
import traceback
from typing import Any

import click

from sttk.toolkit.core.errors import SttkError, UsageError
from sttk.toolkit.core.guessing import listening
from sttk.toolkit.core.version import VERSION
from sttk.toolkit.host.signals import ONE_SIGNAL
from sttk.toolkit.io.text import printable
from sttk.workflows.guesses import Guesses

# A command is a function in the module of its name in ``sttk/commands``; the most used come first.
COMMANDS = {
    "export": "Export a style net to a target.",
    "parity": "Prove that an artifact equals its PyTorch reference.",
    "mutants": "Test the parity gate with faulty models.",
    "precision": "Search for the cheapest plan that holds a floor.",
    "bench": "Measure how fast a style is, and against what.",
    "devices": "List the devices that parity can run models on.",
    "tune": "Choose an artifact's settings by measurement, on this machine.",
    "verify": "Check that artifacts are what was exported.",
    "inspect": "Show what a file or an artifact is.",
    "stylize": "Stylise photographs.",
    "video": "Stylise a video, with its sound.",
    "camera": "Stylise a camera's picture, live, on a web page.",
    "serve": "Serve a page that runs a style in browsers.",
    "sheet": "Show a photograph in every style, on one sheet.",
    "styles": "List the styles that sttk ships.",
    "train": "Train a style net on a painting.",
    "gatys": "Stylise one picture by optimisation, as Gatys et al. did.",
    "reconstruct": "Show what VGG's layers keep of a picture.",
    "doctor": "Show what this machine can do.",
}

_EPILOG = """\b
Exit codes: 0 done; 1 it failed; 2 wrong usage or unreadable input;
3 something required could not run here; 70 a bug in sttk; 130 interrupted;
143 terminated. An error's line ends with its code, such as [image], which has a
page: docs/diagnostics/image.md."""


class Failure(click.ClickException):
    """An error as the terminal shows it: one line that ends with its code, and an exit code."""

    def __init__(self, message: str, code: str, exit_code: int) -> None:
        super().__init__(f"{_shortened(' '.join(message.split()))} [{code}]")
        vars(self)["exit_code"] = exit_code  # a class attribute of click's

    def show(self, file: Any = None) -> None:
        """Print the error to standard error."""
        click.echo(f"error: {printable(self.message)}", err=True, file=file)


def _shortened(line: str) -> str:
    """Cut the middle out of a long line: the cause comes first, and the fix last."""
    return line if len(line) <= 1600 else f"{line[:1200]} ... {line[-300:]}"


class LazyGroup(click.Group):
    """A group that imports a command when it is called, and turns errors into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the order of ``COMMANDS``, the most used first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"sttk.commands.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the commands from the table, so that ``--help`` imports nothing."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Make click's context; a wrong option of the group itself is reported in one line, too."""
        try:
            return super().make_context(*args, **options)
        except click.UsageError as error:
            raise _failure(error) from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error becomes one line, after its traceback with ``--debug``."""
        try:
            return super().invoke(ctx)
        except (Failure, click.exceptions.Exit, click.Abort):
            raise
        except BaseException as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise  # the reader of our output has gone; click exits quietly
            if ctx.params.get("debug"):
                traceback.print_exception(error)
            raise _failure(error) from error


class Terminated(KeyboardInterrupt):
    """Raised on SIGTERM: code that cleans up or saves a state on Ctrl-C does so for it, too."""


# Errors that are not sttk's own: message, code and exit code. Subclasses come before their base
# classes; numpy has a MemoryError of its own.
_PLAIN: dict[type[BaseException], tuple[str, str, int]] = {
    Terminated: ("terminated", "interrupted", 143),
    KeyboardInterrupt: ("interrupted", "interrupted", 130),
    MemoryError: ("out of memory", "memory", 1),
}
# The codes in brackets at the ends of lines that are not in sttk.toolkit.core.errors.
PLAIN_CODES = ("memory", "system", "bug")
# Messages of torch and of the dynamic linker in exceptions of other types.
_OUT_OF_MEMORY = re.compile(
    r"can(no|')t allocate memory|not enough memory|out of memory|bad_alloc|failed to map segment"
    r"|can't start new thread",
    re.IGNORECASE,
)


def _is_out_of_memory(error: BaseException) -> bool:
    kinds = RuntimeError, ImportError
    return isinstance(error, kinds) and bool(_OUT_OF_MEMORY.search(str(error)))


def _failure(error: BaseException) -> Failure:
    if isinstance(error, SttkError):
        return Failure(str(error), error.code, error.exit_code)
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "sttk"
        text = f"{error.format_message()} (see '{path} --help')"
        return Failure(text, UsageError.code, error.exit_code)
    if isinstance(error, click.ClickException):
        return Failure(error.format_message(), SttkError.code, error.exit_code)
    if _is_out_of_memory(error):
        error = MemoryError()
    for kind, known in _PLAIN.items():
        if isinstance(error, kind):
            return Failure(*known)
    if isinstance(error, OSError):
        text = f"{error.strerror or error}: {error.filename or 'output'}"
        return Failure(text, "system", 1)
    text = f"a bug in sttk: {type(error).__name__}: {error}"
    return Failure(f"{text} (sttk --debug ... shows the traceback)", "bug", 70)


@click.group(
    cls=LazyGroup, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(VERSION, prog_name="sttk")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:  # noqa: ARG001 (see invoke)
    """Style Transfer ToolKit: style nets from PyTorch to phones, edge boxes and GPUs."""
    context.with_resource(listening(Guesses(context)))


def main() -> None:
    """Run the command line; the entry point of the console script."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _Terminator())
    sys.exit(cli(prog_name="sttk"))


class _Terminator:
    """A signal handler that raises once for a burst of signals, lest the second stop a clean-up."""

    def __init__(self) -> None:
        self._last = -ONE_SIGNAL

    def __call__(self, *_: object) -> None:
        now = time.monotonic()
        if now - self._last >= ONE_SIGNAL:
            self._last = now
            raise Terminated
