"""The nets that sttk trains and saves in its own layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from sttk.toolkit.nets.johnson import JohnsonNet, JohnsonSpec
from sttk.toolkit.nets.mobile import MobileNet, MobileSpec

Spec = JohnsonSpec | MobileSpec
Net = JohnsonNet | MobileNet

KINDS: dict[str, type[Spec]] = {"johnson": JohnsonSpec, "mobile": MobileSpec}
# The values of ``sttk train --net`` and the spec that each stands for.
SIZES: dict[str, Spec] = {
    "johnson": JohnsonSpec(),
    "mobile-s": MobileSpec(expand=2),
    "mobile-m": MobileSpec(),
}


def build(spec: Spec) -> Net:
    """Return a net built from ``spec``, with random weights."""
    return JohnsonNet(spec) if isinstance(spec, JohnsonSpec) else MobileNet(spec)


def describe(spec: Spec) -> dict[str, Any]:
    """Return the spec as plain JSON values: ``net`` and ``spec``."""
    (net,) = (name for name, kind in KINDS.items() if isinstance(spec, kind))
    return {"net": net, "spec": asdict(spec)}


def spec_from(about: Mapping[str, Any]) -> Spec:
    """Invert :func:`describe`.

    Raises:
        KeyError, TypeError, ValueError: ``about`` does not describe a net.
    """
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in about["spec"].items()
    }
    kind: Callable[..., Spec] = KINDS[about["net"]]
    return kind(**values)
