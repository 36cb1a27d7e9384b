"""The I/O convention: how ranges and channel orders are found, and the net in 0..255 RGB."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sttk.toolkit.checkpoints import load
from sttk.toolkit.checkpoints.onnx_graph import proto, read
from sttk.toolkit.checkpoints.onnx_graph.net import GraphNet
from sttk.toolkit.checkpoints.onnx_graph.patterns import canonical
from sttk.toolkit.checkpoints.onnx_graph.program import trace
from sttk.toolkit.core.errors import CheckpointError, UsageError

R = np.random.default_rng(3)
CAFFE = np.array([103.939, 116.779, 123.68], np.float32).reshape(3, 1, 1)
IMAGENET = np.array([0.485, 0.456, 0.406], np.float32).reshape(3, 1, 1)
W = {"w": R.normal(0, 0.2, (3, 3, 3, 3)).astype(np.float32), "c": CAFFE, "i": IMAGENET}
W |= {"b": np.array([0.1, 0.2, 0.3], np.float32), "s": np.array([0.9, 1.2, 1.1], np.float32)}
W |= {"small": np.float32(0.1), "half": np.float32(0.5), "mid": np.float32(127.5)}
W |= {"twice": np.float32(2), "one": np.float32(1), "255": np.float32(255), "150": np.float32(150)}

W |= {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64)}

PAD = ("Pad", ["x", "p"], "padded", {"mode": "reflect"})
CONV = ("Conv", ["padded", "w", "b"], "conv", {})
NORM = ("InstanceNormalization", ["conv", "s", "b"], "norm", {})
BODY = [PAD, CONV, NORM]


def tail(*nodes):
    """The body, and one operation behind another: (kind, its constant or none)."""
    value, done = "norm", []
    for index, (kind, *constants) in enumerate(nodes):
        done.append((kind, [value, *constants], f"t{index}", {}))
        value = f"t{index}"
    return [*BODY, *done]


OUTPUTS = {
    "sigmoid": (tail(("Sigmoid",)), "0..1", "a sigmoid"),
    "tanh": (tail(("Tanh",)), "-1..1", "a tanh"),
    "tanh to 0..1": (tail(("Tanh",), ("Add", "one"), ("Div", "twice")), "0..1", "a tanh"),
    "tanh to bytes": (tail(("Tanh",), ("Mul", "150"), ("Add", "c")), "0..255", "a tanh"),
    "sigmoid to bytes": (tail(("Sigmoid",), ("Mul", "255")), "0..255", "a sigmoid"),
    "measured, bytes": (tail(("Mul", "mid"), ("Add", "mid")), "0..255", "measured"),
    "measured, signed": (tail(("Mul", "half")), "-1..1", "measured"),
    "measured, to 1": (tail(("Mul", "small"), ("Add", "half")), "0..1", "measured"),
}
RANGES = {"0..1": (0, 1), "-1..1": (-1, 1), "0..255": (0, 255)}


def between(x, have, want):
    """What a person does by hand around a net of other ranges."""
    (a, b), (c, d) = RANGES[have], RANGES[want]
    return ((x - a) / (b - a) * (d - c) + c).astype(np.float32)


def by_hand(ort, path, x, taken, given, bgr=False):
    x = between(x[:, ::-1] if bgr else x, "0..255", taken)
    y = between(ort(path, np.ascontiguousarray(x)), given, "0..255").clip(0, 255)
    return y[:, ::-1] if bgr else y


def answer(path, x, choices=""):
    with torch.inference_mode():
        return load(f"{path}{choices}")(torch.from_numpy(x)).numpy()


@pytest.fixture
def photo_like():
    """(1, 3, 12, 10) in 0..255."""
    return np.random.default_rng(4).uniform(0, 255, (1, 3, 12, 10)).astype(np.float32)


@pytest.mark.parametrize("case", OUTPUTS)
def test_what_comes_out(case, make_onnx, ort, photo_like):
    """And goes in: the same, where nothing else is told."""
    nodes, values, how = OUTPUTS[case]
    path = make_onnx(nodes, W, shape=(1, 3, "h", "w"))
    card = read(path).card
    assert card["output"].startswith(f"{values} (")
    assert how in card["output"]
    assert card["input"].startswith(f"{values} (")
    assert card["channels"].startswith("RGB (a guess")
    wanted = by_hand(ort, path, photo_like, values, values)
    np.testing.assert_allclose(answer(path, photo_like), wanted, atol=0.01)


SUB = ("Sub", ["x", "mean"], "x1", {})
LATER = [("Pad", ["x1", "p"], "padded", {"mode": "reflect"}), *BODY[1:]]
INPUTS = {
    "caffe's means": ([SUB], {"mean": CAFFE}, {}, "0..255", True),
    "caffe's means, RGB": ([SUB], {"mean": CAFFE[::-1].copy()}, {}, "0..255", False),
    "imagenet's means": ([SUB], {"mean": IMAGENET}, {}, "0..1", False),
    "255ths": ([("Div", ["x", "255"], "x1", {})], {}, {}, "0..255", False),
    "a pixel format": (
        [SUB], {"mean": W["half"]}, {"Image.BitmapPixelFormat": "Bgr8"}, "0..1", True,
    ),
    "an old pixel format": (
        [SUB], {"mean": CAFFE}, {"ImageBitmapPixelFormat": "Rgb8"}, "0..255", False,
    ),
    "a nominal range": (
        [SUB], {"mean": W["small"]}, {"Image.NominalPixelRange": "Normalized_1_1"}, "-1..1", False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", INPUTS)
def test_what_goes_in(case, make_onnx, ort, photo_like):
    first, weights, metadata, values, bgr = INPUTS[case]
    nodes = [*first, *LATER, ("Sigmoid", ["norm"], "out", {})]
    path = make_onnx(nodes, W | weights, shape=(1, 3, "h", "w"), metadata=metadata)
    card = read(path).card
    assert card["input"].startswith(f"{values} (")
    assert card["channels"].startswith("BGR (" if bgr else "RGB (")
    wanted = by_hand(ort, path, photo_like, values, "0..1", bgr)
    np.testing.assert_allclose(answer(path, photo_like), wanted, atol=0.01)


ZEROS = ("Pad", ["x", "p"], "padded", {})
LAST = ("Conv", ["norm", "w", "b"], "out", {"pads": [1, 1, 1, 1]})
GRAPHS = {
    "convolutions": [*BODY, LAST],
    "zeros are padded": [ZEROS, CONV, NORM, LAST],
    "used twice": [*BODY, ("Add", ["x", "norm"], "out", {})],
}


@pytest.mark.parametrize("values", ["0..1", "-1..1"])
@pytest.mark.parametrize("case", GRAPHS)
def test_it_is_around_the_graph_and_not_in_its_weights(case, values, make_onnx, ort, photo_like):
    path = make_onnx(GRAPHS[case], W, shape=(1, 3, "h", "w"))
    choices = f"#input={values}&output={values}&channels=BGR"
    expected = by_hand(ort, path, photo_like, values, values, bgr=True)
    np.testing.assert_allclose(answer(path, photo_like, choices), expected, atol=0.01)
    net = load(f"{path}{choices}")
    assert net.origin.card["channels"] == "BGR (as asked for)"
    assert list(net.net.layers) == list(GraphNet(canonical(trace_of(path))).layers)


def trace_of(path):
    return trace(proto.read_graph(proto.parse(path), None), (12, 10))


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"Image.BitmapPixelFormat": "Gray8"}, "neither RGB nor BGR"),
        ({"Image.NominalPixelRange": "NominalRange_16_235"}, "NominalRange_16_235"),
    ],
)
def test_pictures_of_another_kind(metadata, reason, make_onnx):
    path = make_onnx(tail(("Sigmoid",)), W, metadata=metadata)
    with pytest.raises(CheckpointError, match=reason):
        load(path)


@pytest.mark.parametrize(
    "choice",
    ["style", "style=", "style=x", "style=-1", "input=0..2", "output=", "channels=gray", "k=1"],
)
def test_choices_that_are_none(choice, make_onnx):
    path = make_onnx(tail(("Sigmoid",)), W)
    with pytest.raises(UsageError, match="is no choice"):
        load(f"{path}#{choice}")
