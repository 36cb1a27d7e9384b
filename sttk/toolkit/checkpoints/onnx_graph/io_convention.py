"""A graph's I/O convention: the range of its values and the order of its channels.

It is given by the user (``FILE.onnx#input=0..1``), stated in the file's metadata, inferred from the
first and last operations, or guessed: measured on a photograph, or what is usual. The model card
records which, and each guess is one that commands print.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from sttk.toolkit.checkpoints.onnx_graph.errors import UnreadableError, shown
from sttk.toolkit.checkpoints.onnx_graph.modules import Affine, Clip, HardSigmoid
from sttk.toolkit.checkpoints.onnx_graph.program import Program, Step
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.convention import BYTES, NAMED, Convention, End, Guess
from sttk.toolkit.core.ends import Enter
from sttk.toolkit.imaging.regimes import photographs, shipped_photos
from sttk.toolkit.io.choices import Choices

_Bounds = tuple[float, float]
_ONE, _SIGNED, _IMAGENET, _CAFFE = (NAMED[text] for text in ("0..1", "-1..1", "imagenet", "caffe"))
# Image.NominalPixelRange of Windows ML; style nets do not use its other values.
_NOMINAL = {"nominalrange_0_255": BYTES, "normalized_0_1": _ONE, "normalized_1_1": _SIGNED}
# ImageNet's RGB means, which nets with built-in VGG preprocessing subtract.
_MEANS = torch.tensor([123.68, 116.779, 103.939])
_ACTIVATIONS: dict[type[nn.Module], _Bounds] = {
    nn.Sigmoid: (0.0, 1.0),
    HardSigmoid: (0.0, 1.0),
    nn.Tanh: (-1.0, 1.0),
    nn.ReLU6: (0.0, 6.0),
}
_PHOTO_SIDE = 128
_ASKED = "as asked for"


@dataclass(frozen=True)
class Known:
    """A fact about a graph: its value, how it is known, and whether that is a guess."""

    value: End
    by: str
    guessed: bool = False


@dataclass(frozen=True)
class IOConvention:
    """A graph's value ranges and channel order.

    Attributes:
        convention: what the graph takes and gives.
        card: each part of it with how it is known, for the model card.
        guesses: the parts that are guessed.
    """

    convention: Convention
    card: Mapping[str, str]
    guesses: tuple[Guess, ...]


def io_convention(
    program: Program,
    net: nn.Module,
    contract: Contract,
    metadata: Mapping[str, str],
    choices: Choices,
) -> IOConvention:
    """Determine the convention from the choices, the metadata, the graph or a measurement.

    Args:
        program: the graph's steps.
        net: the net that runs them, for the measurement.
        contract: the net's contract, for the size to measure at.
        metadata: the file's metadata, keys in lower case.
        choices: the user's choices, which override everything else.

    Raises:
        UnreadableError: the metadata names a range or channel order that is not known.
    """
    bgr, order_by, order_guessed = _channels(program, metadata, choices)
    given = _known_input(program, metadata, choices)
    output = _known_output(program, choices) or _measured(net, contract, given, bgr)
    # What is taken, where nothing says it, is what is given.
    taken = given or Known(output.value, "as it gives them", guessed=True)
    convention = Choices(taken.value, output.value, bgr or None).convention()
    order = convention.input.order
    if convention.input.bgr and not bgr:
        order_by, order_guessed = "as its values are Caffe's", taken.guessed or output.guessed
    facts = {
        "input": (taken.value.text, taken.by, taken.guessed),
        "output": (output.value.text, output.by, output.guessed),
        "channels": (order, order_by, order_guessed),
    }
    card = {key: f"{text} ({'a guess: ' * sure}{by})" for key, (text, by, sure) in facts.items()}
    return IOConvention(convention, card, tuple(_guesses(facts)))


def _guesses(facts: Mapping[str, tuple[str, str, bool]]) -> Iterator[Guess]:
    values = "|".join(NAMED)
    said = {"channels": "channels=rgb|bgr"}
    for what, (value, by, guessed) in facts.items():
        if guessed:
            yield Guess(
                what, value, f"{by}; the file does not say", said.get(what, f"{what}={values}")
            )


def _channels(
    program: Program, metadata: Mapping[str, str], choices: Choices
) -> tuple[bool, str, bool]:
    """Return whether the channels are BGR, how that is known, and whether it is a guess."""
    if choices.bgr is not None:
        return choices.bgr, _ASKED, False
    # The oldest Windows ML files write the key without the dot.
    said = metadata.get("image.bitmappixelformat", metadata.get("imagebitmappixelformat"))
    if said is not None:
        if said[:3].lower() not in ("bgr", "rgb"):
            raise UnreadableError(f"its pictures are {shown(said)}, neither RGB nor BGR")
        return said[:3].lower() == "bgr", "Image.BitmapPixelFormat", False
    bgr = _order_of(_means(program))
    if bgr is not None:
        return bgr, "the means it subtracts", False
    if choices.input or choices.output:  # which are of RGB, unless their name says otherwise
        return False, _ASKED, False
    return False, "as most nets have it", True


def _order_of(means: Tensor | None) -> bool | None:
    """Return whether means are ImageNet's in BGR order; None where they are not ImageNet's."""
    if means is None or means.numel() != 3:
        return None
    for order, bgr in ((means, False), (means.flip(0), True)):
        for largest in (255.0, 1.0):
            if torch.allclose(order, _MEANS * largest / 255, rtol=0.01):
                return bgr
    return None


def _known_input(program: Program, metadata: Mapping[str, str], choices: Choices) -> Known | None:
    if choices.input:
        return Known(choices.input, _ASKED)
    said = metadata.get("image.nominalpixelrange")
    if said is not None:
        if said.lower() not in _NOMINAL:
            raise UnreadableError(f"its values are of {shown(said)}")
        return Known(_NOMINAL[said.lower()], "Image.NominalPixelRange")
    first, means = _first(program), _means(program)
    if first is None or means is None:
        return None
    if float(means.abs().max()) > 16 or float(first.scale.abs().max()) < 0.05:
        return Known(BYTES, "its first operations")
    return Known(_ONE, "its first operations") if 0.2 < float(means.mean()) < 0.8 else None


def _first(program: Program) -> Affine | None:
    """Return the graph's first operation on the picture, if it is a scale and shift."""
    users = [step.module for step in program.steps if program.picture in step.inputs]
    return users[0] if len(users) == 1 and isinstance(users[0], Affine) else None


def _means(program: Program) -> Tensor | None:
    """Return the value of each channel that the first operation maps to 0."""
    first = _first(program)
    if first is None or not bool((first.scale != 0).all()):
        return None
    return (-first.shift / first.scale).flatten()


def _known_output(program: Program, choices: Choices) -> Known | None:
    """Infer the output range from the last activation and the scales after it."""
    if choices.output:
        return Known(choices.output, _ASKED)
    makers = {step.output: step for step in program.steps}
    scale, shift = torch.ones(1), torch.zeros(1)
    step: Step | None = makers.get(program.output)
    while step is not None and isinstance(step.module, Affine):
        shift = shift + scale * step.module.shift
        scale = scale * step.module.scale
        step = makers.get(step.inputs[0])
    bounds = _bounds(step.module) if step else None
    if step is None or bounds is None:
        return None
    limits = torch.stack([scale * bound + shift for bound in bounds])
    name = type(step.module).__name__.lower()
    value = _nearest(float(limits.min()), float(limits.max()))
    return Known(value, f"its last operations, a {name}")


def _bounds(module: nn.Module) -> _Bounds | None:
    if isinstance(module, Clip) and module.low is not None and module.high is not None:
        return module.low, module.high
    return _ACTIVATIONS.get(type(module))


def _nearest(low: float, high: float) -> End:
    """Return the known range that values from ``low`` to ``high`` most likely use."""
    if high - low > 16:
        return BYTES
    return _SIGNED if low < -0.25 else _ONE


def _normalised(low: float, high: float) -> End:
    """Return :func:`_nearest`, or a normalised range, of a photograph's darkest and lightest.

    Black and white are -2.1 and 2.6 in ImageNet's, and -124 and 151 in Caffe's.
    """
    if high - low > 16:
        return _CAFFE if low < -60 and high < 200 else BYTES
    return _IMAGENET if low < -1.4 and high > 1.4 else _nearest(low, high)


def _measured(net: nn.Module, contract: Contract, given: Known | None, bgr: bool) -> Known:
    """Measure the output range; with an unknown input range, find one that the net preserves."""
    side = max(_PHOTO_SIDE, contract.smallest_side)
    size = contract.output_size(side, side)
    (picture,) = photographs(shipped_photos()[:1], size)
    photo, found = torch.from_numpy(picture), BYTES
    for taken in [given.value] if given else NAMED.values():
        with torch.inference_mode():
            values = net(Enter(replace(taken, bgr=bgr or taken.bgr))(photo)).flatten()
        lowest, highest = values.quantile(torch.tensor([0.01, 0.99])).tolist()
        found = _normalised(lowest, highest)
        if given or found == taken:
            break
    return Known(found, "measured on a photograph", guessed=True)
