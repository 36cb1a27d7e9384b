from __future__ import annotations

import csv
import json
import signal
from contextlib import nullcontext
from dataclasses import asdict

import pytest
import torch

from sttk.toolkit.checkpoints import load
from sttk.toolkit.core.errors import MissingExtraError, TrainingError, UsageError
from sttk.toolkit.host.signals import StopRequest
from sttk.toolkit.losses.presets import PRESETS
from sttk.toolkit.nets.johnson import JohnsonSpec
from sttk.toolkit.nets.mobile import MobileNet
from sttk.toolkit.nets.trainable import SIZES
from sttk.toolkit.training.data import Crops
from sttk.toolkit.training.devices import device_for
from sttk.toolkit.training.loop import Trainer
from sttk.toolkit.training.photos import Photos
from sttk.toolkit.training.recipe import Recipe
from sttk.toolkit.training.step import step_losses
from sttk.toolkit.training.team import Team
from tests.training.conftest import ONE_ALONE


def test_training_lowers_the_loss(trainer):
    run = trainer("run", steps=40, learning_rate=1e-2)
    run.run()
    with (run.folder / "log.csv").open() as log:
        rows = list(csv.DictReader(log))
    assert [int(row["step"]) for row in rows] == [20, 40]
    assert float(rows[-1]["total"]) < 0.7 * float(rows[0]["total"])


def test_a_teacher_is_imitated(trainer):
    teacher = torch.nn.Module()
    teacher.forward = lambda photo: torch.full_like(photo, 50.0)
    # By nothing else: how other terms pull in the first steps is no two processors' in common.
    run = trainer("run", steps=20, teacher=teacher, teacher_weight=1.0, learning_rate=1e-2,
                  objective=ONE_ALONE)  # fmt: skip
    photo = run.crops[1000]

    def apart():
        with torch.no_grad():
            return (run.scaled(photo) - 50.0).square().mean().item()

    before = apart()
    run.run()
    assert apart() < 0.5 * before
    assert run.log.latest["teacher"] > 0


def test_the_steadiness_term_is_what_noise_changes(trainer):
    run = trainer("run", precision="fp32", steady_weight=3.0)
    photo, noise = run.crops[0], run.crops.noise(0)
    losses = step_losses(run.scaled, run.scaled, photo, run.loss, run.recipe, noise)
    with torch.no_grad():
        change = run.scaled(photo + 4.0 * noise) - run.scaled(photo)
    assert losses.terms["steady"].item() == pytest.approx(3.0 * change.square().mean().item(), 1e-4)
    assert "steady" not in step_losses(run.scaled, run.scaled, photo, run.loss, run.recipe).terms


def test_training_for_steadiness_alone_makes_a_steady_net(trainer):
    # The other terms leave a net of a hundred steps more or less steady by chance: only what pulls
    # without them shows the same on every processor.
    run = trainer("run", steps=40, learning_rate=1e-2, precision="fp32", steady_weight=1e-2,
                  objective=ONE_ALONE)  # fmt: skip
    photo, noise = run.crops[1000], 4.0 * run.crops.noise(1000)

    def moved():
        with torch.no_grad():
            return (run.scaled(photo + noise) - run.scaled(photo)).square().mean().item()

    before = moved()
    run.run()
    assert moved() < 0.25 * before
    assert run.log.latest["steady"] < 0.25 * 1e-2 * before


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.half)])
def test_mixed_precision_has_the_gradients_of_fp32(trainer, precision, dtype):
    def gradient(precision, rounded=torch.float32):
        run = trainer(precision, precision=precision)
        with torch.no_grad():
            for weight in run.scaled.parameters():
                weight.copy_(weight.to(rounded))
        for _ in range(10):  # in fp16 steps are skipped until the scale fits
            run._step(run.crops[0])
            found = torch.cat([p.grad.flatten() for p in run.scaled.parameters()])
            if found.isfinite().all():
                return found
        raise AssertionError("no gradient")

    wanted, got = gradient("fp32"), gradient(precision)
    assert got.dtype == torch.float32
    # What the rounding of the net's weights alone does. What lies between the layers is rounded,
    # too, of some dozen layers there and back: four times as much, and twice that for luck.
    floor = (gradient("fp32", dtype) - wanted).norm()
    assert (got - wanted).norm() < 8 * floor
    # All are clipped to unit norm, so unscaled: another gradient would be 1.4 away.
    assert 8 * floor < 0.7
    assert not torch.equal(got, wanted)


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_the_saved_net_takes_0_to_255(trainer, norm):
    # Instance norm cancels a wrong scale of the input; batch norm does not.
    run = trainer("run", steps=2, spec=JohnsonSpec((4, 4, 4), 1, norm))
    run.run()
    x = 255 * torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        expected = run.scaled.eval()(x)
        got = run.trained()(x)
    assert torch.allclose(got, expected, atol=1e-2)


def test_the_norms_features_reach_the_loss(trainer):
    run = trainer("run", steps=1)
    row = run._step(run.crops[0])
    assert [len(x) for x in run.scaled.inner] == [2] * 7
    assert tuple(run.scaled.inner[0].shape) == (2, 4, 32, 32)
    assert row["peak"] >= 7 * run.recipe.objective.peak_weight


def test_a_run_can_start_from_a_finished_net(trainer):
    first = trainer("first", steps=2)
    first.run()
    second = trainer("second")
    second.scaled.start_from(first.trained())
    x = 255 * torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(first.scaled.eval()(x), second.scaled.eval()(x), atol=1e-3)
    other = trainer("third", spec=JohnsonSpec((4, 4, 8), 1))
    with pytest.raises(TrainingError, match="another shape"):
        other.scaled.start_from(first.trained())


def test_processes_see_together_what_one_sees(content):
    photos = Photos.scan([content])
    whole = Crops(photos, range(4), 32, seed=3)
    parts = [Crops(photos, Team("cpu", rank, 2).part(4), 32, seed=3) for rank in range(2)]
    for draw in (Crops.__getitem__, Crops.noise):
        together = torch.stack([draw(part, 5) for part in parts], dim=1).flatten(0, 1)
        assert torch.equal(together, draw(whole, 5))
    with pytest.raises(UsageError, match="--batch 5 is no multiple of the 2 processes"):
        Team("cpu", 0, 2).part(5)


def test_crops_depend_on_seed_and_step_alone(content):
    photos = Photos.scan([content])
    crops = Crops(photos, range(2), 32, seed=3)
    assert crops[5].shape == (2, 3, 32, 32)
    assert torch.equal(crops[5], Crops(photos, range(2), 32, seed=3)[5])
    assert not torch.equal(crops[5], crops[6])
    ahead = crops.since(5)
    assert torch.equal(next(ahead), crops[5])
    assert torch.equal(next(ahead), crops[6])
    ahead.close()


def test_a_forced_run_keeps_the_old_net_until_it_has_something(trainer):
    old = trainer("run", steps=1)
    old.run()
    (old.folder / "net.safetensors").write_bytes(b"old")
    new = trainer("run", steps=4)
    with torch.no_grad():
        new.scaled.net.head.conv.bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"lower --learning-rate\)"):
        new.run()
    assert (new.folder / "net.safetensors").exists()
    trainer("run", steps=1).run()
    assert not (new.folder / "net.safetensors").exists()


def test_the_net_of_an_earlier_run_goes_though_the_new_one_was_killed_before_that(
    trainer, monkeypatch
):
    forced = trainer("x", seed=1)
    (forced.folder / "net.safetensors").write_text("of an earlier run")

    def killed(*_, **__):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(type(forced.folder), "unlink", killed)
        with pytest.raises(SystemExit):
            forced.save()
    resumed = trainer("x", seed=1)
    resumed.resume()
    resumed.save()
    assert sorted(path.name for path in resumed.folder.iterdir()) == ["log.csv", "state.pt"]


def test_a_second_signal_saves_no_step_that_is_half_done(trainer, monkeypatch):
    run = trainer("run")
    run._timed_step(iter([run.crops[0]]))
    run.save()
    good = {key: value.clone() for key, value in run.scaled.state_dict().items()}

    def interrupt(_seconds):  # the weights have moved, and the step is not counted
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "_advance", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run.run()
    resumed = trainer("run")
    resumed.resume()
    assert resumed.progress.step == 1
    kept = resumed.scaled.state_dict()
    assert all(torch.equal(value, kept[key]) for key, value in good.items())
    assert not all(torch.equal(value, kept[key]) for key, value in run.scaled.state_dict().items())


def test_a_signal_ends_the_run_between_two_steps(trainer, monkeypatch):
    run, stop = trainer("run"), StopRequest()
    monkeypatch.setattr("sttk.toolkit.training.loop.stop_requests", lambda: nullcontext(stop))
    step = run._step

    def with_a_signal(photo):
        stop.receive(signal.SIGINT, signal.default_int_handler)
        return step(photo)

    monkeypatch.setattr(run, "_step", with_a_signal)
    with pytest.raises(KeyboardInterrupt):
        run.run()
    assert run.progress.step == 1
    resumed = trainer("run")
    resumed.resume()
    assert resumed.progress.step == 1


def test_learning_rate_rises_then_falls_to_zero():
    recipe = Recipe(learning_rate=1.0)
    rates = [recipe.rate(fraction) for fraction in (0.0, 0.01, 0.02, 0.5, 1.0)]
    assert 0 < rates[0] < rates[1] < rates[2] <= 1
    assert rates[3] == pytest.approx(0.5)
    assert rates[4] == 0


def test_every_preset_is_named_by_the_help(sttk):
    text = "".join(sttk("train", "--help").output.split())  # click breaks lines at hyphens, too
    assert ",".join(PRESETS) in text


def test_the_command(sttk, content, photo, tmp_path):
    run = tmp_path / "run"
    arguments = ["train", "--style", photo, "--content", content, "-o", run, "--size", 32]
    arguments += ["--steps", 2, "--width", 0.125, "--name", "dots", "--style-size", 64]
    (content / "broken.jpg").write_bytes(b"")
    result = sttk(*arguments, "--precision", "fp32", "--licence", "CC0")
    assert result.exit_code == 0, result.output
    assert "broken.jpg" in result.stderr
    files = {"net.safetensors", "preview.png", "state.pt", "log.csv", "loss.png"}
    assert {p.name for p in run.iterdir()} == files
    net = load(run / "net.safetensors")
    card = net.origin.card
    assert net.origin.name == "dots"
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


def test_the_first_state_removes_no_preview_of_its_own_run(
    sttk, content, photo, tmp_path, monkeypatch
):
    run, there = tmp_path / "run", []
    run.mkdir()
    (run / "net.safetensors").write_bytes(b"of an earlier run")
    save = Trainer.save

    def noted(trainer):
        save(trainer)
        there.append({path.name for path in run.iterdir()})

    monkeypatch.setattr(Trainer, "save", noted)
    monkeypatch.setattr("sttk.toolkit.training.session._PREVIEW_EVERY", 20)
    arguments = ["train", "--style", photo, "--content", content, "-o", run, "--size", 32]
    result = sttk(*arguments, "--steps", 20, "--width", 0.05, "--style-size", 64, "--batch", 1)
    assert result.exit_code == 0, result.output
    assert there == [{"preview.png", "loss.png", "state.pt", "log.csv"}]


def test_a_small_net_from_a_shipped_style(sttk, content, photo, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")  # as some clusters set it for any process
    run = tmp_path / "run"
    arguments = ["train", "--style", photo, "--content", content, "-o", run, "--size", 32]
    arguments += ["--width", 0.125, "--style-size", 64, "--steps", 1, "--teacher", "ink", "--json"]
    result = sttk(*arguments)
    assert result.exit_code == 0, result.output
    card = json.loads(result.stdout)
    assert card["teacher"]["name"] == "ink"
    assert card["recipe"]["teacher_weight"] == 30.0
    assert card["losses"]["teacher"] > 0


def test_without_matplotlib_a_line_says_what_is_not_drawn(
    sttk, content, photo, tmp_path, monkeypatch
):
    def missing():
        raise MissingExtraError("matplotlib", "charts")

    monkeypatch.setattr("sttk.toolkit.training.session.check_charts", missing)
    run = tmp_path / "run"
    arguments = ["train", "--style", photo, "--content", content, "-o", run, "--size", 32]
    result = sttk(*arguments, "--steps", 1, "--width", 0.125, "--style-size", 64)
    assert result.exit_code == 0, result.output
    assert "loss.png is not drawn: matplotlib is not installed (pip install" in result.stderr
    assert not (run / "loss.png").exists()


def test_a_mobile_net_by_its_teacher_alone(sttk, content, photo, tmp_path):
    run = tmp_path / "run"
    arguments = ["train", "--style", photo, "--content", content, "-o", run, "--size", 32]
    arguments += ["--net", "mobile-s", "--style-size", 64, "--steps", 2, "--teacher", "ink"]
    weights = [word for name in ("content", "style", "tv") for word in (f"--{name}-weight", 0)]
    result = sttk(*arguments, *weights, "--json")
    assert result.exit_code == 0, result.output
    card = json.loads(result.stdout)
    assert card["recipe"]["spec"] == asdict(SIZES["mobile-s"])
    assert set(card["losses"]) == {"teacher", "color", "peak", "total"}
    net = load(run / "net.safetensors")
    assert isinstance(net.net, MobileNet)
    assert net(torch.rand(1, 3, 40, 60) * 255).shape == (1, 3, 40, 60)


@pytest.mark.parametrize(
    ("extra", "code", "text"),
    [
        (["--net", "mobile-m", "--width", "0.5"], 2, "mobile-m has its own"),
        (["--steps", "1", "--minutes", "1"], 2, "exclude each other"),
        (["--resume"], 1, "no run to resume"),
        (["--device", "cuda"], 2, "no CUDA device"),
        (["--device", "meta"], 2, "cpu, cuda or cuda:N"),
        (["--device", "cpu:x"], 2, "cpu, cuda or cuda:N"),
        (["--device", "cuda:-1"], 2, "cpu, cuda or cuda:N"),
        (["--size", "50"], 2, "not a multiple of 4"),
        (["--minutes", "nan"], 2, "not a finite number"),
        (["--learning-rate", "-1"], 2, "--learning-rate"),
        (["--seed", "-1"], 2, "--seed"),
        (["--content-layer", "relu9_9"], 2, "relu9_9"),
        (["--preset", "picasso"], 2, "known are sttk, johnson2016"),
        (["--preset", "jcjohnson"], 3, "no weights of vgg16 by caffe"),
        (["--teacher", "nobody"], 2, "nobody: neither a shipped style"),
        (["--vgg", "none.npz"], 2, "none.npz"),
    ],
)
def test_wrong_usage_of_the_command(sttk, content, photo, tmp_path, monkeypatch, extra, code, text):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = sttk("train", "--style", photo, "--content", content, "-o", tmp_path / "r", *extra)
    assert result.exit_code == code, result.output
    assert text in result.stderr


def test_a_gpu_beyond_the_last_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert [device_for(name) for name in ("cpu", "cuda", "cuda:0")] == ["cpu", "cuda", "cuda:0"]
    with pytest.raises(UsageError, match=r"cuda:9: not here \(the last is cuda:0\)"):
        device_for("cuda:9")
