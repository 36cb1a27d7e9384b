"""The code in an artifact's README does what sttk does."""

from __future__ import annotations

import ast
import ctypes
import importlib
import io
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.imaging.images import read_image, to_batch
from sttk.toolkit.targets import open_model
from tests.exporters.conftest import MODELS
from tests.samples import fetched

STUBS = Path(__file__).parent / "stubs"
gxx = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ here")


@pytest.fixture
def here(make, tmp_path, monkeypatch):
    """A copy of an artifact to work in, as the snippets ask for."""

    def artifact(target, **options):
        folder = shutil.copytree(make(target, **options), tmp_path / "artifact")
        monkeypatch.chdir(folder)
        return folder

    return artifact


# It is slow to import, and warns of what is deprecated in itself; an app's author sees that, too.
_EXECUTORCH = (pytest.mark.nightly, pytest.mark.filterwarnings("ignore"))
_LIBRARIES = {"ncnn": "ncnn", "litert": "ai_edge_litert", "executorch": "executorch"}
RUN = [
    ("onnx", {"size": (64, 96)}, (64, 96)),
    ("onnx", {"size": (64, 96)}, (100, 70)),
    ("onnx", {"size": None}, (72, 100)),
    ("onnx", {"size": None, "precision": "fp16"}, (72, 100)),
    pytest.param("openvino", {"size": (64, 96)}, (64, 96)),
    pytest.param("openvino", {"size": None}, (72, 100)),
    ("ncnn", {"size": (64, 96)}, (64, 96)),
    ("ncnn", {"size": (64, 96), "precision": "fp16"}, (100, 70)),
    ("ncnn", {"size": None}, (72, 100)),
    ("litert", {"size": (64, 96)}, (64, 96)),
    ("litert", {"size": (64, 96), "precision": "fp16"}, (100, 70)),
    ("litert", {"size": None}, (72, 100)),
    pytest.param("executorch", {"size": (64, 96)}, (64, 96), marks=_EXECUTORCH),
    pytest.param("executorch", {"size": (64, 96)}, (100, 70), marks=_EXECUTORCH),
]


@pytest.mark.parametrize(("target", "options", "size"), RUN)
def test_the_python_snippet_does_what_sttk_does(
    target, options, size, here, sttk, code, take_photo
):
    if target in _LIBRARIES:
        pytest.importorskip(_LIBRARIES[target])
    folder = here(target, **options)
    take_photo("photo.jpg", *size)
    exec(compile(code((folder / "README.md").read_text(), "python"), "snippet", "exec"), {})
    got = np.asarray(Image.open("stylized.png")).astype(int)
    taken = read_manifest(folder).target.shapes.only
    if taken and taken != size:
        assert got.shape == (*taken, 3)
        return
    assert got.std() > 10
    result = sttk("stylize", "photo.jpg", "-o", "ours.png", "--artifact", folder)
    assert result.exit_code == 0, result.output
    ours = np.asarray(Image.open("ours.png")).astype(int)
    # Another thread count may be chosen, and so another order of sums: a rounding apart at most,
    # and that here and there.
    assert np.abs(got - ours).max() <= 1
    assert (got != ours).mean() < 0.01


@pytest.mark.parametrize("target", ["onnx", "ncnn", "litert"])
def test_the_python_snippet_takes_a_photo_of_odd_sides(target, here, code, take_photo):
    """What comes back is rounded up to a multiple of 4 and cut back to the photo's size."""
    if target in _LIBRARIES:
        pytest.importorskip(_LIBRARIES[target])
    folder = here(target, size=None)
    take_photo("photo.jpg", 71, 101)
    exec(compile(code((folder / "README.md").read_text(), "python"), "snippet", "exec"), {})
    got = np.asarray(Image.open("stylized.png")).astype(int)
    out = open_model(folder / MODELS[target]).run(to_batch(read_image(Path("photo.jpg")).rgb))
    assert out.shape == (1, 3, 72, 104)
    ours = np.rint(out[0].transpose(1, 2, 0)[:71, :101])
    assert np.abs(got - ours).max() <= 1
    assert (got != ours).mean() < 0.01


MAIN = """
#include <iostream>
#include <iterator>
int main() {
    std::vector<std::uint8_t> rgb{std::istreambuf_iterator<char>(std::cin), {}};
    ov::CompiledModel model = open_model();
    for (auto byte : stylize(model, rgb, 64, 96)) std::cout.put(static_cast<char>(byte));
}
"""


@pytest.mark.nightly
@gxx
def test_the_openvino_snippet_in_cpp_compiles_and_does_what_sttk_does(here, sttk, code, take_photo):
    openvino = pytest.importorskip("openvino")
    home = Path(openvino.__file__).parent
    libraries = sorted(home.glob("libs/libopenvino.so.*"))
    if not (home / "include").is_dir() or not libraries:
        pytest.skip("this openvino has no headers")
    folder = here("openvino", size=(64, 96))
    Path("app.cpp").write_text(code((folder / "README.md").read_text(), "cpp") + MAIN)
    command = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "app.cpp", "-o", "app"]
    command += ["-isystem", home / "include", libraries[0], f"-Wl,-rpath,{home / 'libs'}"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    take_photo("photo.png", 64, 96)
    rgb = np.asarray(Image.open("photo.png"))
    done = subprocess.run(["./app"], input=rgb.tobytes(), capture_output=True, check=True)
    got = np.frombuffer(done.stdout, np.uint8).reshape(64, 96, 3).astype(int)
    assert sttk("stylize", "photo.png", "-o", "ours.png", "--artifact", folder).exit_code == 0
    ours = np.asarray(Image.open("ours.png")).astype(int)
    assert ours.std() > 10
    assert np.abs(got - ours).max() <= 1


NCNN_MAIN = """
#include <iostream>
#include <iterator>
int main() {
    std::vector<std::uint8_t> rgb{std::istreambuf_iterator<char>(std::cin), {}};
    ncnn::Net net;
    open_model(net);
    for (auto byte : stylize(net, rgb, 62, 95)) std::cout.put(static_cast<char>(byte));
}
"""


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@gxx
def test_the_ncnn_snippet_in_cpp_compiles_and_does_what_sttk_does(here, code, take_photo):
    pytest.importorskip("ncnn")
    built_ncnn = fetched.ncnn()
    folder = here("ncnn", size=None)
    Path("app.cpp").write_text(code((folder / "README.md").read_text(), "cpp") + NCNN_MAIN)
    (library,) = built_ncnn.glob("lib*/libncnn.a")
    command = ["g++", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "app.cpp", "-o", "app"]
    command += ["-isystem", built_ncnn / "include/ncnn", library, "-fopenmp", "-lpthread"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    take_photo("photo.png", 62, 95)
    rgb = np.asarray(Image.open("photo.png"))
    done = subprocess.run(["./app"], input=rgb.tobytes(), capture_output=True, check=True)
    got = np.frombuffer(done.stdout, np.uint8).reshape(62, 95, 3).astype(int)
    out = open_model(folder / "model.param").run(to_batch(rgb))
    ours = np.rint(out[0].transpose(1, 2, 0)[:62, :95])
    assert ours.std() > 10
    assert np.abs(got - ours).max() <= 1


@gxx
@pytest.mark.parametrize("kind", ["fixed", "range"])
def test_the_tensorrt_snippet_in_cpp_has_a_compilers_blessing(kind, tmp_path, text_of, code):
    """Against stubs: the real headers come with neither library's wheels."""
    (tmp_path / "app.cpp").write_text(code(text_of("trt", kind), "cpp"))
    command = ["g++", "-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror"]
    command += ["-isystem", STUBS, tmp_path / "app.cpp"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_tensorrt_snippet_in_python_uses_names_that_exist(text_of, code):
    trt = pytest.importorskip("tensorrt_rtx")
    classes = (trt, trt.Logger, trt.Runtime, trt.ICudaEngine, trt.IExecutionContext)
    others = (np, np.ndarray, Image, Image.Image, torch, torch.Tensor, torch.cuda)
    others += (io.BufferedReader, importlib.import_module("PIL.ImageOps"))
    known = {name for each in (*classes, *others) for name in dir(each)}
    known |= {"cuda_stream", "wait_stream"}  # of a torch that is built for CUDA
    tree = ast.parse(code(text_of("trt"), "python"))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert {"deserialize_cuda_engine", "execute_async_v3", "set_tensor_address"} < used
    assert used <= known


class FakeTensorRT(types.ModuleType):
    """TensorRT's classes over addresses in the CPU's memory; an ONNX model does the work."""

    def __init__(self, model):
        super().__init__("tensorrt_rtx")
        self.runner, self.shapes, self.addresses = open_model(model), {}, {}
        self.Logger = lambda severity: severity
        self.Logger.WARNING = 2
        self.Runtime = lambda logger: self

    def deserialize_cuda_engine(self, plan):
        assert plan == b"engine"
        return self

    def create_execution_context(self):
        return self

    def set_input_shape(self, name, shape):
        self.shapes["stylized"] = self.shapes[name] = shape
        return True

    def get_tensor_shape(self, name):
        return self.shapes[name]

    def set_tensor_address(self, name, address):
        shape = self.shapes[name]
        floats = ctypes.c_float * int(np.prod(shape))
        self.addresses[name] = np.ctypeslib.as_array(floats.from_address(address)).reshape(shape)
        return True

    def execute_async_v3(self, stream):
        self.addresses["stylized"][:] = self.runner.run(self.addresses["image"].copy())
        return stream == 7


def test_the_tensorrt_snippet_in_python_moves_the_right_bytes(
    make, tmp_path, monkeypatch, text_of, code, take_photo
):
    model = make("onnx", size=(64, 96)) / "model.onnx"
    stream = types.SimpleNamespace(
        cuda_stream=7, wait_stream=lambda other: None, synchronize=lambda: None
    )
    empty = torch.empty
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", FakeTensorRT(model))
    monkeypatch.setattr(torch, "empty", lambda shape, device: empty(shape))
    monkeypatch.setattr(torch.Tensor, "cuda", lambda self: self)
    monkeypatch.setattr(torch.cuda, "Stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: stream)
    monkeypatch.chdir(tmp_path)
    Path("model.engine").write_bytes(b"engine")
    take_photo("photo.jpg", 64, 96)
    exec(compile(code(text_of("trt"), "python"), "snippet", "exec"), {})
    out = open_model(model).run(to_batch(read_image(Path("photo.jpg")).rgb))
    got = np.asarray(Image.open("stylized.png"))
    assert (got == np.rint(out[0].transpose(1, 2, 0))).all()
