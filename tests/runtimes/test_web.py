"""Pages in a real Chromium: what they compute, and what one sees of it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.checkpoints import load
from sttk.toolkit.checkpoints.native import save_net
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.errors import ArtifactError, NotRunError, RunError, UsageError
from sttk.toolkit.core.rungs import EXACT
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.imaging.regimes import Sample
from sttk.toolkit.nets.johnson import JohnsonSpec
from sttk.toolkit.parity.canvas import canvas, judged
from sttk.toolkit.parity.compare import Comparison
from sttk.toolkit.parity.reference import References
from sttk.toolkit.runtimes.base import Settings
from sttk.toolkit.targets import open_model
from sttk.toolkit.web import chromium
from sttk.toolkit.web.chromium import Chromium, Tab
from sttk.toolkit.web.page import STARTED
from sttk.toolkit.web.server import serving
from tests.conftest import random_johnson

INNER = "styles/other-vii-mobile-m"
SAID = '() => document.getElementById("status").textContent'
COMPLAINED = '() => document.getElementById("alert").textContent'


@pytest.fixture
def opened(page, browser):
    """Opens the page in a tab, ready: ``opened("?backend=wasm", size=(390, 844))``."""
    with serving(page) as server:

        def open_page(query="", **options):
            tab = Tab(browser, server.url + query, **options)
            assert tab.run(STARTED) is None
            return tab

        yield open_page


def until(tab, function, wanted, seconds=200):
    end = time.monotonic() + seconds
    while wanted not in (said := tab.run(function)):
        assert time.monotonic() < end, said
        time.sleep(0.05)
    return said


def click(tab, name):
    tab.run("(id) => document.getElementById(id).click()", name)


def test_it_is_the_same_function(page, browser, sttk):
    result = sttk("parity", page, "--regime", "odd", "--regime", "batch")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("pass: exact promised; 2 exact") == 2
    assert result.stdout.count("WebGPU was not run") == 2


def test_another_net_is_caught(page, browser):
    runner = open_model(page / INNER / "index.html", Settings(threads=1))
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 32, 40)).astype(np.float32)
    nets = [load(read_manifest(place).checkpoint.source) for place in (page / INNER, page)]
    jury, sample = Comparison(EXACT), Sample("noise", x, "noise")
    right, wrong = (jury.row(runner, sample, References(net).of(x))[0] for net in nets)
    assert right.passed
    assert not wrong.passed
    assert runner.device_seconds > 0


def exported(spec, folder):
    checkpoint = folder / "wide.safetensors"
    save_net(checkpoint, random_johnson(spec), Contract(), {})
    return make_artifact("web", ExportRequest(load(checkpoint), shapes=Shapes.any()), folder)


@pytest.mark.nightly
def test_webgpu_is_the_same_function(page, browser, sttk, tmp_path):
    folder = exported(JohnsonSpec(widths=(8, 16, 32), blocks=2, output="tanh"), tmp_path)
    result = sttk("parity", folder, "--regime", "tiny", "--device", "webgpu")
    if "no WebGPU" in result.output:
        pytest.skip("not run: this Chromium has no WebGPU in software")
    assert result.exit_code == 0, result.output
    assert "pass: exact promised; 1 exact" in result.stdout
    assert "run by WebGPU in Chromium, without a GPU" in result.stdout


@pytest.mark.nightly
def test_a_gpu_that_computes_something_else_is_not_used(page, browser):
    """ONNX Runtime Web 1.30 does so with the tiny net, of 4, 6 and 8 channels."""
    flags = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
    with serving(page) as server, Chromium(flags) as running:
        wanted = "?offline=no&backend=webgpu"
        said = Tab(running, server.url + wanted).run(STARTED)
        if said and "no WebGPU" in said:
            pytest.skip("not run: this Chromium has no WebGPU in software")
        assert said == "WebGPU here does not compute what PyTorch does."


def test_a_run_that_fails_is_an_error(page, browser):
    runner = open_model(page / "index.html")
    with pytest.raises(RunError, match="the page: Error"):
        runner.run(np.zeros((1, 4, 32, 32), np.float32))
    assert runner.run(np.zeros((1, 3, 32, 32), np.float32)).shape == (1, 3, 32, 32)


def test_a_closed_runner_has_ended_its_browser(page, browser):
    picture = np.zeros((1, 3, 32, 32), np.float32)
    with open_model(page / "index.html") as runner:
        assert runner.run(picture).shape == picture.shape
    with pytest.raises(RunError):
        runner.run(picture)
    runner.close()


def test_the_canvas_shows_what_torch_paints(opened, net, photo):
    tab = opened()
    tab.choose("#file", photo)
    until(tab, SAID, "Painted in the style Tiny")
    given, seen = canvas(tab)
    wanted = np.asarray(Image.open(photo))[1:69, 1:89].transpose(2, 0, 1)[None]
    assert np.array_equal(given, wanted), "the cut is the middle, unscaled"
    row = judged(net, given, seen)
    assert row.passed, row
    assert row.found.largest <= 1
    assert not judged(net, given, np.roll(seen, 1, axis=-1)).passed


def test_the_camera_is_painted(opened, net):
    tab = opened()
    click(tab, "camera")
    until(tab, '() => document.getElementById("speed").textContent', "FPS")
    click(tab, "shoot")
    until(tab, SAID, "Painted in the style Tiny")
    given, seen = canvas(tab)
    assert max(given.shape) == 512
    assert given.std() > 20
    assert judged(net, given, seen).passed
    assert not tab.run('async () => (await import("./app.js")).camera.running')


@pytest.mark.nightly
def test_other_styles_and_sizes(opened, page, photo, tmp_path):
    tab = opened("#other-vii-mobile-m")
    other = load(read_manifest(page / INNER).checkpoint.source)
    tab.run('() => { document.getElementById("size").value = "256"; }')
    tab.run('() => document.getElementById("size").dispatchEvent(new Event("change"))')
    large = tmp_path / "large.jpg"
    Image.open(photo).resize((600, 400)).save(large)
    tab.choose("#file", large)
    until(tab, SAID, "Painted in the style Other VII")
    given, seen = canvas(tab)
    assert given.shape == (1, 3, 168, 256)
    assert judged(other, given, seen).passed
    tab.run('() => document.querySelector("input[name=style]").click()')
    until(tab, SAID, "Painted in the style Tiny")
    assert not judged(other, *canvas(tab)).passed


def test_a_photo_is_turned_as_its_exif_says(opened, photo, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    turned = tmp_path / "turned.jpg"
    Image.open(photo).save(turned, exif=exif, quality=100)
    tab = opened()
    tab.choose("#file", turned)
    until(tab, SAID, "Painted")
    assert canvas(tab)[0].shape == (1, 3, 88, 68)


def test_what_is_no_picture_is_said(opened, photo, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    tab = opened()
    tab.choose("#file", broken)
    until(tab, COMPLAINED, "no picture that the browser can read")
    narrow = tmp_path / "narrow.png"
    Image.new("RGB", (300, 2)).save(narrow)
    tab.choose("#file", narrow)
    until(tab, COMPLAINED, "too small or too narrow")
    tab.choose("#file", photo)
    until(tab, SAID, "Painted")
    assert tab.run(COMPLAINED) == ""


def test_the_keyboard_reaches_everything_in_order(opened, photo):
    tab = opened()
    reached = []
    for _ in range(8):
        tab.press("Tab", 9)
        reached.append(tab.run("() => document.activeElement.id || document.activeElement.name"))
    assert reached[:5] == ["example", "style", "file", "camera", "size"]
    tab.run('() => document.querySelector("input[name=style]").focus()')
    tab.press("ArrowRight", 39)
    until(tab, SAID, "The style is Other VII.")
    assert not tab.run('() => document.getElementById("loading").checkVisibility()')
    tab.run('() => document.getElementById("example").focus()')
    tab.press("Enter", 13)
    until(tab, SAID, "Painted in the style Other VII")
    assert tab.run("() => document.activeElement.id") == "save"


def test_whoever_cannot_see_it_is_told(opened, photo):
    tab = opened()
    tab.choose("#file", photo)
    until(tab, SAID, "Painted")
    nodes = tab.call("Accessibility.getFullAXTree", {})["nodes"]
    said = {
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"]
    }
    assert ("button", "Save PNG") in said
    assert ("radio", "Tiny") in said
    assert ("combobox", "Longer side") in said
    assert ("image", "Your picture in the style Tiny, 88 by 68 pixels") in said
    controls = {"button", "radio", "combobox", "image", "progressbar", "group"}
    assert not [role for role, name in said if role in controls and not name]


@pytest.mark.nightly
@pytest.mark.parametrize("size", [(360, 640), (390, 844), (1280, 800)])
def test_nothing_is_cut_off(opened, photo, size):
    tab = opened(size=size, scale=2 if size[0] < 400 else 1)
    tab.choose("#file", photo)
    until(tab, SAID, "Painted")
    wide, small = tab.run("""() => [document.documentElement.scrollWidth - innerWidth,
      [...document.querySelectorAll("button, label.button, select")]
        .filter((each) => each.checkVisibility())
        .filter((each) => each.getBoundingClientRect().height < 44).length]""")
    assert wide <= 0
    assert small == 0


def test_it_is_isolated_and_fetches_nothing_from_elsewhere(opened):
    tab = opened("?threads=2")
    facts = tab.run("""() => [crossOriginIsolated, document.getElementById("backend").textContent,
      performance.getEntriesByType("resource").every(({ name }) => name.startsWith(origin))]""")
    assert facts == [True, "WebAssembly, 2 threads", True]
    refused = tab.run('() => fetch("https://example.org/").then(() => "sent", () => "refused")')
    assert refused == "refused"


def test_it_works_offline_once_loaded(page, browser, photo):
    with serving(page) as server:
        url = server.url
        tab = Tab(browser, url)
        assert tab.run(STARTED) is None
        offline = '() => document.getElementById("offline").textContent'
        until(tab, offline, "ready")
    tab = Tab(browser, url)
    assert tab.run(STARTED) is None
    assert tab.run("() => crossOriginIsolated")
    tab.choose("#file", photo)
    until(tab, SAID, "Painted")


@pytest.mark.nightly
def test_the_code_in_its_readme_runs(page, browser, photo, tmp_path):
    folder = tmp_path / "site"
    shutil.copytree(page, folder, copy_function=os.link)
    (code,) = re.findall(r"```js\n(.*?)```", (page / "README.md").read_text(), re.DOTALL)
    (folder / "mine.js").write_text(f"{code}document.title = 'done';\n")
    (folder / "mine.html").write_text(
        '<!doctype html><canvas></canvas><script type="module" src="mine.js"></script>'
    )
    Image.open(photo).save(folder / "photo.jpg")
    with serving(folder) as server:
        tab = Tab(browser, f"{server.url}mine.html")
        until(tab, "() => document.title", "done")
        seen = tab.run("""() => { const canvas = document.querySelector("canvas");
          return Math.max(...canvas.getContext("2d").getImageData(0, 0, 80, 60).data); }""")
    assert seen == 255


@pytest.mark.nightly
def test_stylize_by_the_page(page, browser, photo, tmp_path, sttk, net):
    result = sttk("stylize", photo, "-o", tmp_path / "out.png", "--artifact", page)
    assert result.exit_code == 0, result.output
    assert "onnxruntime-web" in result.stdout
    again = sttk("stylize", photo, "-o", tmp_path / "torch.png", "--artifact", page, "--runtime",
                 "torch")  # fmt: skip
    assert again.exit_code == 0
    seen, wanted = (np.asarray(Image.open(tmp_path / f"{n}.png"), int) for n in ("out", "torch"))
    assert np.abs(seen - wanted).max() <= 1


def test_settings_that_it_has_no_choice_about(page):
    with pytest.raises(UsageError, match="its graph says it"):
        open_model(page / "index.html", Settings("f32"))


def test_without_a_chromium(page, monkeypatch, sttk):
    monkeypatch.setenv(chromium.VARIABLE, "/absent")
    with pytest.raises(NotRunError, match="no Chromium here"):
        open_model(page / "index.html")
    result = sttk("parity", page / INNER, "--regime", "tiny", "--require", "web")
    assert result.exit_code == 3
    assert "no Chromium here" in result.output


def program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


FATAL = "[1:FATAL:chrome/browser/process_singleton_posix.cc:313] Socket path too long"


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("echo this; echo no display", "no display"),
        (f"echo '{FATAL}'; echo and so on", FATAL),  # its handler of crashes speaks after it
        (":", ""),
    ],
)
def test_what_does_not_start_says_why(says, told, monkeypatch, tmp_path):
    fails = program(tmp_path / "fails", f"exec >&2; {says}; exit 1")
    monkeypatch.setenv(chromium.VARIABLE, fails)
    with pytest.raises(NotRunError) as raised:
        Chromium()
    assert str(raised.value) == f"{fails} does not start: Chromium has ended" + (
        told and f": {told}"
    )


def test_it_starts_where_temporary_files_lie_deep(browser, monkeypatch, tmp_path):
    """Its socket's path may be some 100 bytes long."""
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    monkeypatch.setenv("TMPDIR", str(deep))
    with Chromium() as running:
        assert "product" in running.call("Browser.getVersion", seconds=60)
    assert not list(deep.iterdir())


def test_what_is_no_page(tmp_path):
    (tmp_path / "index.html").write_text("hello")
    with pytest.raises(ArtifactError):
        open_model(tmp_path / "index.html")


def of_profile(profile):
    """Processes that have it on their command line."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += [file.parent.name] * (profile.encode() in file.read_bytes())
        except OSError:
            continue
    return found


@pytest.mark.nightly
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="not run: no /proc")
@pytest.mark.parametrize("way", ["close", "forget", "kill"])
def test_no_chromium_is_left_behind(browser, way, tmp_path):
    program = """
import os, signal, sys
from sttk.toolkit.web.chromium import Chromium
running = Chromium()
print(running._profile, flush=True)
if sys.argv[1] == "close":
    running.close()
if sys.argv[1] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, way], capture_output=True, text=True, check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == (-signal.SIGKILL if way == "kill" else 0), done.stderr
    profile = done.stdout.strip()
    assert profile.startswith(str(tmp_path))
    end = time.monotonic() + 200
    while of_profile(profile):
        assert time.monotonic() < end, "it still runs"
        time.sleep(0.1)
    assert way == "kill" or not Path(profile).exists()


def test_torch_is_what_it_is_held_to(net):
    """The gate of these tests lets torch's own pixels pass, and those of nothing else."""
    x = np.random.default_rng(1).integers(0, 256, (1, 3, 48, 64)).astype(np.float32)
    seen = np.rint(net(torch.from_numpy(x)).detach().numpy())
    assert judged(net, x, seen).passed
    assert not judged(net, x, np.clip(seen + 3, 0, 255)).passed
