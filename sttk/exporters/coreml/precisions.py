"""Which operation of a program is computed in float16, by the plan.

coremltools casts operation by operation, and asks for each whether it is to be float16. Where an
operation is from it knows by a number that the traced program gives it, its debug handle: so each
operation of the trace gets a number, and the plan's precision is looked up by it. The precision is
that of :func:`cast_net`: a module's input is cast to the module's own, and
what happens between modules is done in that of its operands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sttk.toolkit.core.plan import Plan
from sttk.toolkit.host.optional import Lazy

if TYPE_CHECKING:
    import coremltools as ct
    import torch
    from coremltools.converters.mil.mil import scope
else:
    ct = Lazy("coremltools", "coreml")
    scope = Lazy("coremltools.converters.mil.mil.scope", "coreml")

_HANDLE = "debug_handle"


def compute_precision(plan: Plan, program: torch.export.ExportedProgram) -> Any:
    """What ``ct.convert`` takes as ``compute_precision``; numbers the program's operations if the
    plan is mixed.
    """
    if not plan.blocks:
        full = plan.default == "fp32"
        return ct.precision.FLOAT32 if full else ct.precision.FLOAT16
    full_handles = _numbered(plan, program)

    def in_half(operation: Any) -> bool:
        """What no operation of the trace became (casts of the picture) goes by the default."""
        handles = operation.scopes.get(scope.ScopeSource.EXIR_DEBUG_HANDLE) or ()
        return not any(handle in full_handles for handle in handles)

    return ct.transform.FP16ComputePrecision(op_selector=in_half)


def _numbered(plan: Plan, program: torch.export.ExportedProgram) -> frozenset[int]:
    """Number each operation; the numbers of those that are in float32."""
    full: set[int] = set()
    precisions: dict[Any, bool] = {}  # whether a value is in float32, by its node
    for number, node in enumerate(program.graph.nodes, 1):
        if node.op != "call_function":
            continue
        node.meta[_HANDLE] = number
        precisions[node] = _is_full(node, plan, precisions)
        if precisions[node]:
            full.add(number)
    return frozenset(full)


def _is_full(node: Any, plan: Plan, precisions: Mapping[Any, bool]) -> bool:
    own = plan.of(_module(node)) == "fp32"
    inputs = [given for given in node.all_input_nodes if given in precisions]
    if not _between_modules(node, inputs):
        return own
    # What was made outside came in through the module's entrance, which casts it.
    return any(precisions[i] if _is_within(i, _module(node)) else own for i in inputs)


def _between_modules(node: Any, inputs: list[Any]) -> bool:
    """Whether a module's own ``forward`` does this with what modules within it made."""
    return any(_module(given) != _module(node) and _is_within(given, _module(node))
               for given in inputs) or _module(node) in ("", "net")  # fmt: skip


def _module(node: Any) -> str:
    """The innermost module that the operation is from, by its name in the style net."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    return str(stack[-1][0]) if stack else ""


def _is_within(node: Any, module: str) -> bool:
    name = _module(node)
    return not module or name == module or name.startswith(f"{module}.")
