"""What the tests of an artifact's README share."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from sttk.exporters import exporter, readme
from sttk.exporters.base import ExportRequest, Product
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.shapes import Shapes

KINDS = {
    "fixed": Shapes.fixed(64, 96),
    "any": Shapes.any(),
    "range": Shapes.within((32, 48), (64, 96), (128, 160)),
    "enumerated": Shapes.one_of([(64, 96), (96, 64), (128, 128)]),
}
MODELS = {
    "onnx": "model.onnx",
    "openvino": "model.xml",
    "trt": "model.engine",
    "coreml": "model.mlpackage",
    "coreai": "model.aimodel",
    "ncnn": "model.param",
    "litert": "model.tflite",
    "executorch": "model.pte",
    "web": "index.html",
}


# What exporters add to the values for their own usage.md.
USAGE = {
    "coreai": {"functions": '"main" 64x96, "main_96x64" 96x64'},
    "trt": {"library": "tensorrt_rtx", "link": "tensorrt_rtx"},
}


@pytest.fixture
def text_of(net):
    """The README of a tiny net's artifact: ``text_of("trt", "range", precision="fp16")``."""

    def text(target, kind="fixed", *, precision="fp32", of=net, **options):
        product = Product(
            MODELS[target],
            image=target == "coreml" and not options.get("tensor_io"),
            compressed=options.get("compress", ""),
            usage=USAGE.get(target, {}),
        )
        told = exporter(target).options(**options)
        request = ExportRequest(of, Plan(precision), KINDS[kind], told)
        return readme.readme(target, request, product)

    return text


@pytest.fixture
def code():
    """The one block of code in a language."""

    def block(text, language):
        (found,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        return found

    return block


@pytest.fixture
def take_photo():
    """Writes a picture of some size: gradients and edges."""

    def take(path, height, width):
        rows, columns = np.mgrid[0:height, 0:width]
        rgb = np.stack([rows * 2, columns * 2, (rows // 8 + columns // 8) % 2 * 200], axis=-1)
        Image.fromarray(rgb.astype(np.uint8)).save(path, quality=95)

    return take
