"""The writer of packages: the same spec and weights give the same bytes."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path
from typing import Any

_AUTHOR = "com.apple.CoreML"
_SPEC = ("model.mlmodel", "CoreML Model Specification")
_WEIGHTS = ("weights", "CoreML Model Weights")


def save(spec: Any, weights: str | None, package: Path) -> None:
    """Write ``package`` as coremltools would, except for the random identifiers in its manifest.

    Args:
        spec: the protobuf message ``Model``.
        weights: the folder of weights, or None if all of them are in the spec.
        package: the folder to make.
    """
    data = package / "Data" / _AUTHOR
    data.mkdir(parents=True)
    # protobuf's maps have no fixed order.
    (data / _SPEC[0]).write_bytes(spec.SerializeToString(deterministic=True))
    items = [_SPEC]
    if weights is not None:
        (data / _WEIGHTS[0]).mkdir()
        for file in sorted(Path(weights).iterdir()):
            shutil.copyfile(file, data / _WEIGHTS[0] / file.name)
        items.append(_WEIGHTS)
    manifest = {
        "fileFormatVersion": "1.0.0",
        "itemInfoEntries": {_identifier(name): _entry(name, about) for name, about in items},
        "rootModelIdentifier": _identifier(_SPEC[0]),
    }
    text = json.dumps(manifest, indent=4, sort_keys=True)
    (package / "Manifest.json").write_text(f"{text}\n", encoding="utf-8")


def _entry(name: str, about: str) -> dict[str, str]:
    return {"author": _AUTHOR, "description": about, "name": name, "path": f"{_AUTHOR}/{name}"}


def _identifier(name: str) -> str:
    """Return an identifier, which need only be unique within the package."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{_AUTHOR}/{name}"))
