"""The process that runs a model for sttk: another architecture's Python, or this one's.

``python -m sttk.toolkit.devices.worker DEVICE MODEL SETTINGS`` loads the model by its target's own
runner, says on standard output what it is, and answers each batch with its result
(:mod:`sttk.toolkit.devices.wire`), until standard input ends.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

from sttk.toolkit import targets
from sttk.toolkit.core.errors import SttkError, UsageError
from sttk.toolkit.devices import wire
from sttk.toolkit.host import machine
from sttk.toolkit.io.json_text import loads
from sttk.toolkit.runtimes.base import Featured, Runner, Settings
from sttk.toolkit.targets.base import Target


def main() -> None:
    """Load the model that the command line names, and serve it."""
    answers = _private_stdout()
    device, model, settings = sys.argv[1:]
    try:
        target = targets.of_model(Path(model))
        if target is None:
            raise UsageError(f"{model}: no target has such models")
        runner = target.open_on(device, Path(model), Settings(**loads(settings)))
    except SttkError as error:
        wire.send(answers, failure(error))
        return
    with runner:
        wire.send(answers, _about(target, runner))
        _serve(runner, answers)


def _private_stdout() -> BinaryIO:
    """Return standard output, and send what libraries print there to standard error."""
    kept = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return kept


def _about(target: Target, runner: Runner) -> dict[str, Any]:
    return {
        "name": runner.name,
        "takes": runner.takes.to_dict(),
        "notes": list(runner.notes),
        "machine": runner.machine if isinstance(runner, Featured) else machine.architecture(),
        "features": list(_features(runner)),
        "libraries": target.requires.versions(),
    }


def _features(runner: Runner) -> tuple[str, ...]:
    return runner.features if isinstance(runner, Featured) else machine.cpu().features


def _serve(runner: Runner, answers: BinaryIO) -> None:
    while True:
        try:
            _, (batch,) = wire.receive(sys.stdin.buffer)
        except wire.BrokenWireError:
            return
        try:
            output = runner.run(batch)
        except SttkError as error:
            wire.send(answers, failure(error))
        else:
            wire.send(answers, {}, [output])


def failure(error: SttkError) -> dict[str, Any]:
    """Return an error as the fields of a message."""
    return {"error": type(error).__name__, "message": error.message, "fix": error.fix}


if __name__ == "__main__":
    main()
