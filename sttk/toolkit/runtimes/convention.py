"""A runner for a model of another convention: others' values, order of channels, layout or type."""

from __future__ import annotations

import numpy as np

from sttk.toolkit.core.convention import Convention, Triple
from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.io.choices import NONE, Choices
from sttk.toolkit.runtimes.base import Closing, Runner, Tensors


class ConventionRunner(Closing):
    """A runner that takes and gives RGB in 0..255, of a model that does not.

    Args:
        runner: the model's own runner, which passes values on as they are.
        convention: what the model takes and gives.
    """

    def __init__(self, runner: Runner, convention: Convention) -> None:
        self.name, self.takes, self.notes = runner.name, runner.takes, runner.notes
        self._runner, self._convention = runner, convention

    def run(self, batch: Floats) -> Floats:
        """See :class:`Runner`."""
        output = self._runner.run(taken(batch, self._convention))
        return given(output, self._convention)

    def close(self) -> None:
        """See :class:`Runner`."""
        self._runner.close()


def taken(batch: Floats, convention: Convention) -> Floats:
    """Return a batch, (B, 3, H, W) RGB in 0..255, as the values that a model takes."""
    end = convention.input
    x = batch[:, ::-1] if end.bgr else batch
    return np.ascontiguousarray((x - _channels(end.mean)) / _channels(end.std))


def given(output: Floats, convention: Convention) -> Floats:
    """Return what a model gives, (B, 3, H, W), as RGB in 0..255, not clamped."""
    end = convention.output
    y = output * _channels(end.std) + _channels(end.mean)
    return np.ascontiguousarray(y[:, ::-1] if end.bgr else y)


def of_choices(runner: Runner, choices: Choices = NONE) -> Runner:
    """Return the runner, or one that converts to what the user says of the model.

    The layout and the type are read from the file, so a user who says them is only believed where
    the file agrees.

    Raises:
        UsageError: the model has another layout or type.
    """
    if isinstance(runner, Tensors):
        _check("layout", choices.nhwc, ("nchw", "nhwc"), runner.layout)
        _check("type", choices.uint8, ("float", "uint8"), runner.type)
    elif choices.nhwc is not None or choices.uint8 is not None:
        raise UsageError(
            f"{runner.name}: layout= and type= say nothing of its models", fix="leave them out"
        )
    convention = choices.convention()
    return runner if convention.is_plain else ConventionRunner(runner, convention)


def _check(key: str, said: bool | None, words: tuple[str, str], found: str) -> None:
    if said is not None and words[said] != found:
        raise UsageError(f"#{key}={words[said]}: the file says {found}", fix=f"leave out {key}=")


def _channels(values: Triple) -> Floats:
    return np.asarray(values, np.float32).reshape(1, 3, 1, 1)
