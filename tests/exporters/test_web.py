from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import json
import re
import tarfile
from importlib import resources

import numpy as np
import pytest
import torch

import sttk.exporters.web.export
from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.exporters.web import ort_web, part
from sttk.exporters.web.options import WebOptions
from sttk.toolkit.artifact.search import find_artifacts, read_manifest
from sttk.toolkit.core.errors import ArtifactError, NotRunError, UsageError
from sttk.toolkit.core.rungs import EXACT
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.parity.mutants import MUTANTS
from sttk.toolkit.targets import open_model
from sttk.toolkit.web.page import part_of
from sttk.toolkit.web.server import POLICY, TYPES
from sttk.workflows.mutation import Column, kill_table
from tests.rungs import rung

SOURCES = resources.files(sttk.exporters.web) / "page"
INNER = "styles/other-vii-mobile-m"


def source(name):
    return (SOURCES / name).read_text(encoding="utf-8")


# The artifact.


def test_a_page_holds_all_that_it_needs(page):
    facts = json.loads((page / "page.json").read_text())
    assert [style["title"] for style in facts["styles"]] == ["Tiny", "Other VII"]
    assert [style["folder"] for style in facts["styles"]] == ["", INNER]
    for name, digest in facts["files"].items():
        content = (page / name).read_bytes()
        assert name == "sw.js" or hashlib.sha256(content).hexdigest() == digest
    assert {f"ort/{name}" for name in ort_web.FILES} < set(facts["files"])
    assert "Microsoft" in (page / "ort/LICENCE.txt").read_text()
    assert "__VERSION__" not in (page / "sw.js").read_text()


def test_each_style_is_an_artifact_of_its_own(page, sttk):
    assert find_artifacts(page) == [page, page / INNER]
    assert not any(name.startswith("styles/") for name in read_manifest(page).files)
    result = sttk("verify", page)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("pass: ") == 2


def test_a_model_is_the_same_function(page, net):
    x = np.random.default_rng(0).integers(0, 256, (2, 3, 37, 61)).astype(np.float32)
    assert rung(open_model(page / "model.onnx").run(x), net, x) == EXACT


def test_a_page_knows_torchs_answer(page, net):
    check = json.loads((page / "page.json").read_text())["styles"][0]["check"]
    count = 3 * check["height"] * check["width"]
    x = (torch.arange(count) * check["step"] % 256).float()
    output = net(x.reshape(1, 3, check["height"], check["width"])).detach().flatten()
    wanted = output[:: check["every"]].numpy()
    assert np.abs(np.array(check["values"]) - wanted).max() < 0.06
    assert wanted.std() > 10


def test_the_same_bytes_again(page, net, checkpoint, tmp_path):
    again = make_artifact("web", ExportRequest(net, shapes=Shapes.any()), tmp_path)
    assert read_manifest(again).files["model.onnx"] == read_manifest(page).files["model.onnx"]
    third = make_artifact("web", ExportRequest(net, shapes=Shapes.any()), tmp_path)
    assert read_manifest(third).files == read_manifest(again).files


def test_verify_misses_nothing_of_what_a_page_holds(net, tmp_path, monkeypatch, sttk, page):
    folder = make_artifact("web", ExportRequest(net, shapes=Shapes.fixed(64, 96)), tmp_path)
    assert part_of(folder / "index.html").size == (64, 96)
    (folder / "app.js").write_text("alert(1)")
    (folder / "more.js").write_text("alert(2)")
    result = sttk("verify", folder)
    assert result.exit_code == 1
    assert "app.js: its bytes are not those" in result.stdout
    assert "more.js is not in the manifest" in result.stdout


def test_two_styles_of_one_name(net, checkpoint, tmp_path, page):
    from sttk.toolkit.checkpoints.native import save_net
    from sttk.toolkit.core.contract import Contract
    from tests.conftest import random_johnson

    other = tmp_path / "tiny.safetensors"
    save_net(other, random_johnson(seed=2), Contract(), {})
    request = ExportRequest(net, shapes=Shapes.any(), options=WebOptions(offers=(str(other),)))
    with pytest.raises(UsageError, match="two styles of the page are called tiny"):
        make_artifact("web", request, tmp_path / "out")
    assert not find_artifacts(tmp_path / "out")


def test_the_nets_of_two_runs_stand_on_one_page(tmp_path, page):
    from sttk.toolkit.checkpoints import load
    from sttk.toolkit.checkpoints.native import save_net
    from sttk.toolkit.core.contract import Contract
    from tests.conftest import random_johnson

    runs = [tmp_path / name / "net.safetensors" for name in ("wave", "night")]
    for seed, run in enumerate(runs):
        save_net(run, random_johnson(seed=seed), Contract(), {"name": run.parent.name})
    options = WebOptions(offers=(str(runs[1]),))
    request = ExportRequest(load(runs[0]), shapes=Shapes.any(), options=options)
    made = make_artifact("web", request, tmp_path / "out")
    assert made.parent == tmp_path / "out" / "wave"
    styles = json.loads((made / "page.json").read_text())["styles"]
    assert [style["title"] for style in styles] == ["Wave", "Night"]
    assert (made / styles[1]["folder"] / styles[1]["model"]).is_file()


def test_what_is_no_page(page, tmp_path):
    (tmp_path / "index.html").write_text("hello")
    with pytest.raises(ArtifactError, match=r"no page of sttk's: no page\.json here"):
        part_of(tmp_path / "index.html")
    for said in ("[]", "{}", "{", '{"styles": [{"folder": ""}]}', '{"styles": []}'):
        (tmp_path / "page.json").write_text(said)
        with pytest.raises(ArtifactError):
            part_of(tmp_path / "index.html")


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("composition-vii-mobile-m", "Composition VII"), ("candy", "Candy"),
        ("great_wave", "Great wave"), ("ink-mobile-m", "Ink"),
    ],
)  # fmt: skip
def test_titles_are_for_people(name, title):
    assert part.title(name) == title


@pytest.mark.nightly
def test_the_gate_catches_faults_of_pages(net, page, browser):
    table = kill_table(net, [Column("web", "fp32")], (96, 128), lambda *_: None, MUTANTS[:2])
    assert table.passed
    assert [each.note for each in table.clean] == [""]


# The page's sources.


def test_its_policy_is_the_servers():
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', source("index.html"))
    assert policy == POLICY


def test_nothing_is_fetched_from_elsewhere():
    for file in SOURCES.iterdir():
        addresses = re.findall(r"https?://[^\s\"')]+", file.read_text(encoding="utf-8"))
        assert set(addresses) <= {"http://www.w3.org/2000/svg"}, file.name
        assert "." + file.name.rpartition(".")[2] in TYPES


def test_nothing_stands_inline():
    text = source("index.html")
    assert not re.search(r"\son\w+=|\sstyle=|<style|<script(?![^>]*\ssrc=)", text)


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("theme", [0, 1])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("ink", "ground"), ("ink", "raised"), ("ink", "well"), ("quiet", "ground"),
        ("quiet", "well"), ("on-strong", "strong"), ("bad", "bad-ground"),
    ],
)  # fmt: skip
def test_text_stands_out_by_wcag_aa(theme, text, ground):
    blocks = re.findall(r":root \{(.*?)\}", source("style.css"), re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", blocks[theme]))
    dark, light = sorted(luminance(colours[name]) for name in (text, ground))
    assert (light + 0.05) / (dark + 0.05) >= 4.5


# ONNX Runtime Web.


@pytest.fixture
def registry(monkeypatch, tmp_path):
    """Stands for npm's: serves a package, and says how often it was asked."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(ort_web.FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("npm_config_registry", "https://registry.example")
    asked = []

    def install(content, integrity=None):
        digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
        monkeypatch.setattr(ort_web, "INTEGRITY", integrity or f"sha512-{digest}")

        def answer(address, timeout):
            asked.append(address)
            return io.BytesIO(content)

        monkeypatch.setattr(ort_web.urllib.request, "urlopen", answer)
        return asked

    return install


def package():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in (*ort_web.FILES, "ort.min.js"):
            info = tarfile.TarInfo(f"package/dist/{name}")
            info.size = len(name)
            archive.addfile(info, io.BytesIO(name.encode()))
    return buffer.getvalue()


def test_it_is_fetched_once_and_kept(registry):
    asked = registry(package())
    for _ in range(2):
        found = ort_web.files()
        assert {name: path.read_text() for name, path in found.items()} == {
            name: name for name in ort_web.FILES
        }
    assert asked == ["https://registry.example/onnxruntime-web/-/onnxruntime-web-1.30.0.tgz"]
    assert sorted(path.name for path in ort_web.cache().parent.iterdir()) == [
        "onnxruntime-web-1.30.0"
    ]


def test_what_was_changed_in_the_cache_is_fetched_again(registry):
    asked = registry(package())
    changed = ort_web.files()["ort.wasm.min.mjs"]
    changed.write_text("evil")
    assert ort_web.files()["ort.wasm.min.mjs"].read_text() == "ort.wasm.min.mjs"
    assert len(asked) == 2


def test_other_bytes_are_refused(registry):
    registry(package(), integrity=ort_web.INTEGRITY)
    with pytest.raises(NotRunError, match="not the bytes of onnxruntime-web"):
        ort_web.files()
    assert not ort_web.cache().exists()


def test_without_a_network_it_says_what_to_do(registry, monkeypatch):
    registry(b"")

    def fail(address, timeout):
        raise OSError("Name or service not known")

    monkeypatch.setattr(ort_web.urllib.request, "urlopen", fail)
    with pytest.raises(NotRunError, match="set STTK_ORT_WEB to what 'npm pack") as caught:
        ort_web.files()
    assert caught.value.exit_code == 3


def test_a_folder_of_the_users(registry, monkeypatch, tmp_path):
    asked = registry(b"")
    folder = tmp_path / "package"
    (folder / "dist").mkdir(parents=True)
    monkeypatch.setenv(ort_web.FOLDER_VARIABLE, str(folder))
    with pytest.raises(UsageError, match=r"no ort\.webgpu\.min\.mjs"):
        ort_web.files()
    for name in ort_web.FILES:
        (folder / "dist" / name).write_text(name)
    assert ort_web.files()["ort.wasm.min.mjs"] == folder / "dist/ort.wasm.min.mjs"
    (folder / "package.json").write_text('{"version": "1.29.0"}')
    with pytest.raises(UsageError, match=r"is not onnxruntime-web 1\.30\.0"):
        ort_web.files()
    (folder / "package.json").write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(UsageError, match=r"package\.json: 1048577 bytes are more than 1048576"):
        ort_web.files()
    assert not asked


def test_styles_of_one_file_are_each_offered(net, monkeypatch, tmp_path):
    def chosen(source):
        origin = dataclasses.replace(net.origin, name=source[-1], source=source)
        return StyleNet(net.net, net.contract, origin)

    monkeypatch.setattr(sttk.exporters.web.export.styles, "find", chosen)
    request = ExportRequest(chosen("x.onnx#style=1"), shapes=Shapes.any())
    offers = ("x.onnx#style=2", "x.onnx#style=1", "y/x.onnx#style=2")
    options = WebOptions(offers=offers)
    found = sttk.exporters.web.export._offers(dataclasses.replace(request, options=options))
    assert [each.origin.source for each in found] == ["x.onnx#style=2"]
