"""The choice of float16 or float32 for each operation of a program, by the plan.

coremltools casts each operation by itself, and asks for each whether it is to be float16. It knows
the origin of an operation by a number in the traced program, its debug handle: so each operation of
the trace gets a number, and the plan's precision is looked up by it. The precision is that of
:func:`cast_net`: a module's input is cast to the module's precision, and an operation between
modules has the precision of its operands.
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
    """Return the ``compute_precision`` for ``ct.convert``.

    If the plan is mixed, the program's operations are numbered.
    """
    if not plan.blocks:
        full = plan.default == "fp32"
        return ct.precision.FLOAT32 if full else ct.precision.FLOAT16
    full_handles = _numbered(plan, program)

    def in_half(operation: Any) -> bool:
        """Whether it is in float16, as are operations not from the trace (casts of the picture)."""
        handles = operation.scopes.get(scope.ScopeSource.EXIR_DEBUG_HANDLE) or ()
        return not any(handle in full_handles for handle in handles)

    return ct.transform.FP16ComputePrecision(op_selector=in_half)


def _numbered(plan: Plan, program: torch.export.ExportedProgram) -> frozenset[int]:
    """Number each operation, and return the numbers of those that are in float32."""
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
    # Values from outside the module were cast to its precision at its input.
    return any(precisions[i] if _is_within(i, _module(node)) else own for i in inputs)


def _between_modules(node: Any, inputs: list[Any]) -> bool:
    """Whether it is an operation of a module's own ``forward`` on the results of its submodules."""
    return any(_module(given) != _module(node) and _is_within(given, _module(node))
               for given in inputs) or _module(node) in ("", "net")  # fmt: skip


def _module(node: Any) -> str:
    """Return the name, in the style net, of the innermost module that the operation is from."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    return str(stack[-1][0]) if stack else ""


def _is_within(node: Any, module: str) -> bool:
    name = _module(node)
    return not module or name == module or name.startswith(f"{module}.")
