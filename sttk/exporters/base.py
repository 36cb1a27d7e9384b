"""What an exporter is: a style net and a request in, model files out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.quantize.affine import LOWEST

SQUARE = Shapes.fixed(512, 512)


@dataclass(frozen=True)
class Options:
    """What else an exporter can be told; each says in ``OPTIONS`` which of these it reads.

    Attributes:
        opset: ONNX opset, for the targets that go through ONNX; None: 18, of fp8 21.
        simplify: simplify the graph, checked against the unsimplified one.
        compute_capabilities: GPUs that an engine is built for, such as ``8.6``; none: portable.
        deployment_target: oldest system that a Core ML package is for, such as ``iOS16``.
        compress: compression of a Core ML package's weights, such as ``palette8``, or None.
        tensor_io: arrays in and out of a Core ML package, rather than images.
        rewrites: change the net to one that is the same function and faster where it is to run.
        offers: further styles of a web page, named as for ``sttk.toolkit.styles.find``.
    """

    opset: int | None = None
    simplify: bool = True
    compute_capabilities: tuple[str, ...] = ()
    deployment_target: str = "iOS16"
    compress: str | None = None
    tensor_io: bool = False
    rewrites: bool = True
    offers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """What to export.

    Attributes:
        net: the style net, rewritten and quantised as ``precision`` asks for.
        precision: of weights and arithmetic; input and output stay float32 (of a Core ML image:
            8 bits). Of a plan, its default.
        shapes: the inputs that the model is to take.
        options: the rest.
        calibration: pictures to calibrate int8 on; none: those of the package.
        blocks: of a mixed plan, the blocks that are in a higher precision (``Plan.blocks``).
    """

    net: StyleNet
    precision: Precision = "fp32"
    shapes: Shapes = SQUARE
    options: Options = field(default_factory=Options)
    calibration: tuple[Path, ...] = ()
    blocks: tuple[tuple[str, Precision], ...] = ()

    @property
    def plan(self) -> Plan:
        """Which block is in which precision."""
        return Plan(self.precision, self.blocks)


@dataclass(frozen=True)
class Product:
    """What an exporter made; every file that it left in the folder belongs to the artifact.

    Attributes:
        model: name of the model within the folder that it was given: a file, or a package.
        tools: versions of the libraries that made it.
        options: what the manifest should say of how it was made.
        graph: name of the ONNX file that the model was compiled from, where it is kept beside it:
            what parity runs where the model itself cannot be run.
    """

    model: str
    tools: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    graph: str | None = None


@dataclass(frozen=True)
class Int8:
    """What a target and its runtimes can keep of int8.

    Attributes:
        zero_points: zero points of activations other than 0.
        least_scale: smallest scale of weights.
        lowest: smallest number that activations are rounded to; the largest is 127.
        outputs: what a convolution gives is rounded to int8, as well as what it reads.
    """

    zero_points: bool = True
    least_scale: float = 0.0
    lowest: int = LOWEST
    outputs: bool = False


class Exporter(Protocol):
    """One module per target; it alone knows the target's library.

    Attributes:
        PRECISIONS: that it can export, its default first.
        KINDS: of shapes that it can export (``Shapes.kind``), its default first.
        OPTIONS: names of the fields of :class:`Options` that it reads.
        INT8: what int8 it can keep; None for a target without.
        REWRITES: names of the rewrites that pay where its models are run.
        CARRIERS: type of the tensors in a block of each precision (sttk.toolkit.precision.cast).
        FLOAT_ENDS: precisions in which both ends of a net stay in float32, unless another plan is
            asked for: devices exist whose arithmetic breaks the promise without (``plans.py``).
    """

    PRECISIONS: tuple[Precision, ...]
    KINDS: tuple[str, ...]
    OPTIONS: tuple[str, ...]
    INT8: Int8 | None
    REWRITES: tuple[str, ...]
    CARRIERS: Mapping[Precision, torch.dtype]
    FLOAT_ENDS: tuple[Precision, ...]

    def export(self, request: Request, folder: Path) -> Product:
        """Write the model into ``folder``, which is empty and nobody else's.

        Raises:
            ExportError: it cannot be made, or what was made is not valid.
            UsageError: the request is not one that this target can take.
            MissingExtraError: the target's library is not installed.
        """
