"""One style of a page: its model, a small example picture, and the facts that the page needs.

It is an exporter like any other (:class:`Exporter`), but its folder needs a page around it.
"""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps

from sttk.exporters.base import ExportRequest, Product
from sttk.exporters.onnx import export as onnx
from sttk.exporters.web.options import WebOptions
from sttk.toolkit.imaging.images import from_batch, to_batch
from sttk.toolkit.io.text import file_name, printable
from sttk.toolkit.targets.web import TARGET

MODEL = TARGET.model
GRAPH = "model.onnx"
_SMALL_PICTURE = "thumb.jpg"
_SIDE, _QUALITY = 160, 82  # pixels; JPEG quality
_PHOTO = "cat.jpg"
_CHECKED, _STEP, _EVERY = (64, 64), 37, 97
_ROMAN = re.compile(r"\b[ivx]+\b")
_STUB = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url=../../#{name}">
<title>Style transfer</title>
<p><a href="../../#{name}">This style is a part of a page.</a></p>
</html>
"""


def export(request: ExportRequest[WebOptions], folder: Path) -> Product:
    """See :class:`Exporter`."""
    made = onnx.export(request, folder)
    (folder / made.model).rename(folder / GRAPH)
    _small_picture(request).save(folder / _SMALL_PICTURE, quality=_QUALITY)
    (folder / MODEL).write_text(_STUB.format(name=facts(request)["name"]), encoding="utf-8")
    return Product(MODEL, made.tools, made.options, graph=GRAPH)


def facts(request: ExportRequest[WebOptions]) -> dict[str, Any]:
    """Return a style's facts for the page's scripts; ``name`` is for URLs, ``title`` for people."""
    contract = request.net.contract
    return {
        "name": file_name(request.net.origin.name),
        "title": title(request.net.origin.name),
        "model": GRAPH,
        "picture": _SMALL_PICTURE,
        "precision": request.precision,
        "size": list(request.shapes.only) if request.shapes.only else None,
        "multiple": contract.size_multiple,
        "smallest": contract.smallest_side,
    }


def listed(request: ExportRequest[WebOptions], folder: str) -> dict[str, Any]:
    """Return a style's entry in a page's list, with a check that finds GPUs with wrong results.

    Args:
        request: the style's request.
        folder: the path of its files within the page's folder.
    """
    return {"folder": folder, **facts(request), "check": _check(request)}


def _check(request: ExportRequest[WebOptions]) -> dict[str, Any]:
    """Return some values of PyTorch's output for numbers that the page's scripts make as well."""
    height, width = request.shapes.only or _CHECKED
    numbers = np.arange(3 * height * width) * _STEP % 256
    batch = torch.from_numpy(numbers.astype(np.float32).reshape(1, 3, height, width))
    with torch.inference_mode():
        values = request.net(batch).flatten()[::_EVERY].tolist()
    kept = [round(value, 1) for value in values]
    return {"height": height, "width": width, "step": _STEP, "every": _EVERY, "values": kept}


def title(name: str) -> str:
    """Return a title for people: ``Composition VII`` for ``composition-vii-mobile-m``."""
    words = re.sub(r"[-_]+", " ", re.sub(r"-mobile-\w+$", "", printable(name))).strip()
    words = _ROMAN.sub(lambda found: found[0].upper(), words)
    return words[:1].upper() + words[1:]


def _small_picture(request: ExportRequest[WebOptions]) -> Image.Image:
    """Return a small photograph in the style."""
    with (resources.files("sttk.toolkit") / "photos" / _PHOTO).open("rb") as file:
        photo = ImageOps.fit(Image.open(file).convert("RGB"), (_SIDE, _SIDE))
    with torch.inference_mode():
        output = request.net(torch.from_numpy(to_batch(np.asarray(photo))))
    return Image.fromarray(from_batch(output.numpy()))
