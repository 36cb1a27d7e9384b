"""A runner whose model is in another process, perhaps of another architecture."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from sttk.toolkit.core import errors
from sttk.toolkit.core.errors import NotRunError, RunError, SttkError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.devices import wire
from sttk.toolkit.devices.base import Device
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.runtimes.base import Closing, Runner, Settings
from sttk.toolkit.targets.base import Target

MODULE = f"{__package__}.worker"
# An emulated float16 kernel takes minutes for a large picture; a library that hangs takes for ever.
_START, _RUN = 300.0, 3600.0
_MOST_SAID = 400  # characters of what a process wrote before it ended


class RemoteRunner(Closing):
    """A model in a worker process; see :mod:`sttk.toolkit.devices.worker`.

    Args:
        python: the command that starts the worker's Python.
        environment: the worker's environment variables.
        device: the name of the device.
        model: the model file.
        settings: the runtime's settings.

    Attributes:
        machine: the processor that runs it.
        features: what that can compute in.
        libraries: the versions of the libraries that run it, by distribution.

    Raises:
        NotRunError: the worker does not start.
        SttkError: what the target's own runner raises.
    """

    def __init__(
        self,
        python: Sequence[str],
        environment: Mapping[str, str],
        device: str,
        model: Path,
        settings: Settings | None,
    ) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        given = json.dumps(asdict(settings or Settings()))
        # The command is a Python of sttk's own; the model's path is an argument of its own.
        self._process = subprocess.Popen(  # noqa: S603
            [*python, "-m", MODULE, device, str(model.resolve()), given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=dict(environment),
        )
        self.close = weakref.finalize(self, _end, self._process, self._said)  # type: ignore[method-assign]
        try:
            about, _ = self._answer(_START)
        except RunError as error:
            self.close()
            raise NotRunError(f"not run: {device} does not start: {error}") from error
        except SttkError:
            self.close()
            raise
        self.name = str(about["name"])
        self.takes = Shapes.from_dict(about["takes"])
        self.notes: tuple[str, ...] = tuple(about["notes"])
        self.machine = str(about["machine"])
        self.features: tuple[str, ...] = tuple(about["features"])
        self.libraries: dict[str, str] = dict(about["libraries"])

    def run(self, batch: Floats) -> Floats:
        """See :class:`Runner`."""
        try:
            wire.send(_pipe(self._process.stdin), {}, [batch])
        except wire.BrokenWireError as error:
            raise self._died() from error
        _, (output,) = self._answer(_RUN)
        return output

    def _answer(self, seconds: float) -> tuple[dict[str, Any], list[Floats]]:
        watch = threading.Timer(seconds, self._process.kill)
        watch.daemon = True
        watch.start()
        try:
            fields, arrays = wire.receive(_pipe(self._process.stdout))
        except wire.BrokenWireError as error:
            raise self._died() from error
        finally:
            watch.cancel()
        if "error" in fields:
            raise _error(fields)
        return fields, arrays

    def _died(self) -> RunError:
        """Return the error for a worker that has ended, with the last that it said."""
        self._process.kill()
        code = self._process.wait()
        self._said.seek(0)
        said = " ".join(self._said.read().decode(errors="replace").split())[-_MOST_SAID:]
        return RunError(f"its process ended with {code}" + (f": {said}" if said else ""))


class RemoteDevice(Device):
    """A device whose models run in a process of their own."""

    def libraries(self, target: Target, runner: Runner) -> dict[str, str]:
        """See :class:`Device`."""
        if isinstance(runner, RemoteRunner):
            return runner.libraries
        return super().libraries(target, runner)


def _pipe(stream: IO[bytes] | None) -> Any:
    if stream is None:
        raise TypeError("the process has no pipe")
    return stream


def _end(process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
    process.kill()
    for stream in (process.stdin, process.stdout, said):
        if stream:
            try:
                stream.close()
            except OSError:  # what was not sent yet cannot be
                continue
    process.wait()


def _error(fields: dict[str, Any]) -> SttkError:
    """Make an error again from a worker's message."""
    kind = getattr(errors, str(fields["error"]), RunError)
    error = kind.__new__(kind)
    SttkError.__init__(error, str(fields["message"]), fix=fields["fix"])
    return error  # type: ignore[no-any-return]
