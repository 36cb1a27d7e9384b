from __future__ import annotations

import json

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sttk.commands.options import SizeType
from sttk.toolkit.core.shapes import LARGEST_SIDE, Shapes, text

FIXED = Shapes.fixed(48, 80)
LISTED = Shapes.one_of([(64, 96), (256, 32), (48, 80)])
RANGE = Shapes.within((32, 64), (96, 128), (256, 512))
POINT = Shapes.within((64, 64), (64, 64), (64, 64))
ANY = Shapes.any()


def test_height_comes_first():
    assert text((480, 640)) == "480x640"
    assert str(Shapes.fixed(480, 640)) == "480x640"


@pytest.mark.parametrize(
    ("shapes", "kind", "name", "only", "default"),
    [
        (FIXED, "fixed", "48x80", (48, 80), (48, 80)),
        (Shapes.one_of([(48, 80)]), "fixed", "48x80", (48, 80), (48, 80)),
        (LISTED, "enumerated", "64x96+256x32+48x80", None, (64, 96)),
        (RANGE, "range", "32x64-256x512", None, (96, 128)),
        (POINT, "range", "64x64-64x64", None, (64, 64)),
        (ANY, "any", "dynamic", None, None),
    ],
)
def test_the_four_kinds(shapes, kind, name, only, default):
    assert (shapes.kind, str(shapes), shapes.only, shapes.default) == (kind, name, only, default)


def test_batches():
    assert [shapes.batch for shapes in (FIXED, LISTED, RANGE, ANY)] == [1, 1, 1, None]
    assert Shapes.fixed(8, 8, batch=4).batch == 4
    assert Shapes.fixed(8, 8, batch=None).batch is None


@pytest.mark.parametrize(
    ("shapes", "smallest", "promised"),
    [
        (FIXED, (48, 80), [(48, 80)]),
        (LISTED, (48, 32), [(64, 96), (256, 32), (48, 80)]),
        (RANGE, (32, 64), [(96, 128), (32, 64), (256, 512)]),
        (POINT, (64, 64), [(64, 64)]),
        (Shapes.within((8, 8), (8, 8), (16, 16)), (8, 8), [(8, 8), (16, 16)]),
        (ANY, None, []),
    ],
)
def test_what_is_promised(shapes, smallest, promised):
    assert shapes.smallest == smallest
    assert list(shapes.promised) == promised
    assert all(shapes.takes(size) for size in promised)


@pytest.mark.parametrize(
    ("shapes", "taken", "refused"),
    [
        (FIXED, [(48, 80)], [(80, 48), (48, 81), (47, 80)]),
        (LISTED, [(256, 32)], [(256, 96), (64, 32), (32, 256)]),
        (RANGE, [(32, 64), (256, 512), (33, 511)], [(31, 64), (32, 63), (257, 64), (32, 513)]),
        (POINT, [(64, 64)], [(64, 65), (63, 64)]),
        (ANY, [(1, 1), (7, 9999)], []),
    ],
)
def test_what_is_taken(shapes, taken, refused):
    assert all(shapes.takes(size) for size in taken)
    assert not any(shapes.takes(size) for size in refused)


BAD = [
    ({"sizes": ((0, 8),)}, "no height and width"),
    ({"sizes": ((8, -8),)}, "no height and width"),
    ({"sizes": ((8, 16385),)}, "from 1 to 16384"),
    ({"sizes": ((8, 8),), "least": (8, 8), "most": (16385, 8)}, "from 1 to 16384"),
    ({"sizes": ((8, 8.0),)}, "no height and width"),
    ({"sizes": ((True, 8),)}, "no height and width"),
    ({"sizes": ((8, "8"),)}, "no height and width"),
    ({"sizes": ((8, 8, 8),)}, "no height and width"),
    ({"sizes": ((8, 8), (8, 16), (8, 8))}, "named twice"),
    ({"batch": 0}, "a batch of 0"),
    ({"batch": 1.5}, "a batch of 1.5"),
    ({"batch": True}, "a batch of True"),
    ({"least": (8, 8)}, "a smallest and a largest"),
    ({"most": (8, 8)}, "a smallest and a largest"),
    ({"least": (8, 8), "most": (16, 16)}, "tuned for one size"),
    ({"sizes": ((8, 8), (9, 9)), "least": (8, 8), "most": (16, 16)}, "tuned for one size"),
    ({"sizes": ((7, 8),), "least": (8, 8), "most": (16, 16)}, "tuned for one size"),
    ({"sizes": ((8, 17),), "least": (8, 8), "most": (16, 16)}, "tuned for one size"),
    ({"sizes": ((8, 8),), "least": (8, 16), "most": (16, 8)}, "in it"),
    ({"sizes": ((8, 8),), "least": (8,), "most": (16, 16)}, "no height and width"),
]


@pytest.mark.parametrize(("fields", "reason"), BAD)
def test_what_cannot_be_is_refused(fields, reason):
    with pytest.raises(ValueError, match=reason):
        Shapes(**fields)


SIDE = st.integers(1, LARGEST_SIDE)
SIZE = st.tuples(SIDE, SIDE)
BATCH = st.none() | st.integers(1, 64)


@st.composite
def ranges(draw):
    heights, widths = (sorted(draw(st.tuples(SIDE, SIDE, SIDE))) for _ in range(2))
    return Shapes.within(*zip(heights, widths, strict=True))


ALL = st.one_of(
    st.builds(Shapes, st.lists(SIZE, max_size=4, unique=True).map(tuple), batch=BATCH), ranges()
)


@given(ALL)
def test_the_way_through_json_and_back(shapes):
    assert Shapes.from_dict(json.loads(json.dumps(shapes.to_dict()))) == shapes


@given(ALL, SIZE)
def test_nothing_smaller_than_the_smallest_is_taken(shapes, size):
    assert all(shapes.takes(promised) for promised in shapes.promised)
    if shapes.smallest and shapes.takes(size):
        assert size[0] >= shapes.smallest[0]
        assert size[1] >= shapes.smallest[1]
    if shapes.kind == "fixed":
        assert shapes.takes(size) == (size == shapes.only)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"sizes": [[8, 8]], "least": None, "most": None},
        {"sizes": None, "least": None, "most": None, "batch": 1},
        {"sizes": [8, 8], "least": None, "most": None, "batch": 1},
        {"sizes": [[8]], "least": None, "most": None, "batch": 1},
        {"sizes": [[8, [8]]], "least": None, "most": None, "batch": 1},
        {"sizes": [[8, 8]], "least": 8, "most": [16, 16], "batch": 1},
        {"sizes": [[8, 8]], "least": "88", "most": [16, 16], "batch": 1},
        {"sizes": [[8, 8]], "least": None, "most": None, "batch": "1"},
    ],
)
def test_what_a_file_may_hold_instead(fields):
    with pytest.raises((KeyError, TypeError, ValueError)):
        Shapes.from_dict(fields)


def test_the_largest_side_is_the_command_lines():
    assert Shapes.fixed(LARGEST_SIDE, 1).only == SizeType().convert(f"{LARGEST_SIDE}x1", None, None)
    with pytest.raises(click.BadParameter, match=f"sides are 1 to {LARGEST_SIDE}"):
        SizeType().convert(str(LARGEST_SIDE + 1), None, None)
