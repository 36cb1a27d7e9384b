from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import sttk
from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.core.errors import (
    ArtifactError,
    CheckpointError,
    ImageError,
    ParityError,
    SttkError,
    UsageError,
)
from sttk.toolkit.imaging.images import read_image
from sttk.toolkit.targets.onnx.runner import OnnxRuntimeRunner


@pytest.fixture(scope="module")
def tiny(checkpoint):
    return sttk.load(checkpoint)


def test_stylize_does_what_the_command_does(tiny, checkpoint, photo, sttk, tmp_path):
    result = sttk("stylize", photo, "-o", tmp_path / "out.png", "--checkpoint", checkpoint)
    assert result.exit_code == 0, result.output
    wanted = read_image(tmp_path / "out.png").rgb
    with Image.open(photo) as image:
        styled = tiny.stylize(image)
    assert styled.mode == "RGB"
    assert (np.asarray(styled) == wanted).all()
    assert (tiny.stylize(read_image(photo).rgb) == wanted).all()


def test_images_of_other_modes_keep_their_opacity(tiny):
    image = Image.new("RGBA", (20, 12), (10, 200, 30, 128))
    styled = tiny.stylize(image)
    assert (styled.mode, styled.size) == ("RGBA", (20, 12))
    assert set(np.asarray(styled.getchannel("A")).ravel()) == {128}
    assert tiny.stylize(Image.new("L", (20, 12))).mode == "RGB"


def test_strength(tiny, photo):
    rgb = read_image(photo).rgb
    assert (tiny.stylize(rgb, strength=0.0) == rgb).all()
    with pytest.raises(UsageError, match="not within 0 to 1"):
        tiny.stylize(rgb, strength=1.5)


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)],
)
def test_what_is_no_picture(tiny, array):
    with pytest.raises(ImageError, match=r"is not \(H, W, 3\) uint8"):
        tiny.stylize(array)


def test_a_broken_image_is_an_image_error(tiny, photo, tmp_path):
    (tmp_path / "cut.png").write_bytes(photo.read_bytes()[:-200])
    with Image.open(tmp_path / "cut.png") as image, pytest.raises(ImageError, match="cannot be"):
        tiny.stylize(image)


def test_shipped_styles_and_their_cards():
    net = sttk.load()
    assert repr(net) == "<sttk.Net ink>"
    assert net.card["licence"] == "public domain"
    with pytest.raises(CheckpointError, match="neither a shipped style"):
        sttk.load("none")


def test_export_and_check(tiny, tmp_path):
    folder = sttk.export(tiny, "onnx", output=tmp_path, size=(64, 48), opset=19)
    assert folder.name == "onnx-fp32-opset19-64x48"
    assert sttk.check(folder).passed
    assert read_manifest(folder).parity == {}
    sttk.check(folder, record=True)
    assert read_manifest(folder).parity["host"]["passed"]


def test_check_refuses_what_is_no_artifact_or_was_changed(tiny, tmp_path):
    with pytest.raises(ArtifactError, match="holds 0 artifacts"):
        sttk.check(tmp_path / "none")
    folder = sttk.export(tiny, output=tmp_path, size=64)
    (folder / "model.onnx").write_bytes(b"another")
    with pytest.raises(ArtifactError):
        sttk.check(folder)


def test_check_finds_another_function(tiny, tmp_path, monkeypatch):
    folder = sttk.export(tiny, output=tmp_path, size=64)
    right = OnnxRuntimeRunner.run
    monkeypatch.setattr(OnnxRuntimeRunner, "run", lambda self, batch: right(self, batch) + 1)
    with pytest.raises(ParityError, match="parity fails"):
        sttk.check(folder)


@pytest.mark.parametrize(
    "options",
    [
        {"target": "none"},
        {"precision": "fp7"},
        {"size": 0},
        {"size": (0, 5)},
        {"deployment_target": "iOS17"},
        {"unheard_of": 1},
    ],
)
def test_wrong_exports_are_usage_errors(tiny, tmp_path, options):
    with pytest.raises(UsageError):
        sttk.export(tiny, output=tmp_path, **options)
    assert not list(tmp_path.iterdir())


def test_importing_it_is_light():
    heavy = "{'torch', 'numpy'} & set(sys.modules)"
    program = f"import sys, sttk; assert sttk.SttkError; assert not {heavy}"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert issubclass(UsageError, SttkError)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = sttk.nothing
