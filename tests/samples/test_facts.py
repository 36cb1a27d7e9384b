"""Names and files in the samples are those that the exporters make."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sttk.exporters.coreml import convert
from sttk.exporters.coreml import export as coreml
from sttk.exporters.onnx import export as onnx
from sttk.toolkit import styles
from sttk.toolkit.targets import NAMES as TARGETS
from sttk.toolkit.targets.ncnn import runner

SAMPLES = Path(__file__).parents[2] / "samples"
KOTLIN = SAMPLES / "android/app/src/main/kotlin/sttk/sample"
PAGES = sorted(SAMPLES.rglob("README.md"))


def constants(text):
    """What a source says: ``const val NAME = VALUE``, ``constexpr auto kName = "VALUE"``."""
    found = dict(re.findall(r"const val (\w+) = \"?([^\"\n]+)\"?", text))
    return found | dict(re.findall(r"(k\w+) = \"([^\"\n]+)\"", text))


def test_the_android_sample_uses_the_onnx_exporters_names():
    said = constants((KOTLIN / "Stylizer.kt").read_text())
    assert (said["MODEL"], said["INPUT"], said["OUTPUT"]) == (onnx.MODEL, onnx.INPUT, onnx.OUTPUT)
    (size,) = re.findall(r"--target onnx --size (\d+)", (SAMPLES / "android/README.md").read_text())
    assert said["WIDTH"] == said["HEIGHT"] == size


def test_the_android_sample_is_in_the_package_that_its_manifest_starts():
    for source in KOTLIN.glob("*.kt"):
        assert source.read_text().startswith("package sttk.sample\n")
    manifest = (SAMPLES / "android/app/src/main/AndroidManifest.xml").read_text()
    for name in re.findall(r'android:name="\.(\w+)"', manifest):
        assert f"class {name}" in (KOTLIN / f"{name}.kt").read_text()
    assert 'namespace = "sttk.sample"' in (SAMPLES / "android/app/build.gradle.kts").read_text()


def test_the_ios_sample_loads_what_xcode_makes_of_the_package():
    stem, suffix = coreml.MODEL.split(".")
    assert suffix == "mlpackage"
    source = (SAMPLES / "ios/Stylizer.swift").read_text()
    assert f'forResource: "{stem}", withExtension: "mlmodelc"' in source
    # Vision needs no names: it takes the one image that goes in, the one that comes out.
    page = (SAMPLES / "ios/README.md").read_text()
    assert f"`{convert.INPUT}`" in page
    assert f"`{convert.OUTPUT}`" in page


def test_the_cpp_sample_uses_ncnns_names():
    said = constants((SAMPLES / "cpp-ncnn/stylizer.cpp").read_text())
    assert (said["kInput"], said["kOutput"]) == (runner.INPUT, runner.OUTPUT)


def test_the_cpp_sample_knows_the_nets_limits():
    source = (SAMPLES / "cpp-ncnn/stylizer.cpp").read_text()
    page = (SAMPLES / "cpp-ncnn/README.md").read_text()
    (side,) = re.findall(r"kSmallestSide = (\d+);", source)
    (multiple,) = re.findall(r"multiples of (\d+) \(`size_multiple`", page)
    for name in (*styles.full_names(), *styles.small_names()):
        contract = styles.find(name).contract
        assert contract.smallest_side <= int(side)
        assert contract.size_multiple == int(multiple)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_a_pages_links_and_commands_are_good(page):
    text = page.read_text()
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert link.startswith("https://") or (page.parent / link).exists(), link
    for target in re.findall(r"--target (\w+)", text):
        assert target in TARGETS


def test_every_sample_has_a_page_that_the_index_links():
    index = (SAMPLES / "README.md").read_text()
    for folder in SAMPLES.iterdir():
        if folder.is_dir():
            assert f"]({folder.name}/README.md)" in index


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ here")
def test_what_needs_no_ncnn_of_the_cpp_sample_has_a_compilers_blessing():
    """The rest is compiled by the slow test, which builds runner."""
    headers = "#include <cstdio>\n#include <jpeglib.h>\n#include <png.h>\n"
    command = ["g++", "-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror"]
    there = subprocess.run(
        [*command, "-x", "c++", "-"], input=headers, text=True, capture_output=True, check=False
    )
    if there.returncode != 0:
        pytest.skip("no headers of libjpeg and libpng here")
    sources = [SAMPLES / "cpp-ncnn" / name for name in ("picture.cpp", "orientation.cpp")]
    done = subprocess.run([*command, *sources], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
