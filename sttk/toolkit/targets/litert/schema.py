"""The parts of TFLite's schema that sttk reads: types, and the options of operations."""

from __future__ import annotations

# The schema's TensorType -> the name in numpy, for types whose constants are read.
TYPES = {
    0: "float32",
    1: "float16",
    2: "int32",
    3: "uint8",
    4: "int64",
    6: "bool",
    7: "int16",
    9: "int8",
    10: "float64",
}
# The schema's ActivationFunctionType.
ACTIVATIONS = {0: "", 1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6", 4: "TANH"}
SAME, VALID = 0, 1  # Padding
REFLECT, SYMMETRIC = 0, 1  # MirrorPadMode
FUSED = "FusedActivationFunction"
_ARITHMETIC = (FUSED,)
_CORNERS = ("AlignCorners", "HalfPixelCenters")
_STRIDES = ("Padding", "StrideH", "StrideW", FUSED)
_WINDOW = (*_STRIDES, "DilationHFactor", "DilationWFactor")
_MASKS = ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask", "Offset")
# Operation -> the schema's table of its options, and the fields that are read.
OPTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "ADD": ("AddOptions", _ARITHMETIC),
    "CONCATENATION": ("ConcatenationOptions", ("Axis", FUSED)),
    "CONV_2D": ("Conv2DOptions", _WINDOW),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", _WINDOW),
    "DEPTH_TO_SPACE": ("DepthToSpaceOptions", ("BlockSize",)),
    "DIV": ("DivOptions", _ARITHMETIC),
    "GATHER": ("GatherOptions", ("Axis", "BatchDims")),
    "LEAKY_RELU": ("LeakyReluOptions", ("Alpha",)),
    "MEAN": ("ReducerOptions", ("KeepDims",)),
    "MIRROR_PAD": ("MirrorPadOptions", ("Mode",)),
    "MUL": ("MulOptions", _ARITHMETIC),
    "RESIZE_BILINEAR": ("ResizeBilinearOptions", _CORNERS),
    "RESIZE_NEAREST_NEIGHBOR": ("ResizeNearestNeighborOptions", _CORNERS),
    "SPACE_TO_DEPTH": ("SpaceToDepthOptions", ("BlockSize",)),
    "STRIDED_SLICE": ("StridedSliceOptions", _MASKS),
    "SUB": ("SubOptions", _ARITHMETIC),
    "SUM": ("ReducerOptions", ("KeepDims",)),
    "TRANSPOSE_CONV": ("TransposeConvOptions", _STRIDES),
}
