"""Core AI: ``.aimodel`` packages for iOS and macOS 27, through ``coreai-torch``, which is in beta.

A model of several sizes has one function for each, over the same weights: ``main`` for the first,
``main_HxW`` for the others.
"""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sttk.exporters.base import ExportRequest, Product
from sttk.exporters.options import Options
from sttk.toolkit.core.errors import ExportError
from sttk.toolkit.core.shapes import Shapes, Size, text
from sttk.toolkit.host.memory import check_fits
from sttk.toolkit.host.optional import Lazy, versions
from sttk.toolkit.io.json_text import dumps, read_json
from sttk.toolkit.io.streams import quiet_library
from sttk.toolkit.precision import cast
from sttk.toolkit.targets.coreai import TARGET

if TYPE_CHECKING:
    import coreai.authoring as coreai_authoring
    import coreai_torch
    from coreai._compiler import ir as coreai_ir
else:
    coreai_torch = Lazy("coreai_torch", "coreai")
    coreai_authoring = Lazy("coreai.authoring", "coreai")
    coreai_ir = Lazy("coreai._compiler.ir", "coreai")

MODEL = TARGET.model
INPUT, OUTPUT = "image", "stylized"
_ENTRY = "main"
_MOST_METADATA = 1 << 20  # bytes; the file has 500
# torch.export specialises sizes of 1, and the trace must not be square, or it might confuse height
# and width.
_TRACE_SHAPE = (2, 3, 96, 128)
# Names that the library generates anew in each process: those of weights, by a seeded hash of their
# bytes (hexadecimal weights in the same text cannot match them), and those of private functions, at
# random.
_GENERATED = re.compile(r"\b(resource)_\d+\b|(?<=@)(\w+)_[a-z]{8}\b")


def export(request: ExportRequest[Options], folder: Path) -> Product:
    """See :class:`Exporter`."""
    shapes = request.shapes
    for size in shapes.sizes:
        check_fits(*size)
    with quiet_library():
        tools = versions("coreai", "torch", "coreai_torch")
        tools["coreai"] = metadata.version("coreai-core")
        try:
            _save(_with_stable_names(_convert(request)), folder / MODEL, request)
        # torch.export and the converter raise exceptions of many kinds.
        except Exception as error:
            reason = " ".join(str(error).split())[:300]
            raise ExportError(f"coreai-torch failed: {type(error).__name__}: {reason}") from error
    functions = {name: text(size) if size else str(shapes) for name, size in _entries(shapes)}
    listed = ", ".join(f'"{name}" {size}' for name, size in functions.items())
    return Product(MODEL, tools, {"functions": functions}, usage={"functions": listed})


def _entries(shapes: Shapes) -> list[tuple[str, Size | None]]:
    """Return the name and size of each function; None stands for any size."""
    first, *others = shapes.sizes or (None,)
    return [(_ENTRY, first), *((f"{_ENTRY}_{text(size)}", size) for size in others if size)]


def _convert(request: ExportRequest[Options]) -> coreai_authoring.AIProgram:
    net = cast.cast_net(request.net, request.plan)
    # Full debug information would include stack traces with this machine's paths.
    converter = coreai_torch.TorchConverter(mode=coreai_torch.TorchConverter.Mode.RELEASE)
    for name, size in _entries(request.shapes):
        converter.add_exported_program(
            _traced(net.eval(), request.shapes.batch, size),
            input_names=[INPUT],
            output_names=[OUTPUT],
            entrypoint_name=name,
        )
    return converter.to_coreai()


def _traced(net: nn.Module, batch: int | None, size: Size | None) -> torch.export.ExportedProgram:
    """Return the net as a program that does not decompose reflection pads and instance norms."""
    free = (*((0,) if batch is None else ()), *((2, 3) if size is None else ()))
    shape = (batch or _TRACE_SHAPE[0], 3, *(size or _TRACE_SHAPE[2:]))
    example: Tensor = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 255
    dynamic = (dict.fromkeys(free, torch.export.Dim.DYNAMIC),) if free else None
    program = torch.export.export(net, (example,), dynamic_shapes=dynamic)
    whole: torch.export.ExportedProgram
    whole = program.run_decompositions(coreai_torch.get_decomp_table())
    return whole


def _with_stable_names(program: coreai_authoring.AIProgram) -> coreai_authoring.AIProgram:
    """Return the program with its weights and private functions numbered in the order of their use.

    The same input then gives the same bytes. The names are replaced in the program's text, which is
    exact. The library has no public functions to write and read it; its version is pinned.
    """
    module = program._module._mlir_module  # noqa: SLF001
    written = module.operation.get_asm(large_elements_limit=None, enable_debug_info=True)
    names: dict[str, str] = {}

    def numbered(found: re.Match[str]) -> str:
        return names.setdefault(found[0], f"{found[1] or found[2]}_{len(names)}")

    with module.context:
        read = coreai_ir.Module.parse(_GENERATED.sub(numbered, written))
    return coreai_authoring.AIProgram._from_mlir_module(read)  # noqa: SLF001


def _save(program: coreai_authoring.AIProgram, path: Path, request: ExportRequest[Options]) -> None:
    """Write the package, without a date and with its metadata in order."""
    program.save_asset(path)
    origin, about = request.net.origin, path / "metadata.json"
    facts = read_json(about, _MOST_METADATA)
    facts.pop("creationDate", None)
    facts["description"] = f"Repaints a photograph in the style {origin.name}."
    facts["creatorDefinedMetadata"] = {
        "sttk.style": origin.name,
        "sttk.checkpoint.sha256": origin.sha256,
    }
    about.write_text(f"{dumps(facts)}\n", encoding="utf-8")
