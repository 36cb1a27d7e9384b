"""sttk's own layout: safetensors whose metadata holds the net's spec, contract and model card."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sttk.toolkit.checkpoints.layout import Loaded, Tensors
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.errors import CheckpointError
from sttk.toolkit.io.files import write_atomic
from sttk.toolkit.io.json_text import loads
from sttk.toolkit.io.recognise import recognise
from sttk.toolkit.nets.trainable import KINDS, Net, describe, spec_from
from sttk.toolkit.nets.trainable import build as build_net

NAME = "sttk"
DESCRIPTION = "sttk's own safetensors, its contract in the metadata"
_KEY = "sttk"
_FORMAT = 1
# The stem under which each run saves its net: it tells nothing, but the card does.
_ANY_RUN = "net"


def save_net(
    path: Path, net: Net, contract: Contract, card: dict[str, Any], *, half: bool = False
) -> None:
    """Write a net with its contract and model card; ``half`` stores the weights in float16."""
    state = {key: _stored(value, half=half) for key, value in net.state_dict().items()}
    about = {
        "format": _FORMAT,
        **describe(net.spec),
        "contract": contract.to_dict(),
        "card": card,
    }
    _write(path, state, about)


def write_card(path: Path, card: dict[str, Any]) -> None:
    """Replace the model card of a saved net, whose tensors and contract stay as they are.

    This changes the file's sha256, so it is meant for before a net is published.

    Raises:
        CheckpointError: the file cannot be read, or does not have this layout.
    """
    state, about = read(path)
    if not isinstance(about, dict):
        raise CheckpointError(f"{path}: its metadata is not sttk's")
    _write(path, state, {**about, "card": card})


def style_of(stem: str, card: Any) -> str:
    """Return the name that the card of a run's ``net.safetensors`` gives; empty if it gives none.

    A file of another name is called what its owner calls it. The card may be anybody's, and the
    name becomes that of a folder: it has letters of any language, digits, ``.``, ``_`` and ``-``.
    """
    name = card.get("name") if stem == _ANY_RUN and isinstance(card, dict) else None
    return re.sub(r"[^\w.-]+", "-", name)[:80].strip("-.") if isinstance(name, str) else ""


def _write(path: Path, state: dict[str, Tensor], about: dict[str, Any]) -> None:
    write_atomic(path, save(state, metadata={_KEY: json.dumps(about, sort_keys=True)}))


def _stored(value: Tensor, *, half: bool) -> Tensor:
    """Convert floats to the stored type; batch norm's counters stay integers."""
    if value.is_floating_point():
        value = value.to(torch.float16 if half else torch.float32)
    return value.contiguous()


def _widened(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value


def read(path: Path) -> tuple[dict[str, Tensor], Any]:
    """Return the tensors of any safetensors file, and sttk's metadata, or None if it has none.

    Raises:
        CheckpointError: the file cannot be read.
    """
    try:
        with safe_open(path, framework="pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            metadata = (file.metadata() or {}).get(_KEY)
        return state, loads(metadata.encode()) if metadata else None
    # safetensors raises AttributeError or KeyError for a type that torch does not have.
    except (SafetensorError, OSError, ValueError, AttributeError, KeyError) as error:
        if kind := recognise(path):
            raise CheckpointError(f"{path}: {kind.what}", fix=kind.fix) from error
        reason = " ".join(str(error).split())[:160]
        raise CheckpointError(f"{path}: not a readable safetensors file ({reason})") from error


def build(path: Path, state: Tensors, about: Any) -> Loaded:
    """Return the net that the metadata describes, with ``state`` as its weights.

    Raises:
        CheckpointError: the metadata is not sttk's, or does not fit the tensors.
    """
    if not isinstance(about, dict):
        raise CheckpointError(f"{path}: its metadata is not sttk's")
    if about.get("format") != _FORMAT or about.get("net") not in list(KINDS):
        said = f"format {about.get('format')}, {about.get('net')}"
        raise CheckpointError(
            f"{path}: written by another sttk ({said[:80]})",
            fix="upgrade sttk",
        )
    try:
        with torch.device("meta"):  # takes no memory until the tensors are assigned
            net = build_net(spec_from(about))
        contract = Contract.from_dict(about["contract"])
        net.load_state_dict({key: _widened(value) for key, value in state.items()}, assign=True)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise CheckpointError(f"{path}: metadata and tensors do not agree ({reason})") from error
    return Loaded(net, contract, about.get("card", {}))
