from __future__ import annotations

import ast
import dataclasses
import importlib
import io
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from exporters import TARGETS, readme
from exporters.base import Options, Product, Request
from toolkit.images import read_image, to_batch
from toolkit.manifest import read_manifest
from toolkit.runtimes import open_model
from toolkit.shapes import Shapes

STUBS = Path(__file__).parent / "stubs"
KINDS = {
    "fixed": Shapes.fixed(64, 96),
    "any": Shapes.any(),
    "range": Shapes.within((32, 48), (64, 96), (128, 160)),
    "enumerated": Shapes.one_of([(64, 96), (96, 64), (128, 128)]),
}
MODELS = {
    "onnx": ("model.onnx", ("fixed", "any", "range")),
    "openvino": ("model.xml", ("fixed", "any", "range")),
    "trt": ("model.engine", ("fixed", "range")),
    "coreml": ("model.mlpackage", ("fixed", "range", "enumerated")),
    "coreai": ("model.aimodel", ("fixed", "any", "enumerated")),
}
CASES = [(target, kind) for target, (_, kinds) in MODELS.items() for kind in kinds]
gxx = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ here")


def text_of(net, target, kind="fixed", *, precision="fp32", **options):
    functions = {"main": "64x96", "main_96x64": "96x64"} if target == "coreai" else {}
    product = Product(MODELS[target][0], {}, {"functions": functions})
    return readme.readme(target, Request(net, precision, KINDS[kind], Options(**options)), product)


def code(text, language):
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return found


def photo(path, height, width):
    rows, columns = np.mgrid[0:height, 0:width]
    rgb = np.stack([rows * 2, columns * 2, (rows // 8 + columns // 8) % 2 * 200], axis=-1)
    Image.fromarray(rgb.astype(np.uint8)).save(path, quality=95)


@pytest.fixture
def here(make, tmp_path, monkeypatch):
    """A copy of an artifact to work in, as the snippets ask for."""

    def artifact(target, **options):
        folder = shutil.copytree(make(target, **options), tmp_path / "artifact")
        monkeypatch.chdir(folder)
        return folder

    return artifact


needs_openvino = pytest.mark.skipif("openvino" not in TARGETS, reason="no such target yet")
RUN = [
    ("onnx", {"size": (64, 96)}, (64, 96)),
    ("onnx", {"size": (64, 96)}, (100, 70)),
    ("onnx", {"size": None}, (72, 100)),
    ("onnx", {"size": None, "precision": "fp16"}, (72, 100)),
    pytest.param("openvino", {"size": (64, 96)}, (64, 96), marks=needs_openvino),
    pytest.param("openvino", {"size": None}, (72, 100), marks=needs_openvino),
]


@pytest.mark.parametrize(("target", "options", "size"), RUN)
def test_the_python_snippet_does_what_sttk_does(target, options, size, here, sttk):
    folder = here(target, **options)
    photo("photo.jpg", *size)
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
    # Another thread count may be chosen, and so another order of sums: a rounding apart at most.
    assert np.abs(got - ours).max() <= (target != "onnx")


def test_the_python_snippet_takes_a_photo_of_odd_sides(here):
    """What comes back is rounded up to a multiple of 4 and cut back to the photo's size."""
    folder = here("onnx", size=None)
    photo("photo.jpg", 71, 101)
    exec(compile(code((folder / "README.md").read_text(), "python"), "snippet", "exec"), {})
    got = np.asarray(Image.open("stylized.png"))
    out = open_model(folder / "model.onnx").run(to_batch(read_image(Path("photo.jpg")).rgb))
    assert out.shape == (1, 3, 72, 104)
    assert (got == np.rint(out[0].transpose(1, 2, 0)[:71, :101])).all()


MAIN = """
#include <iostream>
#include <iterator>
int main() {
    std::vector<std::uint8_t> rgb{std::istreambuf_iterator<char>(std::cin), {}};
    ov::CompiledModel model = open_model();
    for (auto byte : stylize(model, rgb, 64, 96)) std::cout.put(static_cast<char>(byte));
}
"""


@pytest.mark.slow
@gxx
@needs_openvino
def test_the_openvino_snippet_in_cpp_compiles_and_does_what_sttk_does(here, sttk):
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
    photo("photo.png", 64, 96)
    rgb = np.asarray(Image.open("photo.png"))
    done = subprocess.run(["./app"], input=rgb.tobytes(), capture_output=True, check=True)
    got = np.frombuffer(done.stdout, np.uint8).reshape(64, 96, 3).astype(int)
    assert sttk("stylize", "photo.png", "-o", "ours.png", "--artifact", folder).exit_code == 0
    ours = np.asarray(Image.open("ours.png")).astype(int)
    assert ours.std() > 10
    assert np.abs(got - ours).max() <= 1


@gxx
@pytest.mark.parametrize("kind", ["fixed", "range"])
def test_the_tensorrt_snippet_in_cpp_has_a_compilers_blessing(kind, net, tmp_path):
    """Against stubs: the real headers come with neither library's wheels."""
    (tmp_path / "app.cpp").write_text(code(text_of(net, "trt", kind), "cpp"))
    command = ["g++", "-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror"]
    command += ["-isystem", STUBS, tmp_path / "app.cpp"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_tensorrt_snippet_in_python_uses_names_that_exist(net):
    trt = pytest.importorskip("tensorrt_rtx")
    torch = importlib.import_module("torch")
    classes = (trt, trt.Logger, trt.Runtime, trt.ICudaEngine, trt.IExecutionContext)
    others = (np, np.ndarray, Image, Image.Image, readme, torch, torch.Tensor, torch.cuda)
    others += (io.BufferedReader, importlib.import_module("PIL.ImageOps"))
    known = {name for each in (*classes, *others) for name in dir(each)}
    known |= {"cuda_stream", "wait_stream"}  # of a torch that is built for CUDA
    tree = ast.parse(code(text_of(net, "trt"), "python"))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert {"deserialize_cuda_engine", "execute_async_v3", "set_tensor_address"} < used
    assert used <= known


@pytest.mark.parametrize(("target", "kind"), CASES)
@pytest.mark.parametrize("tensor_io", [False, True])
def test_every_template_fills_for_every_kind(target, kind, tensor_io, net):
    text = text_of(net, target, kind, tensor_io=tensor_io)
    assert "{{" not in text
    assert text.count("```") % 2 == 0
    assert MODELS[target][0] in text
    assert ("stylizedImage" in text) == (target == "coreml")
    for block in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        if block[0] != "python":
            assert block[1].count("{") == block[1].count("}") > 0
            assert block[1].count("(") == block[1].count(")")


def test_sizes_are_height_by_width_in_the_table_and_named_in_code(net):
    table = text_of(net, "coreml", "fixed")
    assert "| sizes (height x width) | 64x96, no other |" in table
    assert "Stretches the photo to 96 x 64" in table
    assert "shape: [1, 3, 64, 96]" in text_of(net, "coreai", "fixed")
    assert "32x48 to 128x160; tuned for 64x96" in text_of(net, "trt", "range")
    enumerated = text_of(net, "coreml", "enumerated")
    assert "96 x 64, 64 x 96, 128 x 128, as the model lists them" in enumerated
    assert "enumeratedImageSizes" in enumerated
    assert "VNCoreMLRequest" not in enumerated
    assert '"main_96x64" 96x64' in text_of(net, "coreai", "enumerated")


def test_the_contract_is_the_nets(net):
    assert "any, no side under 5 pixels" in text_of(net, "onnx", "any")
    assert "rounded up to a multiple of 4" in text_of(net, "onnx", "any")
    other = dataclasses.replace(net.contract, size_multiple=1)
    free = type(net)(net.net, other, net.origin)
    assert "| size of the output | that of the input |" in text_of(free, "onnx", "any")
    odd = Request(net, shapes=Shapes.fixed(70, 90))
    assert "70x90 gives 72x92" in readme.readme("onnx", odd, Product("model.onnx"))
    image = text_of(net, "coreml")
    assert "`image`: image, 8 bits a channel, RGB |" in image
    assert "shape (1, 3, H, W)" in text_of(net, "coreml", tensor_io=True)
    assert "weights palette8" in text_of(net, "coreml", precision="fp16", compress="palette8")
    assert "chooses its arithmetic" in text_of(net, "openvino", precision="fp16")


def test_what_a_checkpoint_says_cannot_break_the_page(net):
    card = {
        "licence": "free | <script>alert(1)</script>\n# Heading\n```",
        "painting\x1b[2J": "[click](http://x)",
        "long": "x" * 1000,
        "nested": {"left": "out"},
    }
    hostile = type(net)(net.net, net.contract, dataclasses.replace(net.origin, card=card))
    text = text_of(hostile, "onnx")
    assert r"free \| \<script\>alert(1)\</script\> # Heading \`\`\` |" in text
    assert "\x1b" not in text
    assert "left" not in text
    assert max(map(len, text.splitlines())) < 300
    assert "ask who made it" not in text
    bare = type(net)(net.net, net.contract, dataclasses.replace(net.origin, card={}))
    assert "ask who made it" in text_of(bare, "onnx")


def test_it_is_in_the_manifest_names_no_path_and_needs_no_template(net, make, tmp_path):
    folder = make("onnx", size=(64, 96))
    text = (folder / "README.md").read_text()
    assert "README.md" in read_manifest(folder).files
    assert str(folder.parent) not in text
    assert net.origin.source not in text
    plain = readme.readme("abacus", Request(net), Product("model.abacus"))
    assert "## Use" not in plain
    assert "`model.abacus`" in plain


def test_a_block_is_for_the_kinds_that_it_names():
    template = (
        "a\n{{#fixed any}}\nb {{x}}\n{{/}}\nc{{#image}} d{{/}}\n{{#tensor range}}\ne\n{{/}}\n"
    )
    fill = readme.fill
    assert fill(template, {"kinds": {"fixed", "image"}, "x": 1}) == "a\nb 1\nc d\n"
    assert fill(template, {"kinds": {"range", "tensor"}, "x": 1}) == "a\nc\ne\n"
    assert fill(template, {"kinds": {"range", "image"}, "x": 1}) == "a\nc d\n"
