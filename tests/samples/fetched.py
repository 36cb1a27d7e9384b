"""What the samples are compiled with, fetched and built once, and kept outside the tree."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

NCNN = "1.0.20261020"
_NCNN_SHA256 = "ad8cdd63e9755cfa8e23b9b6d9ce46156077d80298a89e7c3ba325ffccfca200"
KOTLIN = "2.4.20"
# Of ncnn's hundred layers: what style nets are made of, and what these layers call themselves.
_LAYERS = """
    binaryop cast clip concat convolution convolutiondepthwise crop deconvolution flatten
    innerproduct input instancenorm interp memorydata noop packing padding permute pixelshuffle
    reduction relu reshape scale sigmoid slice split tanh unaryop
"""
_OFF = """
    NCNN_VULKAN NCNN_PYTHON NCNN_BUILD_TOOLS NCNN_BUILD_EXAMPLES NCNN_BUILD_BENCHMARK
    NCNN_RUNTIME_CPU NCNN_AVX512 NCNN_AVXVNNI NCNN_AVXNECONVERT NCNN_XOP NCNN_FMA4 NCNN_INT8
    NCNN_BF16 NCNN_WEIGHT_QUANT
"""


def need(*programs: str) -> None:
    """Skip where one of them is not installed."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed here: {', '.join(missing)}")


def ncnn() -> Path:
    """An installation of ncnn, built from the source that its Python package carries."""
    need("cmake", "g++", "make")
    # For the CPU that is here: kernels for all of them would take several times as long.
    wide = "avx2" if "avx2" in _cpu() else "plain"
    return _kept(f"ncnn-{NCNN}-{wide}", lambda folder: _build_ncnn(folder, wide == "avx2"))


def kotlinc() -> Path:
    """Kotlin's compiler, as npm has it."""
    need("npm", "java")
    package = _kept(f"kotlin-{KOTLIN}", _fetch_kotlin)
    return package / "package/bin/kotlinc"


def _cpu() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""


def _kept(name: str, make: Callable[[Path], None]) -> Path:
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sttk-samples"
    made = root / name
    if not made.is_dir():
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root) as place:
            (Path(place) / name).mkdir()
            make(Path(place) / name)
            if not made.is_dir():  # another process may have been quicker
                (Path(place) / name).replace(made)
    return made


def _run(*command: object, cwd: Path) -> str:
    done = subprocess.run(
        [str(each) for each in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def _build_ncnn(prefix: Path, avx2: bool) -> None:
    place = prefix.parent
    source = _unpack(_ncnn_source(place), place) / f"ncnn-{NCNN}"
    listed = re.findall(
        r"^ncnn_add_layer\((\w+)", (source / "src/CMakeLists.txt").read_text(), re.MULTILINE
    )
    others = {name.lower() for name in listed} - {*_LAYERS.split()}
    off = [*_OFF.split(), *(f"WITH_LAYER_{name}" for name in sorted(others))]
    off += [] if avx2 else ["NCNN_AVX", "NCNN_AVX2", "NCNN_FMA", "NCNN_F16C"]
    build = place / "build"
    options = [f"-D{name}=OFF" for name in off]
    options += ["-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_INSTALL_PREFIX={prefix}"]
    _run("cmake", "-S", source, "-B", build, *options, cwd=place)
    jobs = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    _run("cmake", "--build", build, "--parallel", jobs, "--target", "install", cwd=place)


def _ncnn_source(place: Path) -> Path:
    """The archive. pip finds it, and refuses it: its metadata has the day of the build as version.

    Asked once more for the link that it found, pip takes it.
    """
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(place)]
    by_name = [*pip, "--no-binary", "ncnn", f"ncnn=={NCNN}"]
    said = subprocess.run(by_name, capture_output=True, text=True, check=False)
    archive = place / f"ncnn-{NCNN}.tar.gz"
    if not archive.exists():
        link = re.search(rf"https?://\S+/{re.escape(archive.name)}", said.stdout + said.stderr)
        if not link:
            pytest.skip(f"pip cannot fetch ncnn {NCNN} here")
        _run(*pip, f"ncnn @ {link[0]}", cwd=place)
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == _NCNN_SHA256
    return archive


def _fetch_kotlin(folder: Path) -> None:
    command = ["npm", "pack", f"kotlin-compiler@{KOTLIN}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"npm cannot fetch kotlin-compiler {KOTLIN} here")
    archive = folder / f"kotlin-compiler-{KOTLIN}.tgz"
    _unpack(archive, folder)
    archive.unlink()
    (folder / "package/bin/kotlinc").chmod(0o755)


def _unpack(archive: Path, place: Path) -> Path:
    with tarfile.open(archive) as file:
        file.extractall(place, filter="data")
    return place
