from __future__ import annotations

import dataclasses
import re

import jinja2
import pytest

from sttk.exporters import readme
from sttk.exporters.base import ExportRequest, Product
from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.core.shapes import Shapes

KINDS = {
    "onnx": ("fixed", "any", "range"),
    "openvino": ("fixed", "any", "range"),
    "trt": ("fixed", "range"),
    "coreml": ("fixed", "range", "enumerated"),
    "coreai": ("fixed", "any", "enumerated"),
    "ncnn": ("fixed", "any"),
    "litert": ("fixed", "any"),
    "executorch": ("fixed",),
    "web": ("any", "fixed"),
}
CASES = [(target, kind) for target, kinds in KINDS.items() for kind in kinds]


@pytest.mark.parametrize(
    ("target", "kind", "options"),
    [
        *((target, kind, {}) for target, kind in CASES),
        *(("coreml", kind, {"tensor_io": True}) for kind in KINDS["coreml"]),
    ],
)
def test_every_template_fills_for_every_kind(target, kind, options, text_of):
    text = text_of(target, kind, **options)
    assert "{{" not in text
    assert "{%" not in text
    assert text.count("```") % 2 == 0
    assert ("in `index.html`" if target == "web" else "in `model.") in text
    assert ("stylizedImage" in text) == (target == "coreml")
    for block in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        if block[0] != "python":
            assert block[1].count("{") == block[1].count("}") > 0
            assert block[1].count("(") == block[1].count(")")


def test_sizes_are_height_by_width_in_the_table_and_named_in_code(text_of):
    table = text_of("coreml", "fixed")
    assert "| sizes (height x width) | 64x96 only |" in table
    assert "Stretches the photo to 96 x 64" in table
    assert "shape: [1, 3, 64, 96]" in text_of("coreai", "fixed")
    assert "32x48 to 128x160; tuned for 64x96" in text_of("trt", "range")
    enumerated = text_of("coreml", "enumerated")
    assert "Of the model's sizes (96 x 64, 64 x 96, 128 x 128)" in enumerated
    assert "enumeratedImageSizes" in enumerated
    assert "VNCoreMLRequest" not in enumerated
    assert '"main_96x64" 96x64' in text_of("coreai", "enumerated")


def test_the_contract_is_the_nets(net, text_of):
    assert "any, with sides of at least 5 pixels" in text_of("onnx", "any")
    assert "rounded up to a multiple of 4" in text_of("onnx", "any")
    other = dataclasses.replace(net.contract, size_multiple=1)
    free = type(net)(net.net, other, net.origin)
    assert "| output size | same as the input |" in text_of("onnx", "any", of=free)
    odd = ExportRequest(net, shapes=Shapes.fixed(70, 90))
    assert "70x90 gives 72x92" in readme.readme("onnx", odd, Product("model.onnx"))
    image = text_of("coreml")
    assert "`image`: image, 8 bits per channel, RGB |" in image
    assert "shape (1, 3, H, W)" in text_of("coreml", tensor_io=True)
    assert "weights palette8" in text_of("coreml", precision="fp16", compress="palette8")


def test_names_and_shapes_are_the_targets(text_of):
    assert "| input | `image`: float32, 0 to 255, RGB, shape (B, 3, H, W) |" in text_of(
        "onnx", "any"
    )
    for kind in ("fixed", "any"):
        ncnn, litert = text_of("ncnn", kind), text_of("litert", kind)
        assert "| input | `in0`: float32, 0 to 255, RGB, shape (3, H, W) |" in ncnn
        assert "| output | `out0`: same type, clamped to 0 to 255 |" in ncnn
        assert "| input | `image`: float32, 0 to 255, RGB, shape (1, H, W, 3) |" in litert
        assert "| batch size | 1 |" in ncnn
        assert "| batch size | 1 |" in litert


def test_what_is_in_float16_is_the_targets(text_of):
    told = {target: text_of(target, precision="fp16") for target in KINDS}
    chosen = {target for target, text in told.items() if "runtime chooses its arithmetic" in text}
    assert chosen == {"openvino", "ncnn", "litert"}
    assert "| fp16: float16 weights and arithmetic |" in told["onnx"]
    assert "| fp16: float16 arithmetic, with weights rounded to it |" in told["executorch"]
    assert "| fp32: float32 weights and arithmetic |" in text_of("ncnn")


def test_what_a_checkpoint_says_cannot_break_the_page(net, text_of):
    card = {
        "licence": "free | <script>alert(1)</script>\n# Heading\n```",
        "painting\x1b[2J": "[click](http://x)",
        "long": "x" * 1000,
        "nested": {"left": "out"},
    }
    hostile = type(net)(net.net, net.contract, dataclasses.replace(net.origin, card=card))
    text = text_of("onnx", of=hostile)
    assert r"free \| \<script\>alert(1)\</script\> # Heading \`\`\` |" in text
    assert "\x1b" not in text
    assert "left" not in text
    assert max(map(len, text.splitlines())) < 300
    assert "ask its author" not in text
    bare = type(net)(net.net, net.contract, dataclasses.replace(net.origin, card={}))
    assert "ask its author" in text_of("onnx", of=bare)


def test_it_is_in_the_manifest_names_no_path_and_needs_no_template(net, make, monkeypatch):
    folder = make("onnx", size=(64, 96))
    text = (folder / "README.md").read_text()
    assert "README.md" in read_manifest(folder).files
    assert str(folder.parent) not in text
    assert net.origin.source not in text
    monkeypatch.setattr(readme, "_USAGE", "{target}/absent.md")
    plain = readme.readme("onnx", ExportRequest(net), Product("model.abacus"))
    assert "## Use" not in plain
    assert "`model.abacus`" in plain


def test_what_a_checkpoint_says_is_no_template_and_hides_no_fact(net, text_of):
    card = {"sha256": "0", "layout": "{{ model }}", "checkpoint": "{% if kind %}x{% endif %}"}
    origin = dataclasses.replace(net.origin, card=card)
    text = text_of("onnx", of=type(net)(net.net, net.contract, origin))
    assert f"| sha256 | `{origin.sha256}` |" in text
    assert f"| layout | {origin.layout} |" in text
    assert "| layout | {{ model }} |" in text
    assert "| checkpoint | {% if kind %}x{% endif %} |" in text


def test_a_template_that_names_no_value_is_an_error(net):
    template = readme._environment().from_string("{{ modle }}")
    with pytest.raises(jinja2.UndefinedError, match="'modle' is undefined"):
        template.render(model="model.onnx")


@pytest.mark.parametrize("target", KINDS)
def test_every_target_says_how_to_use_its_files(target, text_of):
    text = text_of(target)
    assert "before you ship it.\n\n## Use\n" in text or "of the painting.\n\n## Use\n" in text
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
