"""The state file of a run: everything needed to resume it.

Crops and noise are functions of the seed and the step, and the learning rate is a function of the
progress: so the step and the progress stand for the random state, the position in the data and the
schedule.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.errors import CheckpointError, TrainingError
from sttk.toolkit.core.style_net import Origin, StyleNet
from sttk.toolkit.io.files import sha256
from sttk.toolkit.io.json_text import loads
from sttk.toolkit.io.pickles import read_pickle
from sttk.toolkit.io.text import printable
from sttk.toolkit.nets.trainable import build, spec_from
from sttk.toolkit.training.recipe import Recipe
from sttk.toolkit.training.scaled import folded

_LENGTH = ("steps", "minutes")
# What differs, as the user knows it; other keys are options by their own names.
_KNOWN_AS = {
    "spec": "--net, --width or --norm",
    "objective": "--preset, layer or weight of a loss",
    "painting": "--style",
    "content": "--content",
    "vgg": "loss network",
}


def identity(recipe: Recipe, inputs: dict[str, str]) -> str:
    """Return a string that two runs must share, but for the length of the run, for one to resume
    from the other's state.
    """
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
    if others := _differences(_facts(path, state), loads(run)):
        raise TrainingError(
            f"{path.parent} was started with another {', '.join(others)}",
            fix="repeat its options, or begin a new run from its weights: "
            f"--init {path.parent} -o ANOTHER",
        )
    return dict(state)


def length_of(path: Path) -> tuple[int | None, float | None]:
    """Return the steps and the minutes, one of them None, that a state's run was started for.

    Raises:
        CheckpointError: the state cannot be read.
    """
    recipe = _facts(path, read_pickle(path))["recipe"]
    return recipe.get("steps"), recipe.get("minutes")


def net_of(path: Path) -> StyleNet:
    """Return the net of a state, as it was when the state was written, ready for 0..255 input.

    Raises:
        CheckpointError: the state cannot be read.
    """
    state = read_pickle(path)
    try:
        with torch.device("meta"):  # takes no memory until the tensors are assigned
            net = build(spec_from(loads(state["about"])))
        net.load_state_dict(state["net"], assign=True)
        net = folded(net)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise CheckpointError(f"{path}: not the state of a run ({reason})") from error
    origin = Origin(path.parent.name, str(path.resolve()), sha256(path), "sttk state")
    return StyleNet(net, Contract(), origin)


def _facts(path: Path, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recipe and the inputs of a state's run."""
    try:
        facts = loads(state["run"])
        if isinstance(facts["recipe"], dict):
            return dict(facts)
    except (KeyError, TypeError, ValueError):
        pass
    raise CheckpointError(f"{path}: not the state of a run")


def _differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Return what differs between two runs, in the user's words; their lengths may."""
    flat = [{**facts, **facts["recipe"], "recipe": None} for facts in (one, other)]
    keys = dict.fromkeys([*flat[1], *flat[0]])
    found = [key for key in keys if key not in _LENGTH and flat[0].get(key) != flat[1].get(key)]
    return [_KNOWN_AS.get(key, f"--{printable(key).replace('_', '-')}") for key in found]
