"""A model in a worker process: here of this Python, elsewhere of another architecture's."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from sttk.toolkit import targets
from sttk.toolkit.core.errors import ArtifactError, NotRunError, RunError
from sttk.toolkit.devices.remote import RemoteRunner

pytest.importorskip("onnxruntime")


def opened(model, python=(sys.executable,), settings=None):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return RemoteRunner(python, environment, "arm64", model, settings)


@pytest.fixture(scope="module")
def model(make):
    return make(size=(48, 64)) / "model.onnx"


def test_it_computes_what_the_targets_own_runner_does(model):
    batch = np.random.default_rng(0).uniform(0, 255, (1, 3, 48, 64)).astype(np.float32)
    with opened(model) as remote, targets.open_model(model) as own:
        np.testing.assert_array_equal(remote.run(batch), own.run(batch))
        assert (remote.name, remote.takes) == (own.name, own.takes)
        assert remote.libraries == targets.required(model).requires.versions()


def test_an_error_of_the_runner_is_the_same_error_here(model, tmp_path):
    with opened(model) as remote:
        with pytest.raises(RunError):
            remote.run(np.zeros((1, 3, 8, 8), np.float32))
        assert remote.run(np.zeros((1, 3, 48, 64), np.float32)).shape == (1, 3, 48, 64)
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(ArtifactError):
        opened(tmp_path / "broken.onnx")


def test_a_process_that_dies_is_an_error_and_leaves_none_behind(model):
    with opened(model) as remote:
        remote._process.kill()
        with pytest.raises(RunError, match="its process ended with -9"):
            remote.run(np.zeros((1, 3, 48, 64), np.float32))
    assert remote._process.poll() is not None


def test_a_python_that_does_not_start_is_not_run(model):
    said = [sys.executable, "-c", "import sys; sys.exit('no such library')"]
    with pytest.raises(NotRunError, match=r"arm64 does not start: .*no such library"):
        opened(model, said)
