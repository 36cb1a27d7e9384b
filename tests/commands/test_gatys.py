"""``sttk gatys`` and ``sttk reconstruct``, as typed."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image

from sttk.toolkit.gatys.run import Run
from sttk.toolkit.host import memory


@pytest.fixture
def painting(tmp_path):
    rng = np.random.default_rng(3)
    path = tmp_path / "painting.png"
    Image.fromarray(rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(path)
    return path


def losses(path):
    with path.open() as table:
        return [float(row["total"]) for row in csv.DictReader(table)]


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_it_lowers_the_objective_and_leaves_pictures(sttk, photo, painting, tmp_path, optimizer):
    out = tmp_path / "out" / "p.png"
    result = sttk(
        *("gatys", photo, painting, "-o", out, "--size", 48, "--iterations", 20),
        *("--optimizer", optimizer, "--save-every", 10, "--json"),
    )
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["iterations"] == 20
    assert report["evaluations"] >= 21  # more where a jump was taken back
    totals = losses(tmp_path / "out" / "p-loss.csv")
    assert len(totals) == 21
    assert totals[-1] < 0.5 * totals[0]
    assert totals[-1] == pytest.approx(report["losses"]["total"], rel=1e-4)
    files = {"p.png", "p-00010.png", "p-loss.csv", "p-loss.png"}
    assert {path.name for path in out.parent.iterdir()} == files
    with Image.open(out) as picture, Image.open(photo) as source:
        assert max(picture.size) == 48
        assert picture.size[0] / picture.size[1] == pytest.approx(
            source.size[0] / source.size[1], abs=0.05
        )


@pytest.mark.nightly
def test_a_seed_gives_the_same_picture(sttk, photo, painting, tmp_path):
    def run(name, *options):
        out = tmp_path / f"{name}.png"
        arguments = ("gatys", photo, painting, "-o", out, "--size", 48, "--iterations", 3)
        assert sttk(*arguments, *options).exit_code == 0
        with Image.open(out) as picture:
            return np.asarray(picture)

    assert np.array_equal(run("a"), run("b"))
    assert not np.array_equal(run("a"), run("c", "--seed", 1))
    assert not np.array_equal(run("a"), run("d", "--pooling", "max"))


@pytest.mark.nightly
def test_the_photograph_as_a_start_has_no_content_loss(sttk, photo, painting, tmp_path):
    arguments = ("gatys", photo, painting, "-o", tmp_path / "p.png", "--size", 48, "--json")
    assert sttk(*arguments, "--init", "content", "--iterations", 2).exit_code == 0
    with (tmp_path / "p-loss.csv").open() as table:
        first = next(csv.DictReader(table))
    assert float(first["content"]) == 0.0
    assert float(first["style"]) > 0.0


@pytest.mark.nightly
def test_an_interrupted_run_keeps_its_last_picture(sttk, photo, painting, tmp_path, monkeypatch):
    whole = Run.steps

    def interrupted(run, report):
        def until(step, seconds):
            report(step, seconds)
            if step.iteration == 2:
                raise KeyboardInterrupt

        whole(run, until)

    monkeypatch.setattr(Run, "steps", interrupted)
    out = tmp_path / "p.png"
    result = sttk("gatys", photo, painting, "-o", out, "--size", 48, "--iterations", 50)
    assert result.exit_code == 130
    assert out.exists()
    assert len(losses(tmp_path / "p-loss.csv")) == 3


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (("--preset", "picasso"), 2, "known are sttk"),
        (("--preset", "jcjohnson"), 3, "no weights of vgg16 by caffe"),
        (("--vgg", "none.npz"), 2, "none.npz"),
        (("--style-weight", "nan"), 2, "not a finite number"),
        (("-o", "p.xyz"), 2, "unknown picture suffix"),
        (("--iterations", "0"), 2, "--iterations"),
    ],
)
def test_wrong_usage(sttk, photo, painting, tmp_path, monkeypatch, options, code, text):
    monkeypatch.chdir(tmp_path)
    result = sttk("gatys", photo, painting, "-o", "p.png", "--size", 48, *options)
    assert result.exit_code == code, result.output
    assert text in result.stderr
    assert not (tmp_path / "p.png").exists()


def test_what_does_not_fit_into_memory_is_refused_before_it_starts(
    sttk, photo, painting, tmp_path, monkeypatch
):
    monkeypatch.setattr(memory, "available", lambda: 1_000_000)
    result = sttk("gatys", photo, painting, "-o", tmp_path / "p.png", "--size", 64)
    assert result.exit_code == 2
    assert "pass a smaller --size" in result.stderr


def test_a_strip_is_too_small(sttk, painting, tmp_path):
    Image.new("RGB", (200, 8)).save(tmp_path / "strip.png")
    result = sttk("gatys", tmp_path / "strip.png", painting, "-o", tmp_path / "p.png")
    assert result.exit_code == 2
    assert "a side is under 32 px" in result.stderr


@pytest.mark.nightly
@pytest.mark.parametrize("what", ["content", "style"])
def test_a_sheet_of_five_reconstructions(sttk, photo, tmp_path, what):
    out = tmp_path / "sheet.png"
    arguments = ("reconstruct", photo, "--what", what, "-o", out, "--size", 48, "--json")
    found = json.loads(sttk(*arguments, "--iterations", 2).stdout)
    assert len(found["losses"]) == 5
    assert next(iter(found["losses"])) == "conv1_1"
    with Image.open(out) as sheet:
        assert sheet.size[0] > 6 * 36
    again = json.loads(sttk(*arguments, "--iterations", 8).stdout)
    assert all(again["losses"][name] < loss for name, loss in found["losses"].items())


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("picture", "style"),
    [
        ("elementary_Morskie_Oko", "starry_night"),
        ("lomiri_Bridge_by_Sander_Klootwijk", "wave"),
        ("coco_train_000000000389", "the_scream"),
    ],
)
def test_it_falls_in_every_window_of_20_iterations(sttk, shared, tmp_path, picture, style):
    result = sttk(
        *("gatys", shared / "photos" / f"{picture}.jpg", shared / "styles" / f"{style}.jpg"),
        *("-o", tmp_path / "p.png", "--size", 128, "--iterations", 150),
    )
    assert result.exit_code == 0, result.output
    totals = losses(tmp_path / "p-loss.csv")
    assert all(later < earlier for earlier, later in zip(totals, totals[20:], strict=False))
