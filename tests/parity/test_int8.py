"""int8, as the default run sees it: one that keeps the style everywhere, and one that does not."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image, ImageOps

from sttk.toolkit.host.machine import int8_sums_overflow
from sttk.toolkit.imaging.degradations import bright
from sttk.toolkit.imaging.images import read_image, to_batch
from sttk.toolkit.imaging.regimes import shipped_photos

SIZE = 128

quantization = pytest.importorskip("onnxruntime.quantization")


class BrightPhotographs(quantization.CalibrationDataReader):
    """What a calibration sees that was fed on overexposed pictures alone."""

    def __init__(self):
        self.batches = (self.batch(file) for file in shipped_photos())

    def batch(self, file):
        photo = ImageOps.fit(Image.fromarray(read_image(file).rgb), (SIZE, SIZE))
        return {"image": to_batch(bright(np.array(photo)))}

    def get_next(self):
        return next(self.batches, None)


def judged(sttk, *arguments):
    result = sttk("parity", *arguments, "--json")
    (report,) = json.loads(result.stdout)
    return result.exit_code, report


@pytest.mark.skipif(int8_sums_overflow(), reason="its sums of int8 overflow on this CPU")
def test_calibrated_on_bright_photographs_alone(sttk, tmp_path):
    """By ONNX Runtime's own quantiser, which rounds before each instance norm, too."""
    assert sttk("export", "ink", "--size", SIZE, "-o", tmp_path).exit_code == 0
    (model,) = tmp_path.rglob("model.onnx")
    quantized = tmp_path / "bright.onnx"
    quantization.quantize_static(model, quantized, BrightPhotographs(), per_channel=True)
    code, report = judged(sttk, quantized, "--reference", "ink", "--precision", "int8")
    assert code == 1
    assert report["promise"] == "same style"
    failed = {row["regime"] for row in report["rows"] if not row["passed"]}
    assert {"blur", "low-contrast"} <= failed
    rung = {row["regime"]: row["rung"] for row in report["rows"]}
    assert rung["bright"] == rung["photo"] == "same style"  # what it was shown looks well


def test_calibrated_as_sttk_does_it(sttk, tmp_path):
    options = ("--target", "openvino", "--precision", "int8", "--size", SIZE, "-o", tmp_path)
    assert sttk("export", "ink-mobile-m", *options).exit_code == 0
    code, report = judged(sttk, tmp_path)
    assert code == 0
    style = [row for row in report["rows"] if row["against"] == "float net"]
    assert len({row["regime"] for row in style}) == 9
    assert {row["rung"] for row in style} <= {"exact", "faithful", "same style"}
