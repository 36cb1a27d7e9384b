"""Contact sheets."""

from __future__ import annotations

import numpy as np
import pytest

from sttk.toolkit.imaging.images import Bytes
from sttk.toolkit.imaging.sheet import sheet


def plain(height: int, width: int, *colour: int) -> Bytes:
    return np.broadcast_to(np.uint8(colour), (height, width, 3)).copy()


RED, BLUE = (250, 0, 0), (0, 0, 250)


def test_pictures_stand_in_their_cells_whole() -> None:
    grid = [
        [plain(60, 80, *RED), plain(60, 80, *BLUE)],
        [plain(60, 80, *BLUE), plain(60, 80, *RED)],
    ]
    page = sheet(grid, ["photo", "ink"])
    red = (page == RED).all(axis=-1)
    assert red.sum() == 2 * 60 * 80
    rows, columns = np.nonzero(red)
    upper = rows < rows.mean()
    assert upper.sum() == 60 * 80
    assert columns[upper].max() < columns[~upper].min()


def test_smaller_pictures_are_centred() -> None:
    page = sheet([[plain(100, 100, *RED)], [plain(20, 40, *BLUE)]], ["a"])
    (top, bottom), (left, right) = (
        (axis.min(), axis.max()) for axis in np.nonzero((page == BLUE).all(axis=-1))
    )
    red = np.nonzero((page == RED).all(axis=-1))[1]
    assert (bottom - top, right - left) == (19, 39)
    assert abs(int(left + right) - int(red.min() + red.max())) <= 1


def test_names_and_labels_are_drawn_beside_the_pictures() -> None:
    grid = [[plain(60, 80, *RED)]]
    bare, named = sheet(grid, [""]), sheet(grid, ["starry"])
    labelled = sheet(grid, [""], ["conv1_1"])
    assert bare.shape == named.shape
    assert (named != bare).any(axis=-1).sum() > 30  # letters
    assert labelled.shape[1] > bare.shape[1] + 30
    for page in (bare, named, labelled):
        assert (page == RED).all(axis=-1).sum() == 60 * 80


def test_a_long_name_is_not_cut() -> None:
    grid = [[plain(60, 80, *RED), plain(60, 80, *RED)]]
    page = sheet(grid, ["conv1_1, conv2_1, conv3_1", "b"])
    assert (page[:, :4] == 255).all()
    assert page.shape[1] > sheet(grid, ["a", "b"]).shape[1]


@pytest.mark.parametrize(
    ("rows", "columns", "labels", "reason"),
    [
        ([], ["a"], [], "no pictures"),
        ([[plain(8, 8, *RED)]], ["a", "b"], [], "2 columns, rows of"),
        ([[plain(8, 8, *RED)]], ["a"], ["x", "y"], "2 labels, 1 rows"),
    ],
)
def test_what_does_not_fit_is_refused(
    rows: list[list[Bytes]], columns: list[str], labels: list[str], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        sheet(rows, columns, labels)
