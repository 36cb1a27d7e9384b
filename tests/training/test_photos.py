from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from sttk.toolkit.core.errors import TrainingError
from sttk.toolkit.training import photos
from sttk.toolkit.training.data import Crops
from sttk.toolkit.training.photos import Photos

FLAT = {
    "white": np.full((48, 64, 3), 255, np.uint8),
    "black": np.zeros((48, 64, 3), np.uint8),
    "red": np.broadcast_to(np.array([200, 10, 10], np.uint8), (48, 64, 3)),
    "rounded": np.random.default_rng(0).integers(92, 94, (48, 64, 3), dtype=np.uint8),
}


@pytest.mark.parametrize("name", FLAT)
def test_pictures_of_one_colour_are_left_out(content, name):
    Image.fromarray(FLAT[name]).save(content / f"{name}.png")
    crops = Crops(Photos.scan([content]), range(8), 32, seed=0)
    assert not any(photos.is_flat(crop.permute(1, 2, 0).numpy()) for crop in crops[0])
    assert [name in reason for reason in crops.photos.skipped] == [True]
    assert photos.is_flat(FLAT[name])
    for i in range(3):
        (content / f"{i}.jpg").unlink()
    with pytest.raises(TrainingError, match=r"none of the 1 pictures in .* one colour throughout"):
        Photos.scan([content])


def test_a_crop_of_a_clipped_sky_is_drawn_again(content, monkeypatch):
    sky = np.full((96, 32, 3), 255, np.uint8)
    sky[-4:] = np.random.default_rng(0).integers(0, 256, (4, 32, 3))
    for i in range(3):
        (content / f"{i}.jpg").unlink()
    Image.fromarray(sky).save(content / "sky.png")
    crops = Crops(Photos.scan([content]), range(16), 32, seed=0)
    batch = crops[0]
    assert all(crop.std() > 0 for crop in batch)
    assert torch.equal(batch, crops[0])
    assert not crops.broken
    monkeypatch.setattr(photos, "_FLAT", -1)
    assert not all(crop.std() > 0 for crop in crops[0])


def test_pictures_that_break_later_are_passed_over(content, monkeypatch):
    monkeypatch.setattr(photos, "_TRIED", 0)  # as in a folder of thousands
    whole = (content / "0.jpg").read_bytes()
    (content / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(FLAT["white"]).save(content / "white.png")
    crops = Crops(Photos.scan([content]), range(8), 32, seed=0)
    assert len(crops.photos.files) == 5
    batches = [crops[step] for step in range(4)]
    assert all(batch.std() > 10 for batch in batches)
    assert {file.name for file in crops.broken} == {"cut.jpg", "white.png"}
    assert torch.equal(batches[2], crops[2])
    for name in ("0.jpg", "1.jpg", "2.jpg"):
        (content / name).unlink()
    with pytest.raises(TrainingError, match="in a row could not be used"):
        crops[0]


def test_unreadable_pictures_are_named_and_skipped(content, tmp_path):
    (content / "broken.jpg").write_bytes(b"\xff\xd8 not much")
    photos = Photos.scan([content])
    assert len(photos.files) == 3
    assert len(photos.skipped) == 1
    assert "broken.jpg" in photos.skipped[0]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(TrainingError, match=r"no picture in .*empty"):
        Photos.scan([empty])


RGB = np.random.default_rng(1).integers(0, 256, (40, 48, 3), dtype=np.uint8)
MODES = {
    "L": "png", "LA": "png", "1": "png", "P": "png", "RGBA": "png", "I;16": "png", "CMYK": "jpg",
    "F": "tif", "YCbCr": "jpg",
}  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_pictures_of_every_mode_are_used(tmp_path, mode):
    picture = Image.fromarray(RGB)
    if mode == "I;16":
        picture = Image.fromarray(RGB[..., 0].astype(np.uint16) * 257)
    elif mode == "F":
        picture = Image.fromarray(RGB[..., 0].astype(np.float32) / 255)
    else:
        picture = picture.convert(mode)
    picture.save(tmp_path / f"x.{MODES[mode]}")
    found = Photos.scan([tmp_path], 32)
    assert not found.skipped
    batch = Crops(found, range(2), 32, seed=0)[0]
    assert batch.shape == (2, 3, 32, 32)
    assert batch.std() > 10


def test_what_cannot_be_used_is_named_once_with_the_reason(content):
    whole = (content / "0.jpg").read_bytes()
    (content / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (content / "empty.png").write_bytes(b"")
    (content / "page.jpg").write_text("<!doctype html>")
    Image.fromarray(RGB[:20, :24]).save(content / "tiny.png")
    Image.fromarray(np.resize(RGB, (900, 9, 3))).save(content / "strip.png")
    found = Photos.scan([content], 96)
    assert [file.name for file in found.files] == ["0.jpg", "1.jpg", "2.jpg"]
    reasons = dict(zip((line.split(":")[0] for line in found.skipped), found.skipped, strict=True))
    assert {
        name.rpartition("/")[2]: line.partition(": ")[2][:24] for name, line in reasons.items()
    } == {
        "cut.jpg": "not a readable picture: ",
        "empty.png": "not a readable picture: ",
        "page.jpg": "not a readable picture: ",
        "strip.png": "9x900 is too narrow to c",
        "tiny.png": "24x20 is too small for c",
    }


def test_a_small_picture_is_enlarged_up_to_four_times(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "x.png")
    assert Crops(Photos.scan([tmp_path], 160), range(1), 160, seed=0)[0].shape == (1, 3, 160, 160)
    with pytest.raises(TrainingError, match="48x40 is too small for crops of 164 pixels"):
        Photos.scan([tmp_path], 164)


def test_a_large_folder_of_broken_pictures_is_refused_by_a_sample(content, monkeypatch):
    whole = (content / "0.jpg").read_bytes()
    for i in range(30):
        (content / f"cut {i}.jpg").write_bytes(whole[: len(whole) // 2])
    monkeypatch.setattr(photos, "_TRIED", 11)
    with pytest.raises(TrainingError, match=r"only 1 of 11 pictures tried in .* not a readable"):
        Photos.scan([content])
    monkeypatch.setattr(photos, "_TRIED", 64)
    assert len(Photos.scan([content]).files) == 3


def test_the_command_counts_and_names_what_is_left_out(sttk, content, photo, tmp_path):
    (content / "broken.jpg").write_bytes(b"\xff\xd8 not much")
    arguments = ["train", "--style", photo, "--content", content, "-o", tmp_path / "run"]
    arguments += ["--size", 32, "--width", 0.05, "--style-size", 64, "--steps", 1]
    result = sttk(*arguments)
    assert result.exit_code == 0, result.output
    assert result.stderr.count("broken.jpg: not a readable picture") == 1
    assert "from 3 photographs (1 left out)" in result.stdout
    for i in range(3):
        (content / f"{i}.jpg").unlink()
    result = sttk(*arguments, "--force")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: none of the 1 pictures in")
    assert len(result.stderr.splitlines()) == 1


def test_a_folder_with_a_blank_picture_trains(sttk, photo, tmp_path):
    folder = tmp_path / "with blank"
    folder.mkdir()
    Image.fromarray(FLAT["white"]).save(folder / "blank.png")
    (folder / "photo.png").write_bytes(photo.read_bytes())
    arguments = ["train", "--style", photo, "--content", folder, "-o", tmp_path / "run"]
    arguments += ["--size", 32, "--width", 0.05, "--style-size", 64, "--steps", 4, "--batch", 4]
    result = sttk(*arguments, "--precision", "fp32")
    assert result.exit_code == 0, result.output
    assert result.stderr.count("blank.png: it has one colour throughout") == 1
