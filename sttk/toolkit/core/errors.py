"""The tree of sttk's errors. Each is one line for a person and an exit code for a script.

The line ends with the error's ``code`` in brackets, which names its page in
``docs/diagnostics/``.

SttkError                 1   something asked for could not be done
+-- UsageError            2   the command line, or an input file, is wrong
|   +-- CheckpointError   2   a checkpoint that cannot be read or is not known
|   +-- ImageError        2   a picture that cannot be read or is out of bounds
|   +-- VideoError        2   a video or camera that cannot be read, or cannot be written so
|   +-- ArtifactError     2   an artifact or manifest that is missing, broken or does not match
+-- ExportError           1   the exporter failed or its output is not valid
+-- TrainingError         1   training cannot start or has diverged
+-- RunError              1   a runtime refused or failed to run a model
+-- ParityError           1   an exported model is not the same function as its reference
+-- VerifyError           1   an artifact is not what was exported, or not proven
+-- IncompleteError       1   some of several inputs failed; the rest is done
+-- StoppedError        130   stopped on request, 143 by SIGTERM; what was done is kept
+-- SlowerError           1   a benchmark is slower than it may be, or its stopwatch is not right
+-- NotRunError           3   something required could not be run here
    +-- MissingExtraError 3   an optional library is not installed
        +-- BrokenExtraError 3  it is installed, and fails to be imported
"""

from __future__ import annotations

import signal


class SttkError(Exception):
    """The base of all errors that sttk raises on purpose.

    Args:
        message: what went wrong, in one line.
        fix: what the user can do about it, in one line.
    """

    exit_code = 1
    code = "failed"

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message} ({self.fix})" if self.fix else self.message


class UsageError(SttkError):
    """The command line or an input file is wrong."""

    exit_code = 2
    code = "usage"


class CheckpointError(UsageError):
    """A checkpoint cannot be read, or its layout is not known."""

    code = "checkpoint"


class ImageError(UsageError):
    """A picture cannot be read, or is larger than allowed."""

    code = "image"


class VideoError(UsageError):
    """A video or a camera cannot be read, or a video cannot be written as asked."""

    code = "video"


class ArtifactError(UsageError):
    """An artifact or its manifest is missing, broken, or does not match."""

    code = "artifact"


class ExportError(SttkError):
    """An exporter failed, or what it wrote is not valid."""

    code = "export"


class TrainingError(SttkError):
    """Training cannot start, or has diverged."""

    code = "training"


class RunError(SttkError):
    """A runtime refused or failed to run a model that it had loaded."""

    code = "run"


class ParityError(SttkError):
    """An exported model is not the same function as its reference."""

    code = "parity"


class VerifyError(SttkError):
    """An artifact is not what was exported, or lacks a proof that was required."""

    code = "verify"


class SlowerError(SttkError):
    """A benchmark is slower than allowed, or its timer cannot be trusted."""

    code = "slower"


class IncompleteError(SttkError):
    """Some of several inputs failed; the others are done."""

    code = "incomplete"


class StoppedError(SttkError):
    """The run was stopped on request; partial results are kept, and the message says where.

    Args:
        kept: what is kept, and where, for the message.
        number: the number of the signal; the exit code is the shell's for it, 130 or 143.
    """

    code = "interrupted"

    def __init__(self, kept: str, number: int = signal.SIGINT) -> None:
        super().__init__(f"{'terminated' if number == signal.SIGTERM else 'interrupted'}: {kept}")
        self.exit_code = 128 + number


class NotRunError(SttkError):
    """Something that was required could not be run on this machine."""

    exit_code = 3
    code = "not-run"


class MissingExtraError(NotRunError):
    """An optional library is not installed; ``fix`` is the pip command that installs it."""

    code = "missing-extra"

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(f"{library} is not installed", fix=f"pip install 'sttk[{extra}]'")


class BrokenExtraError(MissingExtraError):
    """An optional library is installed but fails to import; ``fix`` installs one that works.

    Args:
        library: the module that failed to import.
        extra: the extra of sttk that installs it.
        cause: the exception that the import raised.
    """

    code = "broken-extra"

    def __init__(self, library: str, extra: str, cause: BaseException) -> None:
        super().__init__(library, extra)
        reason = " ".join(str(cause).split())[:300] or type(cause).__name__
        self.message = f"{library} does not load: {reason}"
        self.fix = f"pip install --upgrade 'sttk[{extra}]'; sttk doctor says what does not fit"
