"""What a report shows beside the figures."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from sttk.toolkit.imaging.regimes import Sample
from sttk.toolkit.parity import heat
from sttk.toolkit.parity.compare import Comparison
from sttk.toolkit.parity.observer import Observation
from sttk.toolkit.parity.pictures import Gallery, HeatMaps
from sttk.toolkit.parity.reference import References


def test_the_scale_is_logarithmic_and_ends():
    assert [heat.position(tick) for tick in (heat.TICKS[0], heat.TICKS[-1])] == [0, 1]
    steps = np.diff([heat.position(tick) for tick in heat.TICKS[:-1]])
    assert np.allclose(steps, steps[0])
    assert (heat.position(0.0), heat.position(1e9)) == (0, 1)


def test_a_heat_map_gets_brighter_with_the_error():
    errors = np.array([[0, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 255]])
    image = heat.to_image(errors).convert("RGB")
    light = np.asarray(image.convert("L")).astype(int)[0]
    assert (np.diff(light) >= 0).all()
    assert light[0] == light[1] < 5
    assert light[-1] > 200


def test_what_is_no_number_has_a_colour_of_its_own():
    image = heat.to_image(np.array([[np.nan, np.inf, 255.0]])).convert("RGB")
    assert [image.getpixel((x, 0)) for x in range(2)] == [heat.NOT_FINITE] * 2
    assert image.getpixel((2, 0)) != heat.NOT_FINITE


def test_no_bad_pixel_is_averaged_away():
    errors = np.zeros((1000, 700))
    errors[999, 350] = 200
    small = heat.pooled(errors, 256)
    assert max(small.shape) <= 256
    assert (small == 200).sum() == 1
    assert heat.pooled(errors, 1000) is not errors
    assert np.array_equal(heat.pooled(errors, 1000), errors)


def test_a_heat_map_for_itself_has_a_legend():
    alone = heat.with_legend(heat.to_image(np.zeros((8, 32))))
    assert alone.width == 256
    assert alone.height > 8 * 8
    legend = np.asarray(alone)[64:]
    assert len(np.unique(legend.reshape(-1, 3), axis=0)) > 30


@pytest.fixture
def seen(net, photo):
    """One input, with an output of one's choice."""
    pixels = np.asarray(Image.open(photo).convert("RGB").resize((96, 64)), np.float32)
    batch = np.repeat(pixels.transpose(2, 0, 1)[None], 2, axis=0)
    sample, references = Sample("some 64x96", batch), References(net)
    answer = references.of(batch)

    def look(change, **more):
        output = change(answer.exact.astype(np.float32).copy())
        row = Comparison("exact").verdict(sample, output, answer)
        return dataclasses.replace(Observation(sample, output, answer, row), **more)

    return look


def border(exact):
    exact[1, :, :4] += 30
    return exact


def opened(data):
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB")


def test_an_exhibit_shows_the_worst_of_a_batch(seen):
    gallery = Gallery()
    gallery(seen(border))
    (exhibit,) = gallery.exhibits
    assert exhibit.number == 2
    assert opened(exhibit.input).size == opened(exhibit.output).size == (96, 64)
    apart = np.asarray(opened(exhibit.heat_map).convert("L")).astype(int)
    assert apart[:4].mean() > 150
    assert apart[4:].mean() < 5
    changed = np.asarray(opened(exhibit.output)).astype(int) - np.asarray(opened(exhibit.reference))
    assert changed[:3].mean() > changed[8:].mean() + 5


def test_pictures_are_small(seen):
    def large(exact):
        return np.zeros((1, 3, 1000, 600), np.float32)

    gallery = Gallery()
    gallery(seen(large))
    (exhibit,) = gallery.exhibits
    assert opened(exhibit.output).size == (154, 256)
    assert exhibit.heat_map is None  # of another shape


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_outputs_that_are_no_pictures_are_shown_all_the_same(seen, value):
    def degrade(exact):
        exact[0, :, 10:20] = value
        return exact

    gallery = Gallery()
    gallery(seen(degrade))
    (exhibit,) = gallery.exhibits
    assert exhibit.number == 1
    assert opened(exhibit.heat_map).getpixel((5, 15)) == heat.NOT_FINITE


def test_a_model_that_did_not_run_has_no_picture(seen):
    gallery = Gallery()
    gallery(seen(border, output=None))
    gallery(seen(border, output=np.zeros((2, 1), np.float32)))
    for exhibit in gallery.exhibits:
        assert (exhibit.output, exhibit.reference, exhibit.heat_map) == (None, None, None)
        assert opened(exhibit.input).size == (96, 64)


def test_heat_maps_are_of_what_failed(seen, tmp_path):
    observer = HeatMaps(tmp_path / "model")
    observer(seen(lambda exact: exact))
    assert not list(tmp_path.iterdir())
    observer(seen(border))
    (file,) = (tmp_path / "model").iterdir()
    assert file.name == "some-64x96.png"
    with Image.open(file) as image:
        assert image.width == 96 * 3
