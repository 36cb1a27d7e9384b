"""The plan by which a target exports a net by default."""

from __future__ import annotations

from sttk.exporters import exporter
from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.precision.boundary import boundary_blocks


def usual_plan(target: str, net: StyleNet, precision: Precision | None = None) -> Plan:
    """Return the plan that keeps the target's promise on every device that it is meant for.

    Args:
        target: the target's name, such as ``executorch``.
        net: the style net, as it was loaded.
        precision: the requested precision, or None for the target's default.

    Returns:
        A plan with all of the net in that precision, except that the first and last blocks are in
        float32 if the target's ``float32_boundary`` has the precision.
    """
    able = exporter(target)
    default = precision or able.precisions[0]
    wide = boundary_blocks(net) if default in able.float32_boundary else ()
    return Plan.of_blocks(default, {name: "fp32" for block in wide for name in block.modules})
