from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from sttk.exporters import exporter
from sttk.exporters.base import ExportRequest
from sttk.exporters.onnx import export as onnx_export
from sttk.exporters.onnx.options import GraphOptions
from sttk.exporters.prepare import prepare
from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.quantize.fake import fake_quantized
from sttk.toolkit.quantize.float8 import LARGEST, fake_float8, fit


def test_rounding_is_that_of_e4m3():
    x = torch.linspace(-600, 600, 4001)
    rounded = fake_float8(x, torch.tensor(0.5), 0).numpy()
    clipped = np.clip(x.numpy() / 0.5, -LARGEST, LARGEST)
    assert np.array_equal(rounded, clipped.astype(ml_dtypes.float8_e4m3fn).astype(np.float32) * 0.5)


def test_a_scale_for_each_channel():
    x = torch.tensor([[448.0, 1.0], [44.8, 1.0]])
    rounded = fake_float8(x, torch.tensor([1.0, 0.1]), 0)
    assert torch.allclose(rounded, x, rtol=0.06)
    assert rounded[0, 0] == 448


def test_the_largest_value_is_the_end():
    assert fit(np.array([-3.0, 1.0], np.float32)).scale == pytest.approx(3 / 448)
    assert fit(np.zeros(3, np.float32)).scale == 1.0


@pytest.fixture(scope="module")
def prepared(net, photo):
    request = ExportRequest(net, Plan("fp8"), Shapes.fixed(64, 96), calibration=(photo,))
    able = exporter("trt")
    return prepare(able.with_options(request), able)


def test_the_graph_is_the_fake_quantised_net(net, prepared, tmp_path):
    model = onnx_export.graph(prepared.request)
    types = {tensor.data_type for tensor in model.graph.initializer}
    assert onnx.TensorProto.FLOAT8E4M3FN in types
    assert model.opset_import[0].version == 21
    session = onnxruntime.InferenceSession(model.SerializeToString())
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 64, 96)).astype(np.float32)
    (output,) = session.run(None, {"image": x})
    reference = fake_quantized(net, prepared.calibration)(torch.from_numpy(x)).numpy()
    plain = net(torch.from_numpy(x)).numpy()
    assert np.abs(output - reference).mean() < 0.5 * np.abs(plain - reference).mean()


def test_an_opset_without_float8(prepared):
    from dataclasses import replace

    with pytest.raises(UsageError, match="fp8 in 21 to 23"):
        onnx_export.graph(replace(prepared.request, options=GraphOptions(opset=18)))
