"""Figures of a net that was measured on three photographs."""

from __future__ import annotations

import pytest

from sttk.toolkit.evaluation.held_out import HeldOut, Measured, Optimised


def measured(name: str, total: float, noise: tuple[float, int | None]) -> Measured:
    losses = {"content": total - 40.0, "style": 40.0, "total": total}
    return Measured(name, losses, {"noise": Optimised(*noise), "content": Optimised(50.0, None)})


@pytest.fixture
def held() -> HeldOut:
    photographs = (
        measured("a", 100.0, (80.0, 60)),
        measured("b", 110.0, (120.0, None)),
        measured("c", 120.0, (100.0, 90)),
    )
    return HeldOut(photographs, 256, 100, 500, "a machine")
