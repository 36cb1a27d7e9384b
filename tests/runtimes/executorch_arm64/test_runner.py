"""Programs in the C++ runner, compiled for this host, against its own ExecuTorch, and for ARM64.

What is natively compiled needs no emulator, and is the same source, protocol and library.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.exporters.plans import usual_plan
from sttk.toolkit import styles
from sttk.toolkit.core.errors import ArtifactError, NotRunError, RunError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.rungs import EXACT, FAITHFUL, keeps
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.devices.folder import folder as devices_folder
from sttk.toolkit.imaging.regimes import Regimes, shipped_photos
from sttk.toolkit.opened.artifact import open_artifact
from sttk.toolkit.parity.metrics import regions
from sttk.toolkit.parity.reference import References
from sttk.toolkit.runtimes.base import Settings
from sttk.toolkit.targets.executorch.arm64 import build
from sttk.toolkit.targets.executorch.arm64.parts import Compiler, Parts
from sttk.toolkit.targets.executorch.arm64.runner import EmulatedExecuTorchRunner
from tests.exporters.half_sums import HalfSumsRunner
from tests.exporters.phones import pictures
from tests.rungs import rung

SIZE = (64, 96)
WARNINGS = ("-Wall", "-Wextra", "-Werror")


class Native(Parts):
    """The parts of this host: nothing is emulated."""

    def compiler(self):
        return Compiler((shutil.which("g++"), *WARNINGS), dict(os.environ))

    def lacking(self):
        return ()

    def command(self, program):
        return [str(program)]


@pytest.fixture(scope="session")
def native(tmp_path_factory):
    """This host's ExecuTorch, with a runner that was compiled without a warning."""
    found = importlib.util.find_spec("executorch")
    package = Path(next(iter(found.submodule_search_locations))) if found else None
    if package is None or sys.platform != "linux" or shutil.which("g++") is None:
        pytest.skip("not run: no ExecuTorch and g++ on Linux here")
    if not (package / "lib/libexecutorch.so").is_file():
        pytest.skip("not run: this ExecuTorch has no libraries for C++")
    folder = tmp_path_factory.mktemp("native")
    (folder / "site").mkdir()
    (folder / "site/executorch").symlink_to(package)
    parts = Native(folder)
    build.runner(parts)
    return parts


@pytest.fixture
def model(make):
    return make("executorch", size=SIZE) / "model.pte"


def test_the_runner_computes_the_net(native, model, net):
    x = pictures(2, 3, *SIZE)
    with EmulatedExecuTorchRunner(model, native) as runner:
        assert runner.takes.only == SIZE
        first, again = runner.run(x), runner.run(x)
    assert rung(first, net, x) == EXACT
    np.testing.assert_array_equal(first, again)


def test_what_it_does_not_take(native, model):
    with EmulatedExecuTorchRunner(model, native) as runner:
        with pytest.raises(RunError, match="the program takes 64x96, not"):
            runner.run(pictures(1, 3, 64, 64))
        assert runner.run(pictures(1, 3, *SIZE)).shape == (1, 3, *SIZE)
    with pytest.raises(RunError, match="ExecuTorch: its runner was closed"):
        runner.run(pictures(1, 3, *SIZE))
    with pytest.raises(NotRunError, match="ExecuTorch computes as its program says"):
        EmulatedExecuTorchRunner(model, native, Settings("f32"))


@pytest.mark.parametrize("kept", [8, 64, 4096, -100])
def test_a_program_that_ends_too_early(kept, native, model, tmp_path):
    (tmp_path / "m.pte").write_bytes(model.read_bytes()[:kept])
    with pytest.raises(ArtifactError, match="ExecuTorch cannot load it"):
        EmulatedExecuTorchRunner(tmp_path / "m.pte", native)


def test_a_file_that_is_no_program_is_not_sent(native, tmp_path):
    (tmp_path / "m.pte").write_bytes(b"\0\0\0\0ET11")
    with pytest.raises(ArtifactError, match="its identifier is not ET12"):
        EmulatedExecuTorchRunner(tmp_path / "m.pte", native)


def test_without_the_parts_it_is_not_run(model, tmp_path):
    with pytest.raises(NotRunError, match=r"not run: .* lacks "):
        EmulatedExecuTorchRunner(model, Parts(tmp_path / "none"))


@pytest.fixture(scope="session")
def arm64():
    """An emulated ARM64 CPU, where ``sttk devices --install arm64`` has put it."""
    parts = Parts(devices_folder() / "arm64")
    if lacking := parts.lacking():
        pytest.skip(f"not run: {parts.folder} lacks {', '.join(lacking)}")
    return parts


def test_arm64_computes_the_net(arm64, model, net):
    x = pictures(1, 3, *SIZE)
    with EmulatedExecuTorchRunner(model, arm64) as runner:
        assert rung(runner.run(x), net, x) == EXACT
        assert "for ARM64, emulated by qemu" in runner.notes[0]


@pytest.mark.nightly
@pytest.mark.parametrize("regime", ["low-contrast", "bright"])
def test_fp16_on_arm64_needs_both_ends_in_float32(regime, arm64, tmp_path):
    """Only where sums are in float16 is the plan that has all in it worse than faithful."""
    net = styles.find("ink-mobile-m").eval()
    shapes = Shapes.fixed(64, 64)
    (sample,) = Regimes(shipped_photos(), shapes, names=(regime,))
    exact = References(net).of(sample.batch).exact

    def output(plan):
        folder = make_artifact("executorch", ExportRequest(net, plan, shapes), tmp_path)
        with EmulatedExecuTorchRunner(open_artifact(folder).model, arm64) as runner:
            return runner.run(sample.batch)

    kept = output(usual_plan("executorch", net, "fp16"))
    half = output(Plan("fp16"))
    assert keeps(rung(kept, net, sample.batch), FAITHFUL)
    assert not keeps(rung(half, net, sample.batch), FAITHFUL)
    # On these inputs the emulation of such sums is off by as much; on photographs by more.
    emulated = HalfSumsRunner(net, Plan("fp16"), (64, 64)).run(sample.batch)
    real, expected = (regions(each, exact).whole.rms for each in (half, emulated))
    assert expected / 2 < real < expected * 2
