"""Tiny ONNX files made on the spot, and ONNX Runtime to say what they compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from sttk.toolkit.checkpoints.onnx_graph import proto
from sttk.toolkit.checkpoints.onnx_graph.net import GraphNet
from sttk.toolkit.checkpoints.onnx_graph.program import trace

SIZE = (12, 10)


@pytest.fixture
def make_onnx(tmp_path):
    """Writes a file of nodes, each ``(kind, inputs, output, attributes)``; ``x`` is the picture,
    the last output the model's. Weights are arrays by name.
    """

    def build(nodes, weights=None, *, opset=17, shape=(1, 3, *SIZE), inputs=(), metadata=None):
        helper = onnx.helper
        graph = helper.make_graph(
            [
                helper.make_node(kind, list(ins), [out], name=f"{kind} for {out}", **attributes)
                for kind, ins, out, attributes in nodes
            ],
            "net",
            [helper.make_tensor_value_info("x", 1, list(shape)), *inputs],
            [helper.make_tensor_value_info(nodes[-1][2], 1, None)],
            [onnx.numpy_helper.from_array(value, key) for key, value in (weights or {}).items()],
        )
        # The checker wants an output's shape, which the file need not have to be read.
        graph.output[0].type.tensor_type.ClearField("shape")
        opsets = [helper.make_opsetid("", opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        helper.set_model_props(model, metadata or {})
        path = tmp_path / "net.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return build


@pytest.fixture
def picture():
    """(1, 3, 12, 10) float32, positive and negative."""
    return np.random.default_rng(0).normal(0.2, 1.0, (1, 3, *SIZE)).astype(np.float32)


@pytest.fixture
def ort():
    """What ONNX Runtime makes of a file."""

    def run(path: Path, x: np.ndarray) -> np.ndarray:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(path, options).run(None, {"x": x})[0]

    return run


@pytest.fixture
def traced():
    """The program of a file as it stands, for a picture of SIZE or another."""

    def run(path: Path, size=SIZE):
        return trace(proto.read_graph(proto.parse(path), None), size)

    return run


@pytest.fixture
def run():
    """What a program makes of a picture, with the shape that it foretold."""

    def run(program, x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            y = GraphNet(program)(torch.from_numpy(x)).numpy()
        assert y.shape == program.shapes[program.output]
        return y

    return run


@pytest.fixture
def kinds():
    """Class names of a program's modules."""
    return lambda program: [type(step.module).__name__ for step in program.steps]
