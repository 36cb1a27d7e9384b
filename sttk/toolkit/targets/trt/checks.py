"""Checks of a TensorRT engine that need no GPU: whether it is complete, is built for the requested
GPUs, has the precisions of the ONNX graph next to it, and belongs to that graph.

A check that lacks something (a manifest, the library, a known layout) is left out; the first check
reports an unknown layout.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sttk.toolkit.artifact.manifest import Manifest
from sttk.toolkit.core.errors import ArtifactError, ExportError, NotRunError
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.io.files import MOST_BYTES, read_bounded
from sttk.toolkit.runtimes.base import Check
from sttk.toolkit.targets.trt.engine import Header, convolutions, read_header
from sttk.toolkit.targets.trt.library import brief, builder, library, network

if TYPE_CHECKING:
    import onnx
else:
    onnx = Lazy("onnx", "trt")

_CONVOLUTIONS = ("Conv", "ConvTranspose")


@dataclass(frozen=True)
class _Engine:
    """An engine with the graph next to it and the artifact's manifest."""

    data: bytes
    header: Header
    graph: Path | None
    manifest: Manifest | None


def check(model: Path, manifest: Manifest | None) -> tuple[Check, ...]:
    """Check an engine; see ``Target.checks``."""
    try:
        data = read_bounded(model, MOST_BYTES)
        header = read_header(data)
    except (ArtifactError, ValueError) as error:
        return (Check("engine", False, str(error)),)
    graph = model.with_suffix(".onnx")
    if manifest and manifest.graph in manifest.files:
        graph = model.parent / str(manifest.graph)
    engine = _Engine(data, header, graph if graph.is_file() else None, manifest)
    made = [look(engine) for look in (_version, _size, _capabilities, _precisions, _parser)]
    return tuple(one for one in (*made, _bound(manifest)) if one)


def _bound(manifest: Manifest | None) -> Check | None:
    """Check that the manifest, whose files are verified, names both the engine and its graph."""
    if manifest is None:
        return None
    if manifest.graph not in manifest.files:
        return Check("bound", False, "the manifest names no graph of this engine")
    detail = f"{manifest.model} and {manifest.graph} are those of the manifest, by sha256"
    return Check("bound", True, detail)


def _version(engine: _Engine) -> Check:
    header = engine.header
    found = f"{header.library} {header.version}"
    wanted = engine.manifest.tools.get(header.library) if engine.manifest else None
    if wanted not in (None, header.version):
        return Check("engine", False, f"{found}; the manifest says {wanted}")
    if not header.known:
        found += "; size, capabilities and precisions not checked: its layout is not known"
    return Check("engine", True, found)


def _size(engine: _Engine) -> Check | None:
    wanted, found = engine.header.size, len(engine.data)
    if wanted is None:
        return None
    same = wanted == found
    detail = f"{found} bytes" if same else f"{found} bytes, and its header says {wanted}"
    return Check("size", same, detail)


def _capabilities(engine: _Engine) -> Check | None:
    found, manifest = engine.header.capabilities, engine.manifest
    if found is None:
        return None
    text = ", ".join(found) or "none"
    if manifest is None:
        return Check("capabilities", True, text)
    wanted = [str(name) for name in manifest.target.options.get("compute_capabilities") or ()]
    # Without a choice, the library builds a portable engine, which includes later GPUs.
    same = set(wanted) == set(found) if wanted else "later" in found
    if not same:
        text += f"; the manifest says {', '.join(wanted) or 'portable'}"
    return Check("capabilities", same, text)


def _precisions(engine: _Engine) -> Check | None:
    if engine.graph is None or not engine.header.known:
        return None
    try:
        model = onnx.load_model_from_string(read_bounded(engine.graph, MOST_BYTES))
    except NotRunError:
        return None
    # onnx raises what protobuf raises; whatever it is, this is not a graph.
    except Exception as error:
        return Check(
            "precisions", False, f"{engine.graph.name} is no ONNX graph: {brief(str(error))}"
        )
    return compare_precisions(engine.data, model)


def compare_precisions(data: bytes, model: onnx.ModelProto) -> Check:
    """Check that an engine runs each convolution of its graph in the graph's precision."""
    wanted, found = precisions(model), convolutions(data)
    others = [
        f"{name} {found.get(name, 'missing')}, not {precision}"
        for name, precision in wanted.items()
        if found.get(name) != precision
    ]
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        return Check("precisions", False, f"{'; '.join(others[:3])}{more}")
    counts = sorted(Counter(wanted.values()).items())
    detail = ", ".join(f"{count} of {len(wanted)} {precision}" for precision, count in counts)
    return Check("precisions", True, f"convolutions: {detail}")


def precisions(model: onnx.ModelProto) -> dict[str, str]:
    """Return the precision of each convolution in an ONNX graph, by node name.

    It is that of the input and the weights; for those that are dequantised right before the
    convolution, the quantised type.
    """
    types = _types(model)
    makers = {output: node for node in model.graph.node for output in node.output}

    def precision(name: str) -> str:
        maker = makers.get(name)
        if maker is not None and maker.op_type == "DequantizeLinear":
            name = maker.input[0]
        return types.get(name, "unknown")

    return {
        node.name: "/".join(sorted({precision(name) for name in node.input[:2]}))
        for node in model.graph.node
        if node.op_type in _CONVOLUTIONS
    }


def _types(model: onnx.ModelProto) -> dict[str, str]:
    """Return sttk's name of the type of each tensor in a graph."""
    tensor = onnx.TensorProto
    words = {
        tensor.FLOAT: "fp32",
        tensor.FLOAT16: "fp16",
        tensor.INT8: "int8",
        tensor.FLOAT8E4M3FN: "fp8",
    }
    graph = onnx.shape_inference.infer_shapes(model).graph
    values = [*graph.input, *graph.value_info, *graph.output]
    numbers = {value.name: value.type.tensor_type.elem_type for value in values}
    numbers |= {weight.name: weight.data_type for weight in graph.initializer}
    return {
        name: words.get(number) or tensor.DataType.Name(number).lower()
        for name, number in numbers.items()
    }


def _parser(engine: _Engine) -> Check | None:
    """Check that TensorRT's parser accepts the graph, if the library can be used here."""
    if engine.graph is None:
        return None
    try:
        trt = library(engine.header.library)
        network(trt, builder(trt), engine.graph)
    except NotRunError:
        return None
    except ExportError as error:
        return Check("parser", False, str(error))
    return Check("parser", True, f"{trt.__name__} {trt.__version__} takes {engine.graph.name}")
