from __future__ import annotations

import pytest

from sttk.toolkit.core.errors import ArtifactError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.parity.run import Judge, ParityConfig
from sttk.toolkit.targets import open_model
from sttk.toolkit.targets.coreml.package import read_package


def operations(spec):
    function = spec.mlProgram.functions["main"]
    return function.block_specializations[function.opset].operations


def flip(content):
    """A bit of the exponent of a weight in the middle: fp32, little-endian."""
    content[len(content) // 2 // 4 * 4 + 3] ^= 0x10
    return content


def replicate(spec):
    for op in operations(spec):
        if op.type == "const" and "mode" in op.outputs[0].name:
            op.attributes["val"].immediateValue.tensor.strings.values[:] = ["replicate"]


@pytest.mark.parametrize("fault", [{"weights": flip}, {"spec": replicate}], ids=["flip", "edge"])
def test_other_numbers_are_caught_by_parity(broken, model, net, photo, fault):
    judge = Judge(ParityConfig([photo], net, style=None))
    assert judge.model(model, "fp32").passed
    assert not judge.model(broken(**fault), "fp32").passed


def rename(spec):
    next(op for op in operations(spec) if op.type == "relu").type = "erf"


def neural_network(spec):
    spec.neuralNetwork.Clear()
    spec.neuralNetwork.SetInParent()


def two_inputs(spec):
    spec.description.input.add().CopyFrom(spec.description.input[0])


def bgr(spec):
    image = spec.description.input[0].type.imageType
    image.colorSpace = image.BGR


def no_size(spec):
    spec.description.input[0].type.imageType.height = 0


def another_name(spec):
    spec.description.output[0].name = "other"


def backward(spec):
    """A pad of a mode that there is not."""
    for op in operations(spec):
        if op.type == "const" and "mode" in op.outputs[0].name:
            op.attributes["val"].immediateValue.tensor.strings.values[:] = ["circular"]


def outside(content):
    content["itemInfoEntries"][content["rootModelIdentifier"]]["path"] = "../Manifest.json"


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({"weights": lambda content: content[: len(content) // 2]}, "cannot be loaded"),
        ({"weights": lambda content: b"nonsense" * 40}, "cannot be loaded"),
        ({"weights": lambda content: b""}, "cannot be loaded"),
        ({"spec": rename}, "the interpreter has no operation erf .run it on macOS"),
        ({"spec": backward}, "cannot be loaded|cannot run pad"),
        ({"spec": neural_network}, "not an ML program"),
        ({"spec": two_inputs}, "one input and one output"),
        ({"spec": bgr}, "image is not RGB"),
        ({"spec": no_size}, "not a style net: .* no height"),
        ({"spec": another_name}, "not the one that its spec describes"),
        ({"manifest": outside}, "names a file outside it"),
        ({"manifest": lambda content: content.clear()}, "Manifest.json is missing or broken"),
    ],
)
def test_packages_that_cannot_be_loaded(broken, fault, text):
    with pytest.raises(ArtifactError, match=text) as caught:
        open_model(broken(**fault))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["Manifest.json", "model.mlmodel", "weight.bin"])
def test_files_that_are_missing_or_nonsense(broken, name):
    package = broken()
    (file,) = package.rglob(name)
    file.write_bytes(b"\xff\x00nonsense")
    with pytest.raises(ArtifactError):
        open_model(package)
    file.unlink()
    with pytest.raises(ArtifactError):
        open_model(package)


def ranged(upper):
    def edit(spec):
        ranges = spec.description.input[0].type.imageType.imageSizeRange
        for each in (ranges.heightRange, ranges.widthRange):
            each.lowerBound, each.upperBound = 8, upper

    return edit


def test_what_a_spec_can_say_of_sizes(broken):
    package = broken(spec=ranged(100))
    assert read_package(package).input.shapes == Shapes.within((8, 8), (64, 96), (100, 100))
    assert read_package(broken(spec=ranged(-1))).input.shapes == Shapes(batch=1)
