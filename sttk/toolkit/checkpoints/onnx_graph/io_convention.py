"""A graph's I/O convention: the range of its values and the order of its channels.

It is given by the user (``FILE.onnx#input=0..1``), stated in the file's metadata, inferred from the
first and last operations, or measured on a photograph. The model card records which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sttk.toolkit.checkpoints.onnx_graph.errors import UnreadableError, shown
from sttk.toolkit.checkpoints.onnx_graph.modules import Affine, Clip, HardSigmoid
from sttk.toolkit.checkpoints.onnx_graph.program import Program, Step
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.imaging.regimes import photographs, shipped_photos

Range = tuple[float, float]
BYTES: Range = (0.0, 255.0)
_ONE: Range = (0.0, 1.0)
_SIGNED: Range = (-1.0, 1.0)
RANGES = {"0..255": BYTES, "0..1": _ONE, "-1..1": _SIGNED}
# Image.NominalPixelRange of Windows ML; style nets do not use its other values.
_NOMINAL = {"nominalrange_0_255": BYTES, "normalized_0_1": _ONE, "normalized_1_1": _SIGNED}
# ImageNet's RGB means, which nets with built-in VGG preprocessing subtract.
_MEANS = torch.tensor([123.68, 116.779, 103.939])
_ACTIVATIONS: dict[type[nn.Module], Range] = {
    nn.Sigmoid: (0.0, 1.0),
    HardSigmoid: (0.0, 1.0),
    nn.Tanh: (-1.0, 1.0),
    nn.ReLU6: (0.0, 6.0),
}
_PHOTO_SIDE = 128


@dataclass(frozen=True)
class IOConvention:
    """A graph's value ranges and channel order.

    Attributes:
        input: the range of the input's values.
        output: the range of the output's values.
        bgr: whether the channels are in BGR order.
        known: each of the above with how it is known, for the model card.
    """

    input: Range
    output: Range
    bgr: bool
    known: Mapping[str, str]


def io_convention(
    program: Program,
    net: nn.Module,
    contract: Contract,
    metadata: Mapping[str, str],
    choices: Mapping[str, str],
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
    bgr, channels_by = _channels(program, metadata, choices)
    known_input = _known_input(program, metadata, choices)
    output, output_by = _known_output(program, choices) or _measured(net, contract, known_input)
    input_range, input_by = known_input or (output, "a guess: as it gives them")
    known = {
        "input": f"{_text(input_range)} ({input_by})",
        "output": f"{_text(output)} ({output_by})",
        "channels": f"{'BGR' if bgr else 'RGB'} ({channels_by})",
    }
    return IOConvention(input_range, output, bgr, known)


def _text(values: Range) -> str:
    return next(text for text, known in RANGES.items() if known == values)


def _channels(
    program: Program, metadata: Mapping[str, str], choices: Mapping[str, str]
) -> tuple[bool, str]:
    if "channels" in choices:
        return choices["channels"].upper() == "BGR", "as asked for"
    # The oldest Windows ML files write the key without the dot.
    said = metadata.get("image.bitmappixelformat", metadata.get("imagebitmappixelformat"))
    if said is not None:
        if said[:3].lower() not in ("bgr", "rgb"):
            raise UnreadableError(f"its pictures are {shown(said)}, neither RGB nor BGR")
        return said[:3].lower() == "bgr", "Image.BitmapPixelFormat"
    means = _means(program)
    if means is not None and means.numel() == 3:
        for order, bgr in ((means, False), (means.flip(0), True)):
            for largest in (255.0, 1.0):
                if torch.allclose(order, _MEANS * largest / 255, rtol=0.01):
                    return bgr, "the means it subtracts"
    return False, "a guess: nothing says otherwise"


def _known_input(
    program: Program, metadata: Mapping[str, str], choices: Mapping[str, str]
) -> tuple[Range, str] | None:
    if "input" in choices:
        return RANGES[choices["input"]], "as asked for"
    said = metadata.get("image.nominalpixelrange")
    if said is not None:
        if said.lower() not in _NOMINAL:
            raise UnreadableError(f"its values are of {shown(said)}")
        return _NOMINAL[said.lower()], "Image.NominalPixelRange"
    first, means = _first(program), _means(program)
    if first is None or means is None:
        return None
    if float(means.abs().max()) > 16 or float(first.scale.abs().max()) < 0.05:
        return BYTES, "its first operations"
    return (_ONE, "its first operations") if 0.2 < float(means.mean()) < 0.8 else None


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


def _known_output(program: Program, choices: Mapping[str, str]) -> tuple[Range, str] | None:
    """Infer the output range from the last activation and the scales after it."""
    if "output" in choices:
        return RANGES[choices["output"]], "as asked for"
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
    return _nearest(float(limits.min()), float(limits.max())), f"its last operations, a {name}"


def _bounds(module: nn.Module) -> Range | None:
    if isinstance(module, Clip) and module.low is not None and module.high is not None:
        return module.low, module.high
    return _ACTIVATIONS.get(type(module))


def _nearest(low: float, high: float) -> Range:
    """Return the known range that values from ``low`` to ``high`` most likely use."""
    if high - low > 16:
        return BYTES
    return _SIGNED if low < -0.25 else _ONE


def _measured(
    net: nn.Module, contract: Contract, known_input: tuple[Range, str] | None
) -> tuple[Range, str]:
    """Measure the output range; with an unknown input range, find one that the net preserves."""
    side = max(_PHOTO_SIDE, contract.smallest_side)
    size = contract.output_size(side, side)
    (picture,) = photographs(shipped_photos()[:1], size)
    photo = torch.from_numpy(picture) / 255
    found = BYTES
    for low, high in [known_input[0]] if known_input else RANGES.values():
        with torch.inference_mode():
            values = net(low + (high - low) * photo).flatten()
        lowest, highest = values.quantile(torch.tensor([0.01, 0.99])).tolist()
        found = _nearest(lowest, highest)
        if known_input or found == (low, high):
            break
    return found, "measured on a photograph"
