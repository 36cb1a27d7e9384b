from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image

from toolkit.checkpoints import load
from toolkit.errors import TrainingError
from toolkit.losses.objective import Objective
from toolkit.losses.perceptual import PerceptualLoss
from toolkit.losses.vgg_weights import load_vgg
from toolkit.nets.johnson import JohnsonSpec
from toolkit.training.data import Crops, Photos
from toolkit.training.loop import Trainer
from toolkit.training.recipe import Recipe

OBJECTIVE = Objective("relu1_2", ("relu1_1", "relu2_1"))
SPEC = JohnsonSpec((4, 4, 4), 1)


@pytest.fixture
def content(tmp_path):
    folder = tmp_path / "content"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(3):
        rgb = rng.integers(0, 256, (50 + 10 * i, 70, 3), dtype=np.uint8)
        Image.fromarray(rgb).save(folder / f"{i}.jpg")
    return folder


@pytest.fixture
def vgg_file(tmp_path):
    rng, arrays, channels = np.random.default_rng(0), {}, 3
    for name, width in (("conv1_1", 64), ("conv1_2", 64), ("conv2_1", 128)):
        arrays[f"{name}.weight"] = rng.normal(0, 0.1, (width, channels, 3, 3)).astype(np.float32)
        arrays[f"{name}.bias"] = np.zeros(width, np.float32)
        channels = width
    np.savez(tmp_path / "vgg.npz", **arrays)
    return tmp_path / "vgg.npz"


@pytest.fixture
def trainer(content, vgg_file, tmp_path):
    vgg = load_vgg(OBJECTIVE, vgg_file)

    def make(name, steps=6, spec=SPEC, **recipe):
        recipe = Recipe(spec, OBJECTIVE, steps, size=32, batch=2, **recipe)
        style = 255 * torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(1))
        crops = Crops(Photos.scan([content]), 2, 32, recipe.seed)
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        return Trainer(recipe, PerceptualLoss(vgg, style, OBJECTIVE), crops, folder, "cpu")

    return make


def test_training_lowers_the_loss(trainer):
    run = trainer("run", steps=100, learning_rate=1e-2)
    run.run()
    with (run.folder / "log.csv").open() as log:
        rows = list(csv.DictReader(log))
    assert [int(row["step"]) for row in rows] == [20, 40, 60, 80, 100]
    assert float(rows[-1]["total"]) < 0.7 * float(rows[0]["total"])


def test_a_resumed_run_gives_the_same_bits(trainer):
    whole = trainer("whole")
    whole.run()
    first = trainer("halves")
    for step in range(3):
        first._step(first.crops[step])
        first._advance(0.1)
    first.save()
    second = trainer("halves")
    second.resume()
    assert second.progress.step == 3
    second.run()
    wanted, got = whole.net.state_dict(), second.net.state_dict()
    assert all(torch.equal(wanted[key], got[key]) for key in wanted)


def test_another_recipe_cannot_resume(trainer):
    trainer("run").save()
    with pytest.raises(TrainingError, match="another recipe"):
        trainer("run", seed=5).resume()


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_state(trainer):
    run = trainer("run")
    run.save()
    with torch.no_grad():
        run.net.head.conv.bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"the loss is nan at step 0.*last good state"):
        run.run()
    again = trainer("run")
    again.resume()
    assert all(torch.isfinite(value).all() for value in again.net.state_dict().values())


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_the_saved_net_takes_0_to_255(trainer, norm):
    # Instance norm cancels a wrong scale of the input; batch norm does not.
    run = trainer("run", steps=2, spec=JohnsonSpec((4, 4, 4), 1, norm))
    run.run()
    x = 255 * torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        expected = 127.5 + 4 * run.net.eval()(x / 127.5)
        got = run.trained()(x)
    assert torch.allclose(got, expected, atol=1e-2)


def test_the_norms_features_reach_the_loss(trainer):
    run = trainer("run", steps=1)
    run._step(run.crops[0])
    assert len(run._inner) == 7
    assert tuple(run._inner[0].shape) == (2, 4, 32, 32)
    run._log()
    assert run.log.latest["peak"] >= 7 * run.recipe.objective.peak_weight


def test_a_run_can_start_from_a_finished_net(trainer):
    first = trainer("first", steps=2)
    first.run()
    second = trainer("second")
    second.start_from(first.trained())
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(first.net.eval()(x), second.net.eval()(x), atol=1e-5)
    other = trainer("third")
    other.recipe = Recipe(JohnsonSpec((4, 4, 8), 1))
    with pytest.raises(TrainingError, match="another shape"):
        other.start_from(first.trained())


def test_crops_depend_on_seed_and_step_alone(content):
    photos = Photos.scan([content])
    crops = Crops(photos, 2, 32, seed=3)
    assert crops[5].shape == (2, 3, 32, 32)
    assert torch.equal(crops[5], Crops(photos, 2, 32, seed=3)[5])
    assert not torch.equal(crops[5], crops[6])
    ahead = crops.since(5)
    assert torch.equal(next(ahead), crops[5])
    assert torch.equal(next(ahead), crops[6])
    ahead.close()


def test_pictures_that_break_later_are_passed_over(content):
    whole = (content / "0.jpg").read_bytes()
    (content / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    Image.new("RGB", (900, 9)).save(content / "strip.png")
    crops = Crops(Photos.scan([content]), 8, 32, seed=0)
    assert len(crops.photos.files) == 5
    batches = [crops[step] for step in range(4)]
    assert all(batch.std() > 10 for batch in batches)
    assert {file.name for file in crops.broken} == {"cut.jpg", "strip.png"}
    assert torch.equal(batches[2], crops[2])
    for name in ("0.jpg", "1.jpg", "2.jpg"):
        (content / name).unlink()
    with pytest.raises(TrainingError, match="in a row could not be used"):
        crops[0]


def test_a_forced_run_keeps_the_old_net_until_it_has_something(trainer):
    old = trainer("run", steps=1)
    old.run()
    (old.folder / "net.safetensors").write_bytes(b"old")
    new = trainer("run", steps=4)
    with torch.no_grad():
        new.net.head.conv.bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"lower --learning-rate\)"):
        new.run()
    assert (new.folder / "net.safetensors").exists()
    trainer("run", steps=1).run()
    assert not (new.folder / "net.safetensors").exists()


def test_an_interrupted_run_can_resume(trainer, monkeypatch):
    run = trainer("run")
    monkeypatch.setattr(run, "_advance", _interrupt)
    with pytest.raises(KeyboardInterrupt):
        run.run()
    trainer("run").resume()


def _interrupt(seconds):
    raise KeyboardInterrupt


def test_another_painting_cannot_resume(trainer):
    run = trainer("run")
    run.inputs = {"painting": "a"}
    run.save()
    other = trainer("run")
    other.inputs = {"painting": "b"}
    with pytest.raises(TrainingError, match="another recipe, painting"):
        other.resume()


def test_unreadable_pictures_are_named_and_skipped(content, tmp_path):
    (content / "broken.jpg").write_bytes(b"\xff\xd8 not much")
    photos = Photos.scan([content])
    assert len(photos.files) == 3
    assert len(photos.skipped) == 1
    assert "broken.jpg" in photos.skipped[0]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(TrainingError, match="no readable picture"):
        Photos.scan([empty])


def test_learning_rate_rises_then_falls_to_zero():
    recipe = Recipe(learning_rate=1.0)
    rates = [recipe.rate(fraction) for fraction in (0.0, 0.01, 0.02, 0.5, 1.0)]
    assert 0 < rates[0] < rates[1] < rates[2] <= 1
    assert rates[3] == pytest.approx(0.5)
    assert rates[4] == 0


def test_the_command(sttk, content, photo, tmp_path):
    run = tmp_path / "run"
    arguments = ["train", "--style", photo, "--content", content, "-o", run, "--size", 32]
    arguments += ["--steps", 2, "--width", 0.125, "--name", "dots", "--style-size", 64]
    (content / "broken.jpg").write_bytes(b"")
    result = sttk(*arguments, "--precision", "fp32", "--licence", "CC0")
    assert result.exit_code == 0, result.output
    assert "broken.jpg" in result.stderr
    files = {"net.safetensors", "preview.png", "state.pt", "log.csv"}
    assert {p.name for p in run.iterdir()} == files
    net = load(run / "net.safetensors")
    card = net.origin.card
    assert (card["name"], card["licence"], card["steps"]) == ("dots", "CC0", 2)
    assert card["recipe"]["objective"]["content_layer"] == "relu3_3"
    assert card["losses"]["total"] > 0
    json.dumps(card)
    again = sttk(*arguments)
    assert again.exit_code == 1
    assert "--resume goes on" in again.stderr
    again = sttk(
        *arguments,
        "--precision",
        "fp32",
        "-o",
        tmp_path / "more",
        "--json",
        "--init",
        run / "net.safetensors",
    )
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["name"] == "dots"
    start = load(tmp_path / "more" / "net.safetensors").origin.card["start"]
    assert (start["sha256"], start["name"]) == (net.origin.sha256, "dots")
    assert sttk(*arguments, "--force", "--precision", "fp32").exit_code == 0


@pytest.mark.parametrize(
    ("extra", "code", "text"),
    [
        (["--steps", "1", "--minutes", "1"], 2, "exclude each other"),
        (["--resume"], 1, "no run to resume"),
        (["--device", "cuda"], 2, "no CUDA device"),
        (["--device", "meta"], 2, "cpu, cuda or cuda:N"),
        (["--size", "50"], 2, "not a multiple of 4"),
        (["--minutes", "nan"], 2, "not a finite number"),
        (["--learning-rate", "-1"], 2, "--learning-rate"),
        (["--seed", "-1"], 2, "--seed"),
        (["--content-layer", "relu9_9"], 2, "relu9_9"),
        (["--vgg", "none.npz"], 2, "none.npz"),
    ],
)
def test_wrong_usage_of_the_command(sttk, content, photo, tmp_path, monkeypatch, extra, code, text):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = sttk("train", "--style", photo, "--content", content, "-o", tmp_path / "r", *extra)
    assert result.exit_code == code, result.output
    assert text in result.stderr
