"""The plan by which a target exports a net where nobody names another."""

from __future__ import annotations

from sttk.exporters import exporter
from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.precision.boundary import boundary_blocks


def usual_plan(target: str, net: StyleNet, precision: Precision | None = None) -> Plan:
    """What keeps the target's promise in the arithmetic of every device that it is for.

    Args:
        target: such as ``executorch``.
        net: the style net, as it was loaded.
        precision: that is asked for, or None for the target's own default.

    Returns:
        All of the net in that precision, but for both its ends in float32 where the target's
        ``float32_boundary`` says so.
    """
    able = exporter(target)
    default = precision or able.precisions[0]
    ends = boundary_blocks(net) if default in able.float32_boundary else ()
    return Plan.of_blocks(default, {name: "fp32" for end in ends for name in end.modules})
