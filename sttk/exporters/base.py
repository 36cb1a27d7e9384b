"""The interface of exporters, which write a style net's model files as a request says.

Only an exporter's package, ``exporters/NAME``, makes a target's files. Its ``__init__.py`` defines
``EXPORTER`` and imports nothing heavy; ``export`` imports the rest when it is called.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sttk.exporters.options import Options
from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.shapes import Shapes

if TYPE_CHECKING:
    from sttk.toolkit.core.style_net import StyleNet

SQUARE = Shapes.fixed(512, 512)
FLOAT32 = Plan("fp32")
O_co = TypeVar("O_co", bound=Options, covariant=True)


@dataclass(frozen=True)
class ExportRequest(Generic[O_co]):
    """A request to export a style net.

    Attributes:
        net: the style net, rewritten and quantised as the plan requires.
        plan: the precision of each block's weights and arithmetic; input and output stay float32
            (8 bits in a Core ML image).
        shapes: the input shapes that the model must support.
        options: the exporter's own options; an instance of the base class stands for its defaults.
        calibration: the pictures to calibrate int8 on; none: those of the package.
        rewrite: whether the net may be rewritten as an equivalent function that is faster on the
            target.
    """

    net: StyleNet
    plan: Plan = FLOAT32
    shapes: Shapes = SQUARE
    options: O_co = field(default_factory=Options)  # type: ignore[assignment]
    calibration: tuple[Path, ...] = ()
    rewrite: bool = True

    @property
    def precision(self) -> Precision:
        """The plan's default, by which people call the model."""
        return self.plan.default


@dataclass(frozen=True)
class Product:
    """The result of an export; every file that it left in the folder belongs to the artifact.

    Attributes:
        model: the name of the model, a file or a package, within the exporter's folder.
        tools: the versions of the libraries that made it.
        options: the facts for the manifest on how it was made.
        graph: the name of the ONNX file that the model was compiled from, if it is kept next to it:
            parity runs it if the model itself cannot be run.
        image: whether input and output are 8-bit images rather than arrays.
        compressed: the name of the scheme that compressed the weights after conversion, or "".
        usage: further values for the target's ``usage.md``.
        digests: the sha256 of files that the exporter has hashed already, by name within the
            folder.
    """

    model: str
    tools: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    graph: str | None = None
    image: bool = False
    compressed: str = ""
    usage: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Int8:
    """The int8 quantisation that a target and its runtimes support.

    Attributes:
        zero_points: whether activations may have zero points other than 0.
        least_scale: the smallest scale of weights.
        lowest: the smallest number that activations are rounded to; the largest is 127.
        outputs: whether a convolution's output is rounded to int8 as well as its input.
    """

    zero_points: bool = True
    least_scale: float = 0.0
    lowest: int = -128
    outputs: bool = False


@dataclass(frozen=True)
class Exporter(Generic[O_co]):
    """One target's exporter.

    Attributes:
        make: a function that writes the model into a folder, which is empty and private. It raises
            ExportError if the model cannot be made or is not valid, UsageError if the target does
            not support the request, and MissingExtraError without the target's library.
        options: the class of its options.
        precisions: the precisions that it can export, its default first.
        kinds: the kinds of shapes that it can export (``Shapes.kind``), its default first.
        int8: the int8 quantisation that it supports; None for a target without int8.
        rewrites: the names of the rewrites that make its models faster.
        halves_arithmetic: whether fp16 includes the arithmetic; if not, only the weights on disk
            are float16, and blocks pass float32 to each other.
        half_int8: whether blocks of int8 pass float16 to each other.
        folds_float32: whether float32 models are scale-folded too (``prepare.py``), since some
            devices compute them in float16.
        float32_boundary: the precisions in which the first and last blocks of a net stay in
            float32, unless another plan is requested: some devices' arithmetic would break the
            promise otherwise (``plans.py``).
        searched: the options under which plans are searched, if not the defaults.
        default_styles: a function that returns the style and options to export if no style is
            named, or None for the package's own default.
    """

    make: Callable[[ExportRequest[Any], Path], Product]
    options: type[O_co]
    precisions: tuple[Precision, ...]
    kinds: tuple[str, ...]
    int8: Int8 | None = None
    rewrites: tuple[str, ...] = ()
    halves_arithmetic: bool = True
    half_int8: bool = False
    folds_float32: bool = False
    float32_boundary: tuple[Precision, ...] = ()
    searched: O_co | None = None
    default_styles: Callable[[Any], tuple[str, Options]] | None = None

    def export(self, request: ExportRequest[Any], folder: Path) -> Product:
        """Write the model into ``folder``; see ``make``."""
        return self.make(self.with_options(request), folder)

    def with_options(self, request: ExportRequest[Any]) -> ExportRequest[O_co]:
        """Return the request with this exporter's own options, or its defaults if it has none."""
        if isinstance(request.options, self.options):
            return request
        if type(request.options) is not Options:
            raise TypeError(f"{type(request.options).__name__} is no {self.options.__name__}")
        return dataclasses.replace(request, options=self.options())
