"""The parts of the emulation: what is found, what is missing, and the compilation of the runner."""

from __future__ import annotations

import os
import sys

import pytest

from sttk.toolkit.core.errors import NotRunError
from sttk.toolkit.targets.executorch.arm64 import build
from sttk.toolkit.targets.executorch.arm64.parts import CPU, Compiler, Parts

# Stands in for a compiler: it writes down that it ran, and what it was told.
COMPILER = """
import sys
told = sys.argv[1:]
with open(told[0], "a") as log:
    log.write(" ".join(told[1:]) + "\\n")
with open(told[told.index("-o") + 1], "w") as program:
    program.write("compiled")
"""
FAILING = "import sys; print('runner.cpp:1:1: no such header', file=sys.stderr); sys.exit(1)"


def executable(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    path.chmod(0o755)
    return path


def with_version(folder, version):
    package = folder / "site/executorch"
    package.mkdir(parents=True, exist_ok=True)
    (package / "version.py").write_text(f'from typing import Optional\n__version__ = "{version}"\n')


@pytest.fixture
def nothing(monkeypatch, tmp_path):
    """A machine with no program on its path."""
    monkeypatch.setenv("PATH", str(tmp_path / "none"))


@pytest.fixture
def folder(tmp_path):
    """A folder with all parts, none of which does anything."""
    folder = tmp_path / "arm64"
    executable(folder / "root/lib/ld-linux-aarch64.so.1")
    with_version(folder, "1.5.1+cpu")
    executable(folder / "cross/usr/bin/aarch64-linux-gnu-g++")
    return folder


@pytest.fixture
def compiling(folder, tmp_path, monkeypatch):
    """``compiling(program)``: the parts, with a compiler in Python; and the log of what it did."""

    def parts(program):
        command = (sys.executable, "-c", program, str(tmp_path / "log"))
        monkeypatch.setattr(Parts, "compiler", lambda self: Compiler(command, dict(os.environ)))
        return Parts(folder, emulator=executable(tmp_path / "qemu"))

    return parts


def test_all_that_is_missing_is_named(nothing, tmp_path):
    parts = Parts(tmp_path / "none")
    assert parts.version is None
    assert parts.lacking() == (
        "qemu for ARM64",
        "ARM64 libraries",
        "executorch for ARM64",
        "aarch64-linux-gnu-g++",
    )
    with pytest.raises(NotRunError, match=r"not run: .* lacks qemu for ARM64, ARM64 libraries"):
        build.runner(parts)


def test_all_that_is_there_is_found(nothing, folder, tmp_path):
    parts = Parts(folder, emulator=executable(tmp_path / "own/qemu"))
    assert parts.lacking() == ()
    assert parts.version == "1.5.1+cpu"
    start = [str(tmp_path / "own/qemu"), "-cpu", CPU, "-L", str(folder / "root")]
    assert parts.command(tmp_path / "program") == [*start, str(tmp_path / "program")]


def test_an_emulator_that_is_not_where_it_was_said_to_be(folder, tmp_path):
    assert Parts(folder, emulator=tmp_path / "none").lacking() == ("qemu for ARM64",)


def test_an_unpacked_compiler_uses_its_own_libraries(nothing, folder):
    (folder / "cross/usr/lib/x86_64-linux-gnu").mkdir(parents=True)
    compiler = Parts(folder).compiler()
    cross = folder / "cross"
    program = cross / "usr/bin/aarch64-linux-gnu-g++"
    assert compiler.command == (str(program), f"--sysroot={cross}")
    assert compiler.environment["LD_LIBRARY_PATH"] == str(cross / "usr/lib/x86_64-linux-gnu")


def test_an_installed_compiler_comes_first(folder, tmp_path, monkeypatch):
    own = executable(tmp_path / "bin/aarch64-linux-gnu-g++")
    monkeypatch.setenv("PATH", str(own.parent))
    assert Parts(folder).compiler().command == (str(own),)


def test_it_is_compiled_once_for_each_version(compiling, folder, tmp_path):
    parts = compiling(COMPILER)
    first = build.runner(parts)
    assert build.runner(parts) == first
    assert first.parent == folder / "executorch"
    assert first.read_text() == "compiled"
    assert os.access(first, os.X_OK)
    (told,) = (tmp_path / "log").read_text().splitlines()
    assert str(build.SOURCE) in told
    assert f"-isystem {folder}/site/executorch/include " in told
    with_version(folder, "1.6.0")
    assert build.runner(parts) != first
    assert len((tmp_path / "log").read_text().splitlines()) == 2
    assert len(list(first.parent.iterdir())) == 2  # nothing temporary is left


def test_a_runner_from_another_source_is_compiled_anew(compiling, tmp_path, monkeypatch):
    parts = compiling(COMPILER)
    first = build.runner(parts)
    other = tmp_path / "runner.cpp"
    other.write_text("int main() {}")
    monkeypatch.setattr(build, "SOURCE", other)
    assert build.runner(parts) != first


def test_a_compiler_that_fails_leaves_nothing(compiling, folder):
    with pytest.raises(NotRunError, match=r"does not compile the runner: .* no such header"):
        build.runner(compiling(FAILING))
    assert list((folder / "executorch").iterdir()) == []


def test_what_a_killed_compilation_left_is_swept(compiling, folder):
    parts = compiling(COMPILER)
    program = build.runner(parts)
    program.unlink()
    left = program.with_name(f".{program.name}.4194305.abcdefgh")  # above the largest process
    left.write_text("half")
    assert build.runner(parts) == program
    assert not left.exists()


def test_a_folder_that_cannot_be_written(compiling, folder):
    parts = compiling(COMPILER)
    (folder / "executorch").write_text("a file")
    with pytest.raises(NotRunError, match=r"not run: .*File exists"):
        build.runner(parts)
