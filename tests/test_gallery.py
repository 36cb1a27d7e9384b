from __future__ import annotations

import io
import json
import os

import numpy as np
import pytest
from PIL import Image

from sttk.toolkit.core.errors import ImageError, RunError, UsageError
from sttk.toolkit.imaging import gallery
from sttk.toolkit.imaging.images import Picture, read_image
from sttk.workflows.choice import shares


def save(path, value=100, size=(16, 12)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)
    return path


def invert(pictures):
    return [Picture(255 - picture.rgb) for picture in pictures]


@pytest.fixture
def folder(tmp_path):
    """Two pictures, one of them below, and a file that only looks like one."""
    save(tmp_path / "in/a.png", 10)
    save(tmp_path / "in/deep/b.jpg", 20)
    (tmp_path / "in/broken.png").write_bytes(b"no picture")
    (tmp_path / "in/notes.txt").write_text("no picture")
    return tmp_path / "in"


def test_pictures_keep_their_places_and_broken_ones_do_not_stop_the_rest(folder, tmp_path):
    jobs = gallery.plan([str(folder)], tmp_path / "out")
    report = gallery.run(jobs, invert)
    assert sorted(report.done) == [tmp_path / "out/a.png", tmp_path / "out/deep/b.jpg"]
    assert read_image(tmp_path / "out/a.png").rgb[0, 0, 0] == 245
    assert len(report.failed) == 1
    assert "broken.png: not a readable picture" in report.failed[0]


def test_what_is_there_is_kept_unless_forced(folder, tmp_path):
    jobs = gallery.plan([str(folder)], tmp_path / "out")
    save(tmp_path / "out/a.png", 77)
    report = gallery.run(jobs, invert)
    assert (report.kept, len(report.done)) == ([tmp_path / "out/a.png"], 1)
    assert read_image(tmp_path / "out/a.png").rgb[0, 0, 0] == 77
    assert len(gallery.run(jobs, invert, force=True).done) == 2
    assert read_image(tmp_path / "out/a.png").rgb[0, 0, 0] == 245


def test_results_within_the_folder_are_not_done_again(folder):
    gallery.run(gallery.plan([str(folder)], folder / "styled"), invert)
    jobs = gallery.plan([str(folder)], folder / "styled")
    assert {job.source.name for job in jobs} == {"a.png", "b.jpg", "broken.png"}


def test_a_pattern_takes_pictures_only(folder, tmp_path):
    jobs = gallery.plan([str(folder / "**/*")], tmp_path / "out")
    assert sorted(job.target.name for job in jobs) == ["a.png", "b.jpg", "broken.png"]


def test_two_that_would_be_one_file_are_refused(tmp_path):
    one, other = save(tmp_path / "x/a.png"), save(tmp_path / "y/a.png")
    with pytest.raises(UsageError, match="would both be"):
        gallery.plan([str(one), str(other)], tmp_path / "out")
    with pytest.raises(UsageError, match="would both be"):
        gallery.plan([str(save(tmp_path / "z/a.gif")), str(one)], tmp_path / "out")


def test_no_pictures_at_all(tmp_path):
    with pytest.raises(ImageError, match="no pictures"):
        gallery.plan([str(tmp_path)], tmp_path / "out")


def test_batches_are_of_one_size_and_not_larger_than_asked(tmp_path):
    for index in range(5):
        save(tmp_path / f"in/{index}.png", size=(16, 12) if index != 3 else (8, 8))
    sizes = []

    def noted(pictures):
        sizes.append(len(pictures))
        return invert(pictures)

    gallery.run(gallery.plan([str(tmp_path / "in")], tmp_path / "out"), noted, batch=2)
    assert sizes == [2, 1, 1, 1]


def test_a_picture_that_the_net_refuses_is_reported(folder, tmp_path):
    def refuse(pictures):
        raise RunError("no luck")

    report = gallery.run(gallery.plan([str(folder / "a.png")], tmp_path / "out"), refuse)
    assert report.failed == [f"{folder / 'a.png'}: no luck"]


def test_a_picture_that_cannot_be_written_does_not_stop_the_rest(tmp_path):
    for name in "ac":
        save(tmp_path / f"in/{name}.jpg")
    Image.new("RGBA", (16, 12), (9, 9, 9, 99)).save(tmp_path / "in/b.jpg", format="PNG")

    def kept(pictures):
        return [Picture(255 - picture.rgb, picture.alpha) for picture in pictures]

    jobs = gallery.plan([str(tmp_path / "in")], tmp_path / "out")
    report = gallery.run(jobs, kept, batch=3)
    assert [target.name for target in report.done] == ["a.jpg", "c.jpg"]
    (said,) = report.failed
    assert said.startswith(f"{tmp_path / 'out/b.jpg'}: no opacity in this format")


def test_a_full_disk_ends_the_run(folder, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        gallery.run(gallery.plan([str(folder)], tmp_path / "out"), invert)
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_the_command(folder, checkpoint, sttk, tmp_path):
    arguments = ("stylize", folder, "-o", tmp_path / "out", "--checkpoint", checkpoint)
    result = sttk(*arguments, "--batch", 4)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1), result.output
    assert "1 of 3 failed" in result.stderr
    assert "2 stylised" in result.stdout
    again = sttk(*arguments, "--json")
    facts = json.loads(again.stdout)
    assert (again.exit_code, facts["done"], facts["kept"]) == (1, 0, 2)


def test_one_picture_into_a_folder_that_is_there(folder, checkpoint, sttk, tmp_path):
    (tmp_path / "out").mkdir()
    result = sttk("stylize", folder / "a.png", "-o", tmp_path / "out", "--checkpoint", checkpoint)
    assert result.exit_code == 0, result.output
    assert read_image(tmp_path / "out/a.png").rgb.shape == (12, 16, 3)


def test_standard_input_and_output(photo, checkpoint, tmp_path, sttk):
    from click.testing import CliRunner

    from sttk.cli import cli

    arguments = ["stylize", "-", "-o", "-", "--checkpoint", str(checkpoint)]
    result = CliRunner().invoke(cli, arguments, input=photo.read_bytes())
    assert result.exit_code == 0, result.stderr
    piped = np.array(Image.open(io.BytesIO(result.stdout_bytes)))
    assert (
        sttk("stylize", photo, "-o", tmp_path / "o.png", "--checkpoint", checkpoint).exit_code == 0
    )
    assert (piped == read_image(tmp_path / "o.png").rgb).all()
    empty = CliRunner().invoke(cli, arguments, input=b"")
    assert (empty.exit_code, empty.stderr.count("\n")) == (2, 1)
    assert "standard input: not a readable picture" in empty.stderr


def test_streams_are_for_one(folder, sttk, tmp_path):
    result = sttk("stylize", folder, "-o", "-")
    assert (result.exit_code, result.stderr) == (2, "error: - is for one photograph [usage]\n")


def test_a_picture_is_not_written_over_itself(photo, sttk, tmp_path):
    copy = tmp_path / "photo.png"
    copy.write_bytes(photo.read_bytes())
    result = sttk("stylize", copy, "-o", copy)
    assert result.exit_code == 2
    assert "is the input, too" in result.stderr
    assert copy.read_bytes() == photo.read_bytes()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ink", [("ink", 1.0)]),
        ("ink:0.7,scream:0.3", [("ink", 0.7), ("scream", 0.3)]),
        ("ink:1, scream:3", [("ink", 0.25), ("scream", 0.75)]),
        ("style:ink", [("style:ink", 1.0)]),
        ("style:ink:2,b,c.pth:2", None),
        ("ink:0,scream:0", None),
        ("style:ink:1,b.pth:1", [("style:ink", 0.5), ("b.pth", 0.5)]),
        ("a,b.pth", [("a,b.pth", 1.0)]),
    ],
)
def test_shares(text, found):
    if found is None:
        with pytest.raises(UsageError):
            shares(text)
    else:
        assert [name for name, _ in shares(text)] == [name for name, _ in found]
        assert [share for _, share in shares(text)] == pytest.approx([s for _, s in found])


def test_a_blend_is_the_mean_of_its_parts(photo, sttk, tmp_path):
    def styled(style, runtime="torch"):
        target = tmp_path / "out.png"
        result = sttk("stylize", photo, "-o", target, "--style", style, "--runtime", runtime)
        assert result.exit_code == 0, result.output
        return read_image(target).rgb.astype(float)

    one, other = styled("ink-mobile-m"), styled("scream-mobile-m")
    blend = "ink-mobile-m:3,scream-mobile-m:1"
    for runtime in ("torch", "onnxruntime"):
        assert np.abs(styled(blend, runtime) - (0.75 * one + 0.25 * other)).max() <= 1.5, runtime
