"""The C++ sample, built against ncnn and run: its picture is torch's."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.toolkit import styles
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.imaging.images import to_batch
from tests.samples import fetched

SAMPLE = Path(__file__).parents[2] / "samples/cpp-ncnn"
PHOTO = Path(__file__).parents[2] / "sttk/toolkit/photos/cat.jpg"
# Models without weights: the picture as it is, and with three columns and two rows more.
SAME = "7767517\n2 2\nInput in 0 1 in0\nNoop out 1 1 in0 out0\n"
LARGER = "7767517\n2 2\nInput in 0 1 in0\nPadding out 1 1 in0 out0 1=2 3=3\n"
pytestmark = [pytest.mark.nightly, pytest.mark.timeout(3600)]


@pytest.fixture(scope="session")
def app(tmp_path_factory):
    """The sample, built as its README says; a warning fails."""
    prefix = fetched.ncnn()
    build = tmp_path_factory.mktemp("build")
    options = [f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_CXX_FLAGS=-Werror"]
    for command in (["-S", SAMPLE, "-B", build, *options], ["--build", build]):
        done = subprocess.run(["cmake", *command], capture_output=True, text=True, check=False)
        if "Could NOT find JPEG" in done.stderr or "Could NOT find PNG" in done.stderr:
            pytest.skip("no headers of libjpeg and libpng here")
        assert done.returncode == 0, done.stdout + done.stderr
    return build / "stylize"


@pytest.fixture(scope="session")
def net():
    return styles.find("ink-mobile-m").eval()


@pytest.fixture(scope="session")
def model(net, tmp_path_factory):
    """A shipped net's artifact: its .param and .bin."""
    pytest.importorskip("pnnx")
    request = ExportRequest(net, shapes=Shapes.any())
    folder = make_artifact("ncnn", request, tmp_path_factory.mktemp("model"))
    return folder / "model.param", folder / "model.bin"


@pytest.fixture
def weightless(tmp_path):
    """``weightless(SAME)``: a model's two files."""

    def write(text):
        param, binary = tmp_path / "model.param", tmp_path / "model.bin"
        param.write_text(text)
        binary.write_bytes(b"")
        return param, binary

    return write


def run(app, *args):
    return subprocess.run([app, *args], capture_output=True, text=True, check=False)


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


@pytest.mark.parametrize("size", [(512, 512), (301, 203), (33, 98)])
def test_a_photograph_comes_out_as_torch_makes_it(app, model, net, size, tmp_path, record_property):
    with Image.open(PHOTO) as photo:
        ImageOps.fit(photo.convert("RGB"), size).save(tmp_path / "photo.png")
    done = run(app, *model, tmp_path / "photo.png", tmp_path / "out.png", "--threads", "1")
    assert (done.returncode, done.stderr) == (0, "")
    width, height = size
    told = rf"\S+out\.png: {width}x{height}, net \d+\.\d ms, \d+\.\d FPS, 1 threads\n"
    assert re.fullmatch(told, done.stdout)
    image = torch.from_numpy(to_batch(pixels(tmp_path / "photo.png").astype(np.uint8)))
    with torch.no_grad():
        wanted = net(image)[0, :, :height, :width].numpy().transpose(1, 2, 0)
    got = pixels(tmp_path / "out.png")
    difference = np.abs(got - np.rint(wanted))
    # Sums in another order, so a value here and there is rounded the other way.
    assert difference.max() <= 1, difference.max()
    assert difference.mean() < 0.001, difference.mean()
    assert got.std() > 10


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_as_its_exif_says(app, weightless, orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    with Image.open(PHOTO) as photo:
        photo.resize((120, 80)).save(tmp_path / "photo.jpg", exif=exif)
    done = run(app, *weightless(SAME), tmp_path / "photo.jpg", tmp_path / "out.png")
    assert (done.returncode, done.stderr) == (0, "")
    with Image.open(tmp_path / "photo.jpg") as photo:
        upright = np.asarray(ImageOps.exif_transpose(photo)).astype(int)
    got = pixels(tmp_path / "out.png")
    assert got.shape == upright.shape
    # Another build of libjpeg may round another way.
    assert np.abs(got - upright).max() <= 2


def test_what_the_net_adds_is_cut_off(app, weightless, tmp_path):
    with Image.open(PHOTO) as photo:
        photo.resize((61, 47)).save(tmp_path / "photo.png")
    done = run(app, *weightless(LARGER), tmp_path / "photo.png", tmp_path / "out.png")
    assert (done.returncode, done.stderr) == (0, "")
    assert (pixels(tmp_path / "out.png") == pixels(tmp_path / "photo.png")).all()


def test_grey_and_transparent_pictures_are_read(app, weightless, tmp_path):
    Image.new("L", (40, 40), 90).save(tmp_path / "grey.jpg")
    Image.new("RGBA", (40, 40), (10, 20, 30, 0)).save(tmp_path / "clear.png")
    for name, level in (("grey.jpg", 90), ("clear.png", 255)):
        assert run(app, *weightless(SAME), tmp_path / name, tmp_path / "out.png").returncode == 0
        assert (pixels(tmp_path / "out.png") == level).all()


def test_errors_are_one_line_and_leave_no_file(app, weightless, tmp_path):
    photo, out = tmp_path / "photo.jpg", tmp_path / "out.png"
    Image.effect_noise((64, 64), 50).convert("RGB").save(photo)
    Image.new("RGB", (64, 31)).save(tmp_path / "flat.png")
    Image.new("CMYK", (64, 64)).save(tmp_path / "cmyk.jpg")
    (tmp_path / "half.jpg").write_bytes(photo.read_bytes()[:1500])
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "half.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    model = weightless(SAME)
    wrong = [
        ([], 2, "usage: stylize MODEL"),
        ([*model, photo, out, "--threads", "two"], 2, "two: not a number"),
        ([*model, photo, out, "--tile"], 2, "usage"),
        ([*model, photo, tmp_path / "out.jpg"], 2, "only .png"),
        ([tmp_path / "none.param", model[1], photo, out], 2, "cannot be read"),
        ([*model, tmp_path / "none.jpg", out], 2, "No such file"),
        ([*model, tmp_path / "flat.png", out], 2, "under 32 pixels"),
        ([*model, tmp_path / "cmyk.jpg", out], 2, "color conversion"),
        ([*model, tmp_path / "half.jpg", out], 2, "Premature end"),
        ([*model, tmp_path / "text.jpg", out], 2, "neither JPEG nor PNG"),
        ([*model, tmp_path / "half.png", out], 2, "half.png: "),
        ([*model, photo, tmp_path / "none/out.png"], 1, "No such file"),
    ]
    for args, code, said in wrong:
        done = run(app, *args)
        assert (done.returncode, done.stdout) == (code, ""), done
        assert re.fullmatch(rf"stylize: [^\n]*{said}[^\n]*\n", done.stderr), done
    assert not list(tmp_path.glob("out*"))
