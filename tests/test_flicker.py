from __future__ import annotations

import numpy as np
import pytest

from sttk.toolkit.evaluation.flicker import flicker


def frames(*levels):
    return [np.full((4, 4, 3), level, np.uint8) for level in levels]


def test_what_stands_still_and_changes_in_the_style_flickers():
    assert flicker(frames(100, 100, 103), frames(50, 60, 80)) == pytest.approx(15.0)
    assert flicker(frames(100, 100), frames(7, 7)) == 0.0


def test_what_moves_is_left_out():
    was, now = frames(100, 100)
    now[:2] = 200
    styled_was, styled_now = frames(50, 50)
    styled_now[:2] = 255
    styled_now[2:] = 54
    assert flicker([was, now], [styled_was, styled_now]) == pytest.approx(4.0)
    assert flicker(frames(0, 200), frames(1, 2)) is None
