"""What tests share: tiny nets and pictures made on the spot, and the real data where it is."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from _pytest.mark.structures import ParameterSet
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, settings
from PIL import Image

from sttk.cli import cli
from sttk.exporters import exporter
from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.exporters.web import ort_web
from sttk.toolkit.checkpoints import load
from sttk.toolkit.checkpoints.native import save_net
from sttk.toolkit.core.contract import Contract, Precision
from sttk.toolkit.core.errors import NotRunError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.shapes import Shapes, Size
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.nets.johnson import JohnsonNet, JohnsonSpec
from sttk.toolkit.targets.trt import cuda
from sttk.toolkit.web import chromium
from sttk.toolkit.web.chromium import Chromium
from tests.built import ROOT, Built, state

torch.set_num_threads(1)

# What a terminal, a workflow, a hook of git's or a launcher says of itself, tests are not to hear:
# tables are as wide as COLUMNS, `sttk parity` annotates on GitHub, `git init` obeys GIT_DIR.
_TOLD = ("CLICOLOR_FORCE", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE",
         "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE",
         "TORCHELASTIC_RUN_ID")  # fmt: skip
for _name in _TOLD:
    os.environ.pop(_name, None)
os.environ["COLUMNS"] = "80"

# How long an example took is the machine's and its neighbours': no test fails by it.
settings.register_profile("sttk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sttk")

with suppress(ImportError):  # torch's own affair: another version may have it elsewhere
    from onnxscript._framework_apis import torch_2_5 as _apis
    from torch.onnx._internal.exporter import _registration

    # Every export reads the sources of all of onnxscript's functions anew, to the same end: a
    # second of the two or three that a tiny net takes, hundreds of times.
    _registration.onnxscript_apis.get_torchlib_ops = lru_cache(_apis.get_torchlib_ops)

SHARED = ROOT.parent / "shared" / "data"

# A shell starts what it runs in the background with Ctrl-C ignored, and children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

TINY = JohnsonSpec(widths=(4, 6, 8), blocks=2, output="tanh")
Sttk = Callable[..., Result]


def pytest_configure() -> None:
    """Where the real data is required, its absence is no reason to skip."""
    if os.environ.get("STTK_REQUIRE_SHARED") and not SHARED.is_dir():
        pytest.exit(f"{SHARED} is required here (STTK_REQUIRE_SHARED) and is not there", 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What uses the browser is marked so."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


@pytest.fixture(autouse=True)
def left_as_found() -> Iterator[None]:
    """Whatever a test changes of the process's surroundings, the next would run in."""
    before = surroundings()
    yield
    assert surroundings() == before, "left changed behind"


_VARIABLES = ("COLUMNS", "HOME", "OMP_NUM_THREADS", "PATH", "PYTHONPATH", "TMPDIR",
              "XDG_CACHE_HOME")  # fmt: skip
_OURS = ("GITHUB_", "STTK_")


def surroundings() -> dict[str, Any]:
    """What is found by name or path, and what else all tests of a process share and a test, or a
    library that it calls, may change. Libraries set variables of their own as they are imported.

    Filters of warnings are not here: pytest sets them anew for each test.
    """
    names = {*_VARIABLES} | {name for name in os.environ if name.startswith(_OURS)}
    variables = {name: os.environ.get(name) for name in names}
    handlers = {each.name: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    return {
        **variables,
        **handlers,
        "cwd": str(Path.cwd()),
        "tempfile": tempfile.gettempdir(),
        "threads of torch": torch.get_num_threads(),
        "type of torch": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "numpy's errors": np.geterr(),
        "logging": (logging.root.manager.disable, logging.root.disabled),
    }


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real checkpoints and pictures beside the repository; tests of them skip without."""
    if not SHARED.is_dir():
        pytest.skip("../shared is not here")
    return SHARED


def nightly(*values: Any) -> ParameterSet:
    """Parameters of a test that are for the night; others of the same test are in the core."""
    return pytest.param(*values, marks=pytest.mark.nightly)


def random_johnson(spec: JohnsonSpec = TINY, seed: int = 0) -> JohnsonNet:
    """A net with random weights, norms included, whose output varies over 0..255."""
    torch.manual_seed(seed)
    net = JohnsonNet(spec)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "norm" in name:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return net.eval()


@pytest.fixture(scope="session")
def built() -> Built:
    """What tests share, built once for all workers."""
    return Built(ROOT / ".pytest_cache/built", state())


def saved_net(built: Built, name: str, seed: int = 0) -> Path:
    """A tiny style net in sttk's own layout, under a path that stays the same between runs."""

    def build(folder: Path) -> Path:
        save_net(folder / name, random_johnson(seed=seed), Contract(), {"painting": "none"})
        return folder / name

    return built.get(f"net {name} {seed}", build)


@pytest.fixture(scope="session")
def checkpoint(built: Built) -> Path:
    """A tiny style net in sttk's own layout."""
    return saved_net(built, "tiny.safetensors")


@pytest.fixture(scope="session")
def net(checkpoint: Path) -> StyleNet:
    """The tiny style net, loaded."""
    return load(checkpoint)


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A picture of 90 x 70 pixels with edges and gradients, alone in a folder that tests share."""
    path = tmp_path_factory.mktemp("photos") / "photo.png"
    rows, columns = np.mgrid[0:70, 0:90]
    rgb = np.stack([rows * 3, columns * 2, (rows // 8 + columns // 8) % 2 * 200], axis=-1)
    Image.fromarray(rgb.astype(np.uint8)).save(path)
    yield path
    # Others are given the whole folder: what one leaves there, they fail by.
    assert list(path.parent.iterdir()) == [path]


@pytest.fixture(scope="session")
def make(
    net: StyleNet, built: Built, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Artifacts of the tiny net: ``make("onnx", size=(64, 96), opset=19)``.

    Each is exported once for all workers; every call gives a copy, for the caller to change.
    ``size=None`` is any size; ``shapes`` stands for what is neither.
    """

    def artifact(
        target: str = "onnx",
        *,
        size: Size | None = None,
        shapes: Shapes | None = None,
        precision: Precision = "fp32",
        **options: Any,
    ) -> Path:
        shapes = shapes or (Shapes.fixed(*size) if size else Shapes.any())
        rewrite = options.pop("rewrites", True)
        told = exporter(target).options(**options)
        request = ExportRequest(net, Plan(precision), shapes, told, rewrite=rewrite)
        asked = repr((target, shapes, precision, sorted(options.items()), rewrite))
        made = built.get(asked, lambda folder: make_artifact(target, request, folder))
        place = tmp_path_factory.mktemp("artifacts") / made.parent.name / made.name
        shutil.copytree(made, place)
        return place

    return artifact


@pytest.fixture(scope="session")
def page(make: Callable[..., Path], built: Built, checkpoint: Path) -> Path:
    """A web page of the tiny net, which offers another one; skips where it cannot be made."""
    pytest.importorskip("onnxruntime")
    try:
        ort_web.files()
    except NotRunError as error:
        pytest.skip(f"not run: {error}")
    other = saved_net(built, "other-vii-mobile-m.safetensors", seed=1)
    return make("web", offers=(str(other), str(checkpoint)))


@pytest.fixture(scope="session")
def browser() -> Iterator[Chromium]:
    """A Chromium with a camera of its own; skips where there is none."""
    if chromium.find() is None:
        pytest.skip("not run: no Chromium here")
    fake = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with Chromium(fake) as running:
        yield running


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """No CUDA driver, wherever the tests run."""

    def absent() -> None:
        raise OSError("libcuda.so.1: cannot open shared object file")

    monkeypatch.setattr(cuda, "_driver", absent)


@pytest.fixture
def sttk() -> Sttk:
    """Runs the command as a user types it: ``sttk("export", path, "--dynamic")``."""

    def run(*args: object) -> Result:
        return CliRunner().invoke(cli, [str(arg) for arg in args], prog_name="sttk")

    return run
