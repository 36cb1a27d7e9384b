"""The state of a run as a file: all that decides how it goes on.

Crops and noise are functions of the seed and the step, the learning rate one of the progress: so
the step is the random state, the place in the data and the schedule in one.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import torch

from sttk.toolkit.core.errors import TrainingError
from sttk.toolkit.io.files import write_atomic
from sttk.toolkit.io.pickles import read_pickle
from sttk.toolkit.training.recipe import Recipe


def identity(recipe: Recipe, inputs: dict[str, str]) -> str:
    """What two runs must share for one to go on with the other's state."""
    return json.dumps({"recipe": recipe.to_dict(), **inputs}, sort_keys=True)


def write_state(path: Path, run: str, state: dict[str, Any]) -> None:
    """Whole or not at all."""
    buffer = io.BytesIO()
    torch.save({"run": run, **state}, buffer)
    write_atomic(path, buffer.getvalue())


def read_state(path: Path, run: str) -> dict[str, Any]:
    """What :func:`write_state` wrote, for the run whose identity this is.

    Raises:
        TrainingError: it is of another recipe or other inputs.
        CheckpointError: it cannot be read.
    """
    state = read_pickle(path)
    if state.get("run") != run:
        raise TrainingError(
            f"{path.parent} was started with another recipe, painting, content or loss network",
            fix="repeat its options, or choose another folder with -o",
        )
    return dict(state)
