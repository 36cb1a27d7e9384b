"""The matching of a model's tensors with the reference's blocks.

Both run in the same order, apart from what an exporter fused, split or left out. So the two lists
are aligned like two texts (Needleman and Wunsch 1970): of all ways to pair blocks and tensors in
order, the one with the most evidence is chosen. The main evidence is the SNR of the tensor against
the block in dB, which needs no names and so works for models from any exporter. A wrong tensor has
a low SNR; there the kind of the operation and the name of its weights, if the exporter kept it,
tell which block it belongs to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.parity.bisect.reference import Block
from sttk.toolkit.parity.bisect.snr import agreement
from sttk.toolkit.targets.intermediates import Intermediate

# Evidence in dB. Neighbours of one shape, such as a norm and its ReLU, agree to about 10 dB: the
# same kind counts for less than that, the same name for as much. The same shape counts for little,
# but places a block whose operation was replaced. Beyond float32's 24 bits no tensor is better.
_HIGHEST, _SHAPE, _KIND, _NAME = 150.0, 1.0, 5.0, 10.0
# Number of values of a tensor that are compared; more are not needed to recognise it.
_COMPARED = 1 << 16

# Names of the same operation in torch, ONNX, OpenVINO, Core ML, ncnn and LiteRT; lower case.
_KINDS = (
    {
        "conv2d",
        "conv",
        "convolution",
        "groupconvolution",
        "qlinearconv",
        "convolutiondepthwise",
        "conv_2d",
        "depthwise_conv_2d",
    },
    {
        "conv_transpose2d",
        "convtranspose",
        "convolutionbackpropdata",
        "conv_transpose",
        "deconvolution",
        "transpose_conv",
    },
    {"instance_norm", "instancenormalization", "mvn", "instancenorm"},
    {"batch_norm", "batchnormalization", "batchnorminference", "batchnorm"},
    {"group_norm", "groupnormalization", "groupnorm"},
    {"pad", "padding", "mirror_pad", "padv2", "concatenation"},
    {"relu"},
    {"relu6", "hardtanh", "clamp", "clip", "minimum", "maximum"},
    {"leaky_relu", "leakyrelu", "prelu", "relu"},
    {"add", "radd", "binaryop"},
    {"sub", "rsub", "subtract", "binaryop"},
    {"mul", "rmul", "multiply", "binaryop"},
    {"div", "truediv", "divide", "real_div", "binaryop"},
    {
        "interpolate",
        "upsample",
        "resize",
        "upsample_nearest_neighbor",
        "interp",
        "resize_nearest_neighbor",
        "resize_bilinear",
    },
    {"pixel_shuffle", "depthtospace", "pixelshuffle", "depth_to_space"},
    {"getitem", "slice", "stridedslice", "slice_by_index", "crop", "strided_slice"},
    {"fake_quantize_per_tensor_affine", "dequantizelinear", "fakequantize", "dequantize"},
    {"tanh"},
    {"sigmoid", "logistic"},
)
# A block that rounds to levels is matched by its kind alone: where the model rounds within its
# convolutions, as ncnn does, another tensor of that shape would be found at fault for them.
_QUANTISERS = ("fake_quantize_per_tensor_affine",)


def match(
    blocks: Sequence[Block], intermediates: Sequence[Intermediate], values: Mapping[str, Floats]
) -> list[Intermediate | None]:
    """Return each block's intermediate, or None where the model has no such tensor."""
    thinned = {name: _thinned(value) for name, value in values.items()}
    expected = [_thinned(block.expected) for block in blocks]
    intermediates = [
        intermediate for intermediate in intermediates if intermediate.tensor in values
    ]
    kinds = _kinds_of(intermediates, values)
    same_kind = [[_same_kind(block.function, kind) for kind in kinds] for block in blocks]

    def evidence(i: int, j: int) -> float:
        block, intermediate = blocks[i], intermediates[j]
        if values[intermediate.tensor].shape != block.expected.shape:
            return 0.0
        if block.function in _QUANTISERS and not same_kind[i][j]:
            return 0.0
        snr, _ = agreement(thinned[intermediate.tensor], expected[i], cancelled=block.cancelled)
        name = _NAME * any(_same_module(block.module, each) for each in intermediate.weights)
        return min(max(snr, 0.0), _HIGHEST) + _SHAPE + _KIND * same_kind[i][j] + name

    pairs = _aligned(
        [[evidence(i, j) for j in range(len(intermediates))] for i in range(len(blocks))]
    )
    return [None if j is None else intermediates[j] for j in pairs]


def _aligned(evidence: list[list[float]]) -> list[int | None]:
    """Return a column or None for each row, ascending, that maximise the sum of the evidence.

    Of two columns with the same sum the earlier one is taken.
    """
    columns = len(evidence[0]) if evidence else 0
    best = [[0.0] * (columns + 1)]
    for row in evidence:
        above, line = best[-1], [0.0]
        for j, value in enumerate(row):
            line.append(max(above[j + 1], line[j], above[j] + value))
        best.append(line)
    pairs: list[int | None] = [None] * len(evidence)
    i, j = len(evidence), columns
    while i and j:
        if best[i][j] == best[i][j - 1]:
            j -= 1
        elif best[i][j] == best[i - 1][j]:
            i -= 1
        else:
            i, j = i - 1, j - 1
            pairs[i] = j
    return pairs


def _thinned(x: Floats) -> Floats:
    step = max(1, math.ceil(math.sqrt(x.size / _COMPARED)))
    return x[..., ::step, ::step]


def _kinds_of(
    intermediates: Sequence[Intermediate], values: Mapping[str, Floats]
) -> list[set[str]]:
    """Return the kinds of each intermediate; an add of a convolution's bias is that kind, too."""
    kinds: list[set[str]] = []
    last: dict[tuple[int, ...], str] = {}  # kind of the previous intermediate, by shape
    for intermediate in intermediates:
        kind, shape = intermediate.kind.lower(), values[intermediate.tensor].shape
        before = last.get(shape, "")
        kinds.append({kind, before} if kind == "add" and "conv" in before else {kind})
        last[shape] = kind
    return kinds


def _same_kind(function: str, kinds: set[str]) -> bool:
    word = function.lower()
    return word in kinds or any(word in known and known & kinds for known in _KINDS)


def _same_module(module: str, weight: str) -> bool:
    """Return whether a weight is a module's, such as ``conv1.conv.weight`` of ``net.conv1.conv``.

    Exporters may drop the outer names or add to them.
    """
    stem = weight.rpartition(".")[0]
    if not stem or not module:
        return False
    return f".{module}".endswith(f".{stem}") or f".{stem}".endswith(f".{module}")
