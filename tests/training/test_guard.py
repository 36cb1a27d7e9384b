"""Runs that go wrong: what is said of the cause, and what is kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from sttk.toolkit.core.errors import TrainingError
from sttk.toolkit.losses.perceptual import PerceptualLoss
from sttk.toolkit.losses.vgg_weights import load_vgg
from sttk.toolkit.training import guard
from sttk.toolkit.training.scaled import Scaled
from sttk.toolkit.training.session import Session
from tests.training.conftest import OBJECTIVE, SPEC


def test_a_loss_that_runs_away_stops_and_keeps_the_last_good_state(trainer, monkeypatch):
    run = trainer("run", steps=100_000)
    rows = iter([10.0] * 3 + [1e3] * 30)

    def step(photo):
        return {"total": next(rows)}

    monkeypatch.setattr(run, "_step", step)
    monkeypatch.setattr("sttk.toolkit.training.loop._LOG_EVERY", 1)
    with pytest.raises(TrainingError, match=r"run away by step 13 .*last good state, of step 3: "):
        run.run(save_seconds=0.0)
    again = trainer("run", steps=100_000)
    again.resume()
    assert again.progress.step == 3


def test_a_run_that_ends_badly_gives_no_net(trainer, monkeypatch):
    run = trainer("run", steps=4)
    rows = iter([10.0] * 3 + [1e3])
    monkeypatch.setattr(run, "_step", lambda photo: {"total": next(rows)})
    monkeypatch.setattr("sttk.toolkit.training.loop._LOG_EVERY", 1)
    with pytest.raises(TrainingError, match=r"ended far above its best"):
        run.run()


def test_one_hard_crop_is_no_divergence():
    rows = [{"total": value} for value in [10.0] * 5 + [1e4] * 3 + [9.0] * 20]
    assert not any(guard.has_diverged(rows[:end]) for end in range(len(rows) + 1))
    assert not guard.is_sound(rows[:6])
    assert guard.is_sound(rows)
    assert not guard.is_number({"total": float("inf")})


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_state(trainer):
    run = trainer("run")
    run.save()
    with torch.no_grad():
        run.scaled.net.head.conv.bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"the loss is nan at step 0.*last good state"):
        run.run()
    again = trainer("run")
    again.resume()
    assert all(torch.isfinite(value).all() for value in again.scaled.state_dict().values())


def test_a_batch_whose_gradient_overflows_changes_nothing(trainer):
    run = trainer("run", steps=40, precision="fp32")
    batch = run.crops[0]
    run._step(batch)
    before = {key: value.clone() for key, value in run.scaled.state_dict().items()}
    run._advance(0.1)
    for parameter in run.scaled.parameters():
        parameter.register_hook(lambda gradient: gradient * float("inf"))
    run._step(batch)
    after = run.scaled.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())
    assert run.overflows == [1]
    for _ in range(2, 10):
        run._advance(0.1)
        run._step(batch)
    run._advance(0.1)
    with pytest.raises(TrainingError, match=r"the gradient of net\..* is (inf|nan) at step 10: "):
        run._step(batch)


class Doubled(Scaled):
    """The net in float64 throughout."""

    def forward(self, photo):
        self.inner.clear()
        return self.net(photo / 127.5) * 4 + 127.5


@pytest.mark.parametrize("level", [0.0, 93.0, 255.0])
def test_a_flat_photograph_has_finite_gradients_in_float64(vgg_file, level):
    torch.manual_seed(0)
    net, vgg = Doubled(SPEC).double(), load_vgg(OBJECTIVE, vgg_file).double()
    with torch.no_grad():  # so that black is exactly zero up to the last layer
        for name, parameter in net.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
    style = 255 * torch.rand(1, 3, 32, 32, dtype=torch.float64)
    loss = PerceptualLoss(vgg, style, OBJECTIVE)
    flat = torch.full((1, 3, 32, 32), level, dtype=torch.float64)
    losses = loss(net(flat), loss.content_of(flat), net.inner)
    weights = list(net.parameters())
    for name, term in losses.terms.items():
        # What the norms feed does not depend on the last layer.
        gradients = torch.autograd.grad(term, weights, retain_graph=True, allow_unused=True)
        found = [gradient for gradient in gradients if gradient is not None]
        assert found, name
        assert term.isfinite(), name
        assert all(gradient.isfinite().all() for gradient in found), name


def test_batches_that_overflow_now_and_then_are_no_end():
    assert not guard.is_stuck([1, 2, 3])
    assert not guard.is_stuck(list(range(0, 40, 2)))
    assert guard.is_stuck([0, *range(5, 15)])


def poison(run, monkeypatch, when):
    """Make the content features of crops NaN where ``when(crops)`` says so."""
    content_of = run.loss.content_of

    def poisoned(photo):
        content = content_of(photo)
        content[when(photo)] = float("nan")
        return content

    monkeypatch.setattr(run.loss, "content_of", poisoned)


def test_the_message_names_the_weight_that_is_not_finite(trainer):
    run = trainer("run")
    with torch.no_grad():
        run.scaled.net.blocks[0].conv1.conv.weight[0, 0, 0, 0] = float("inf")
    message = (
        r"the loss is nan at step 0: the net's weights are not finite \(net\.blocks\.0\.conv1\."
    )
    with pytest.raises(TrainingError, match=message):
        run.run()


def test_the_message_names_the_term_and_the_file(trainer, content, monkeypatch):
    bright = np.random.default_rng(0).integers(220, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(bright).save(content / "bright.png")
    run = trainer("run", steps=60)
    poison(run, monkeypatch, lambda photo: photo.mean((1, 2, 3)) > 200)
    with pytest.raises(TrainingError) as failed:
        run.run()
    step = run.progress.step
    files = run.crops.files_of(step)
    assert content / "bright.png" in files
    assert failed.value.message == (
        f"the loss is nan at step {step}: not finite: content; crops of {content / 'bright.png'}"
    )
    assert "lower --learning-rate" in failed.value.fix


def test_the_message_says_whether_the_picture_is_not_finite(trainer):
    run = trainer("run", precision="fp32")
    with torch.no_grad():
        run.scaled.net.head.conv.weight.fill_(3e38)
    with pytest.raises(TrainingError) as failed:
        run.run()
    files = ", ".join(dict.fromkeys(map(str, run.crops.files_of(0))))
    assert f"the net's picture of {files} is not finite; crops of {files}" in failed.value.message
    assert "style" in failed.value.message


def test_float16_is_named_as_a_cause(trainer):
    run = trainer("run", precision="fp16")
    with torch.no_grad():
        run.scaled.net.head.conv.bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"\(--precision bf16 or fp32, or lower --learning"):
        run.run()


@pytest.mark.parametrize(("at", "kept"), [(3, 3), (7, 5), (12, 10)])
def test_the_last_good_state_is_kept_though_none_was_saved_yet(trainer, monkeypatch, at, kept):
    monkeypatch.setattr("sttk.toolkit.training.loop._LOG_EVERY", 5)
    whole = trainer("whole", steps=14)
    whole.run()
    run = trainer("run", steps=14)
    poison(run, monkeypatch, lambda photo: torch.full((len(photo),), run.progress.step == at))
    with pytest.raises(TrainingError, match=rf"at step {at}: .*last good state, of step {kept}"):
        run.run(save_seconds=1e9)
    again = trainer("run", steps=14)
    again.resume()
    assert again.progress.step == kept
    again.run()
    wanted, got = whole.scaled.state_dict(), again.scaled.state_dict()
    assert all(torch.equal(wanted[key], got[key]) for key in wanted)
    assert again.log.latest == whole.log.latest


def test_steps_that_changed_nothing_are_told(trainer):
    run = trainer("run")
    run.overflows += [2, 4]
    run.crops.broken[run.folder / "x.jpg"] = "x.jpg: broken"
    first, second = Session(None, run, run.crops.photos).remarks()
    assert first == "skipped: x.jpg: broken"
    assert second.startswith("2 steps changed nothing")
    assert all(str(file) in second for file in run.crops.files_of(2))
