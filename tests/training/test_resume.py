"""Runs that go on: to the same bits, to more steps, or as another run from the same weights."""

from __future__ import annotations

import json

import pytest
import torch

from sttk.toolkit.checkpoints import load
from sttk.toolkit.core.errors import CheckpointError, TrainingError
from sttk.toolkit.nets.johnson import JohnsonSpec
from sttk.toolkit.nets.trainable import SIZES
from sttk.toolkit.training.state import length_of, net_of, packed
from tests.training.conftest import SPEC


def test_a_resumed_run_gives_the_same_bits(trainer):
    whole = trainer("whole")
    whole.run()
    first = trainer("halves")
    for step in range(3):
        first.log.add(first._step(first.crops[step]))
        first._advance(0.1)
    first.save()
    second = trainer("halves")
    second.resume()
    assert second.progress.step == 3
    second.run()
    wanted, got = whole.scaled.state_dict(), second.scaled.state_dict()
    assert all(torch.equal(wanted[key], got[key]) for key in wanted)


def test_the_log_of_a_resumed_run_is_that_of_a_whole_one(trainer):
    whole = trainer("whole", steps=20)
    whole.run()
    half = trainer("half", steps=20)
    for step in range(7):
        half.log.add(half._step(half.crops[step]))
        half._advance(0.1)
    half.save()
    rest = trainer("half", steps=20)
    rest.resume()
    rest.run()
    assert rest.log.latest == whole.log.latest


def test_another_recipe_cannot_resume(trainer):
    trainer("run").save()
    with pytest.raises(
        TrainingError, match=r"run was started with another --seed \(.*--init .*run -o"
    ):
        trainer("run", seed=5).resume()


def test_another_painting_cannot_resume(trainer):
    trainer("run", inputs={"painting": "a"}).save()
    other = trainer("run", inputs={"painting": "b"})
    with pytest.raises(TrainingError, match=r"run was started with another --style \("):
        other.resume()


def test_a_finished_run_goes_on_to_more_steps(trainer):
    trainer("run", steps=4).run()
    more = trainer("run", steps=8)
    more.resume()
    assert (more.progress.step, more.progress.fraction) == (4, 0.5)
    more.run()
    assert more.progress.step == 8
    assert [row["step"] for row in more.log.rows] == [4, 8]
    # The learning rate follows the new length, from the step that was reached.
    assert more.optimizer.param_groups[0]["lr"] == more.recipe.rate(7 / 8)
    assert length_of(more.folder / "state.pt") == (8, None)


def test_a_killed_run_may_end_sooner_but_not_in_the_past(trainer):
    first = trainer("run", steps=8)
    for step in range(3):
        first.log.add(first._step(first.crops[step]))
        first._advance(0.1)
    first.save()
    with pytest.raises(TrainingError, match=r"is at step 3, past --steps 2 \(--steps 3 or more"):
        trainer("run", steps=2).resume()
    shorter = trainer("run", steps=3)
    shorter.resume()
    shorter.run()
    assert shorter.progress.step == 3


def test_a_run_of_minutes_can_go_on_by_steps(trainer):
    first = trainer("run", steps=None, minutes=1e-9)
    first.run()
    more = trainer("run", steps=3)
    more.resume()
    more.run()
    assert more.progress.step == 3


@pytest.mark.parametrize("spec", [SPEC, JohnsonSpec((4, 4, 4), 1, "batch"), SIZES["mobile-s"]])
def test_a_new_run_can_start_from_a_state(trainer, spec):
    first = trainer("first", steps=2, spec=spec)
    first.run()
    start = net_of(first.folder / "state.pt")
    assert start.net.spec == spec
    x = 255 * torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(start.net(x), first.trained()(x))
    second = trainer("second", spec=spec, seed=5)
    second.scaled.start_from(start.net)
    with torch.no_grad():
        assert torch.allclose(first.scaled.eval()(x), second.scaled.eval()(x), atol=1e-3)


@pytest.mark.parametrize("about", [None, "{}", "[", '{"net": "johnson", "spec": {"blocks": 1e9}}'])
def test_a_state_that_is_none_is_one_line(tmp_path, about):
    state = {"net": {"x": torch.zeros(1)}, **({"about": about} if about else {})}
    (tmp_path / "state.pt").write_bytes(packed("{}", state))
    with pytest.raises(CheckpointError, match="not the state of a run"):
        net_of(tmp_path / "state.pt")
    with pytest.raises(CheckpointError, match="not the state of a run"):
        length_of(tmp_path / "state.pt")


def test_the_command_goes_on_or_points_to_init(sttk, content, photo, tmp_path):
    run = tmp_path / "run"
    base = ["train", "--style", photo, "--content", content, "--size", 32, "--style-size", 64]
    base += ["--width", 0.05, "--precision", "fp32", "--batch", 1]
    options = [*base, "-o", run]
    assert sttk(*options, "--steps", 2).exit_code == 0
    more = sttk(*options, "--steps", 3, "--resume")
    assert more.exit_code == 0, more.output
    assert load(run / "net.safetensors").origin.card["steps"] == 3
    again = sttk(*options, "--resume")  # its own length
    assert again.exit_code == 0, again.output
    assert "3 steps of" in again.output
    other = sttk(*options, "--steps", 4, "--resume", "--seed", 7, "--learning-rate", 0.01)
    assert other.exit_code == 1
    assert other.stderr.splitlines()[-1] == (
        f"error: {run} was started with another --learning-rate, --seed (repeat its options, or "
        f"begin a new run from its weights: --init {run} -o ANOTHER) [training]"
    )
    begun = sttk(*base, "--steps", 1, "--seed", 7, "--init", run, "-o", tmp_path / "new", "--json")
    assert begun.exit_code == 0, begun.output
    assert json.loads(begun.stdout)["start"]["layout"] == "sttk state"
