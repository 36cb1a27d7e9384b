from __future__ import annotations

import gc
import sys

import numpy as np
import pytest

from sttk.toolkit.core.errors import (
    ArtifactError,
    MissingExtraError,
    NotRunError,
    RunError,
    UsageError,
)
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.runtimes.base import OnDevice, Settings
from sttk.toolkit.targets import open_model
from sttk.toolkit.targets.trt.cuda import Buffer, Device

VERSIONS = ["10.16", "11.4", "rtx-1.7"]
RANGE = ((1, 3, 16, 24), (1, 3, 32, 32), (1, 3, 64, 96))


def batch(*shape):
    return np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)


@pytest.fixture
def opened(gpu, fake_trt, tmp_path):
    """Opens an engine of a fake library on a fake GPU: the runner, and the two of them."""

    def open_engine(version="rtx-1.7", **wishes):
        driver, own = gpu(), fake_trt(version)
        for name, value in wishes.items():
            setattr(own, name, value)
        model = tmp_path / "model.engine"
        model.write_bytes(own.engine)
        return open_model(model), driver, own

    return open_engine


@pytest.mark.parametrize("version", VERSIONS)
def test_a_fixed_engine(opened, version):
    runner, driver, own = opened(version)
    assert runner.takes == Shapes.fixed(32, 32)
    x = batch(1, 3, 32, 32)
    assert np.array_equal(runner.run(x), 255 - x)
    used = own.calls[own.calls.index("create_execution_context") :]
    assert used[-5:] == [
        "set_input_shape",
        "get_tensor_shape",
        *["set_tensor_address"] * 2,
        "execute_async_v3",
    ]
    copies = ["cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2", "cuStreamSynchronize"]
    assert [call for call in driver.calls if call in copies] == copies
    library = f"{own.module.__name__} {own.module.__version__}"
    assert runner.notes == (f"ran on Fake GPU (8.6) under {library}",)


def test_the_time_on_the_device_is_without_the_copies(opened):
    runner, driver, _ = opened()
    assert isinstance(runner, OnDevice)
    runner.run(batch(1, 3, 32, 32))
    assert runner.device_seconds == pytest.approx(2.5e-3)
    wanted = [
        "cuMemcpyHtoDAsync_v2", "cuEventRecord", "cuEventRecord", "cuMemcpyDtoHAsync_v2",
        "cuStreamSynchronize", "cuEventElapsedTime",
    ]  # fmt: skip
    assert [call for call in driver.calls if call in wanted] == wanted


@pytest.mark.parametrize("version", VERSIONS)
def test_an_engine_for_a_range(opened, version):
    runner, driver, _ = opened(version, shapes=RANGE)
    assert runner.takes == Shapes.within((16, 24), (32, 32), (64, 96))
    for shape in ((1, 3, 16, 24), (1, 3, 64, 96), (1, 3, 20, 30)):
        x = batch(*shape)
        assert np.array_equal(runner.run(x), 255 - x)
    assert len(driver.memory) == 2
    assert np.array_equal(runner.run(x[:, :, ::-1]), 255 - x[:, :, ::-1])
    del runner
    gc.collect()
    assert not driver.memory


@pytest.mark.parametrize("shape", [(1, 3, 15, 32), (2, 3, 32, 32), (1, 1, 32, 32), (3, 32, 32)])
def test_inputs_that_it_does_not_take(opened, shape):
    with pytest.raises(RunError, match="the engine takes 16x24-64x96"):
        opened(shapes=RANGE)[0].run(batch(*shape))


def test_a_profile_over_batches(opened):
    runner, _, _ = opened(shapes=((1, 3, 32, 32), (2, 3, 32, 32), (4, 3, 32, 32)))
    assert runner.takes == Shapes.fixed(32, 32, batch=None)
    assert runner.run(batch(3, 3, 32, 32)).shape == (3, 3, 32, 32)


@pytest.mark.parametrize("fails", ["set_input_shape", "execute"])
def test_what_fails_while_it_runs(opened, fails):
    runner, _, _ = opened(fails=fails)
    with pytest.raises(RunError, match=rf"^TensorRT: {fails}.*: refused$"):
        runner.run(batch(1, 3, 32, 32))


def test_a_closed_runner_has_freed_the_devices_memory(opened):
    runner, driver, _ = opened()
    with runner:
        runner.run(batch(1, 3, 32, 32))
        assert driver.memory
    assert not driver.memory
    runner.close()


@pytest.mark.parametrize("driver", [{"devices": 0}, {"init": 100}, None])
def test_without_a_device(gpu, no_gpu, tmp_path, driver):
    if driver:
        gpu(**driver)
    (tmp_path / "model.engine").write_bytes(b"")
    with pytest.raises(NotRunError) as caught:
        open_model(tmp_path / "model.engine")
    assert str(caught.value) == "not run: no CUDA device"
    assert not isinstance(caught.value, MissingExtraError)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_engine_for_another_gpu(opened, version):
    with pytest.raises(ArtifactError) as caught:
        opened(version, fails="deserialize")
    assert "on Fake GPU (8.6) cannot load it: made for another GPU" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_rtx_says_beforehand_why_not(opened, fake_trt):
    validity = fake_trt("rtx-1.7").module.EngineValidity
    with pytest.raises(ArtifactError, match="old cuda driver, unsupported compute capability"):
        opened(validity=(validity.INVALID, 2 | 4))
    with pytest.raises(ArtifactError, match="no reason given"):
        opened(validity=(validity.INVALID, 0))
    runner, _, _ = opened(validity=(validity.SUBOPTIMAL, 4))
    assert runner.notes[1] == "may be slow here: old cuda driver"


def test_files_that_are_no_engine_of_a_style_net(opened, tmp_path):
    with pytest.raises(ArtifactError, match="not a style net"):
        opened(dtype="HALF")
    with pytest.raises(ArtifactError, match="not a style net"):
        opened(shapes=((1, 4, 32, 32),) * 3)
    with pytest.raises(ArtifactError, match="its profile is"):
        opened(shapes=((1, 3, 64, 64), (1, 3, 32, 32), (1, 3, 96, 96)))
    with pytest.raises(ArtifactError, match="does not begin as a TensorRT engine does"):
        opened(engine=b"ONNX" * 100)


def test_an_engine_of_the_library_that_is_not_installed(opened, fake_trt, engine_bytes):
    with pytest.raises(MissingExtraError, match=r"pip install 'sttk\[trt-full\]'"):
        opened("rtx-1.7", engine=engine_bytes("tensorrt", "10.16.1.11"))


def test_a_library_that_does_not_load(gpu, fake_trt, tmp_path, monkeypatch):
    gpu()
    (tmp_path / "model.engine").write_bytes(fake_trt("rtx-1.7").engine)

    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == "tensorrt_rtx":
                raise ImportError("libtensorrt_rtx.so.1: cannot open shared object file")

    monkeypatch.delitem(sys.modules, "tensorrt_rtx")
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(NotRunError, match=r"tensorrt_rtx does not load: libtensorrt_rtx"):
        open_model(tmp_path / "model.engine")


def test_settings_that_it_has_not(tmp_path):
    (tmp_path / "model.engine").write_bytes(b"")
    with pytest.raises(UsageError, match="its engine says it"):
        open_model(tmp_path / "model.engine", Settings("f16"))


def test_memory_that_is_not_to_be_had(gpu):
    driver = gpu()
    device = Device()
    with pytest.raises(RunError, match="CUDA: cuMemAlloc_v2: out of memory"):
        Buffer(device, 1 << 40)
    assert not driver.memory
