from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.imaging.images import read_image
from sttk.toolkit.imaging.regimes import NAMES, Regimes, shipped_photos


@pytest.fixture(scope="module")
def any_size():
    return {sample.name: sample for sample in Regimes(shipped_photos(), Shapes.any())}


def of(samples, regime):
    return [sample.batch for sample in samples.values() if sample.regime == regime]


def test_a_model_of_any_size_is_tried_on_every_regime(any_size):
    assert {sample.regime for sample in any_size.values()} == set(NAMES) - {"size"}
    assert len(any_size) == len(Regimes(shipped_photos(), Shapes.any()))


def test_every_input_is_a_picture_of_whole_numbers(any_size):
    for sample in any_size.values():
        assert sample.batch.dtype == np.float32
        assert sample.batch.min() >= 0
        assert sample.batch.max() <= 255
        assert np.array_equal(sample.batch, np.rint(sample.batch))


def test_regimes_are_what_their_names_say(any_size):
    (photo, *_), (dark,), (bright,) = (of(any_size, name) for name in ("photo", "dark", "bright"))
    assert dark.max() <= 16
    assert bright.min() >= 191
    assert of(any_size, "low-contrast")[0].std() < photo.std() / 4
    assert set(np.unique(of(any_size, "saturated")[0])) == {0, 255}
    assert set(np.unique(of(any_size, "edges")[0])) == {0, 255}
    (ramp,) = of(any_size, "ramp")
    assert (np.diff(ramp[0, 0], axis=1) >= 0).all()
    assert (np.diff(ramp[0, 1], axis=0) >= 0).all()
    assert len(np.unique(of(any_size, "constant")[0])) == 1
    step = [
        np.abs(np.diff(x[0], axis=2)).mean()
        for x in (of(any_size, "blur")[0], *of(any_size, "photo"))
    ]
    assert step[0] < min(step[1:])


def test_sizes_are_odd_tiny_tall_wide_and_several_at_once(any_size):
    (odd,), (tall,), (wide,) = (of(any_size, name) for name in ("odd", "tall", "wide"))
    assert odd.shape[2] % 2 == odd.shape[3] % 2 == 1
    assert tall.shape[2] > 4 * tall.shape[3]
    assert wide.shape[3] > 4 * wide.shape[2]
    assert len(of(any_size, "batch")[0]) == 4


def test_the_same_every_time():
    one, other = (list(Regimes(shipped_photos()[:1], Shapes.fixed(40, 60))) for _ in range(2))
    assert all(np.array_equal(a.batch, b.batch) for a, b in zip(one, other, strict=True))


def test_every_promised_size_is_tried():
    takes = Shapes.within((32, 32), (48, 64), (80, 96))
    samples = list(Regimes(shipped_photos(), takes))
    assert {s.batch.shape[2:] for s in samples} == {(32, 32), (48, 64), (80, 96)}
    assert [s.name for s in samples if s.regime == "size"] == ["size 32x32", "size 80x96"]


def test_names_choose_and_a_batch_is_kept():
    takes = Shapes.fixed(32, 40, batch=3)
    (sample,) = Regimes(shipped_photos(), takes, names=("dark",))
    assert sample.batch.shape == (3, 3, 32, 40)
    assert not len(Regimes(shipped_photos(), takes, names=("tall",)))


def test_a_photograph_is_cut_to_fill_not_squeezed(photo):
    wide = next(iter(Regimes([photo], Shapes.fixed(36, 90), names=("photo",))))
    rgb = read_image(photo).rgb
    assert np.abs(wide.batch[0].transpose(1, 2, 0) - rgb[17:53]).mean() < 0.5


def test_tiny_is_as_tiny_as_the_net_takes(photo):
    sizes = {
        sample.regime: sample.batch.shape[2:]
        for sample in Regimes([photo], Shapes.any(), names=("tiny", "tall"), smallest=41)
    }
    assert sizes == {"tiny": (41, 41), "tall": (320, 64)}


@pytest.mark.parametrize(("batch", "several"), [(None, True), (1, False), (3, False)])
def test_several_at_once_are_for_what_takes_any_batch(photo, batch, several):
    names = {sample.regime for sample in Regimes([photo], Shapes(batch=batch))}
    assert ("batch" in names) == several


def test_photographs_of_one_name_are_told_apart(photo, tmp_path):
    files = []
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
        files.append(Path(shutil.copy(photo, tmp_path / folder / "cat.png")))
    files.insert(1, Path(shutil.copy(photo, tmp_path / "cat-2.png")))
    samples = Regimes(files, Shapes.fixed(32, 32), names=("photo",))
    names = [sample.name for sample in samples]
    assert names == ["cat 32x32", "cat-2 32x32", "cat-3 32x32", "cat-4 32x32"]
