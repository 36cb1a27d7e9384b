"""The state file of a run: everything needed to resume it.

Crops and noise are functions of the seed and the step, and the learning rate is a function of the
progress: so the step and the progress stand for the random state, the position in the data and the
schedule.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import torch

from sttk.toolkit.core.errors import TrainingError
from sttk.toolkit.io.pickles import read_pickle
from sttk.toolkit.training.recipe import Recipe


def identity(recipe: Recipe, inputs: dict[str, str]) -> str:
    """Return a string that two runs must share for one to resume from the other's state."""
    return json.dumps({"recipe": recipe.to_dict(), **inputs}, sort_keys=True)


def packed(run: str, state: dict[str, Any]) -> bytes:
    """Return the content of the state file of the run with this identity."""
    buffer = io.BytesIO()
    torch.save({"run": run, **state}, buffer)
    return buffer.getvalue()


def read_state(path: Path, run: str) -> dict[str, Any]:
    """Read the state that :func:`packed` made for the run with this identity.

    Raises:
        TrainingError: the state is from another recipe or other inputs.
        CheckpointError: the state cannot be read.
    """
    state = read_pickle(path)
    if state.get("run") != run:
        raise TrainingError(
            f"{path.parent} was started with another recipe, painting, content or loss network",
            fix="repeat its options, or choose another folder with -o",
        )
    return dict(state)
