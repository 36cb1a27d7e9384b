"""Paintings that cards name, among the user's files."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.imaging.images import read_image
from sttk.toolkit.io.files import sha256
from sttk.toolkit.styles.painting import CUT, find_painting, title


@pytest.fixture
def paintings(tmp_path):
    folder = tmp_path / "paintings"
    folder.mkdir()
    rgb = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(folder / "wave.jpg")
    return folder


@pytest.fixture
def card(paintings):
    return {"painting": "wave.jpg", "painting_sha256": sha256(paintings / "wave.jpg")}


def test_a_painting_is_found_by_name_and_digest(paintings, card, tmp_path):
    found = find_painting(card, [tmp_path, paintings], tmp_path)
    assert found == paintings / "wave.jpg"
    assert title(card) == "wave"


def test_another_file_of_that_name_is_refused(paintings, card, tmp_path):
    card["painting_sha256"] = "0" * 64
    with pytest.raises(UsageError, match="not the painting of the card"):
        find_painting(card, [paintings], tmp_path)
    with pytest.raises(UsageError, match="in none of the folders"):
        find_painting(card, [tmp_path], tmp_path)


def test_a_part_of_a_painting_is_cut_out_of_the_whole(paintings, card, tmp_path):
    whole = {"file": "wave.jpg", "sha256": card["painting_sha256"], "box": [5, 10, 45, 40]}
    part = {"painting": "wave-lower.png", "painting_sha256": "of the PNG", CUT: whole}
    found = find_painting(part, [paintings], tmp_path)
    assert (read_image(found).rgb == read_image(paintings / "wave.jpg").rgb[10:40, 5:45]).all()
    assert title(part) == "wave"
    whole["sha256"] = "0" * 64
    with pytest.raises(UsageError, match="not the painting of the card"):
        find_painting(part, [paintings], tmp_path)


def test_ink_is_cut_from_the_landscape(shared, tmp_path):
    from sttk.toolkit import styles

    card = styles.find("ink").origin.card
    found = find_painting(card, [shared / "styles"], tmp_path)
    assert read_image(found).rgb.shape == (389, 512, 3)
