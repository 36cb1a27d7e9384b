"""The compilation of ``runner.cpp`` for ARM64, once for each version of ExecuTorch."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

from sttk.toolkit.core.errors import NotRunError
from sttk.toolkit.io.files import finish_temporary, read_bounded, sweep_writes
from sttk.toolkit.targets.executorch.arm64.parts import Parts

SOURCE = Path(__file__).with_name("runner.cpp")
# What executorch-config.cmake in the wheel says of its headers.
_FLAGS = ("-std=c++17", "-O2", "-DC10_USING_CUSTOM_GENERATED_MACROS")
_HEADERS = ("include", "include/executorch/runtime/core/portable_type/c10")
# Kernels and backends register themselves when they are loaded; no symbol asks for them.
_LIBRARIES = (
    "-Wl,--no-as-needed", "-lexecutorch", "-lexecutorch_kernels_optimized",
    "-lexecutorch_kernels_quantized", "-lexecutorch_backend_xnnpack", "-lexecutorch_threadpool",
    "-Wl,-rpath,$ORIGIN/../site/executorch/lib",
)  # fmt: skip
_SECONDS = 600  # 5 s on a free core


def runner(parts: Parts) -> Path:
    """Return the runner's program, which is compiled first if it is not there yet.

    It is kept in the folder of the parts, under a name that depends on its source, its flags and
    ExecuTorch's version. If two processes compile it at once, one replaces the other's.

    Raises:
        NotRunError: a part is missing, or the compiler fails.
    """
    if lacking := parts.lacking():
        raise NotRunError(f"not run: {parts.folder} lacks {', '.join(lacking)}")
    program = parts.folder.resolve() / "executorch" / f"runner-{_key(parts)}"
    if not program.is_file():
        try:
            _compile(parts, program)
        except OSError as error:
            raise NotRunError(f"not run: {program}: {error.strerror or error}") from error
    return program


def _key(parts: Parts) -> str:
    said = repr((parts.version, _FLAGS, _HEADERS, _LIBRARIES)).encode()
    return hashlib.sha256(read_bounded(SOURCE, 1 << 20) + said).hexdigest()[:16]


def _compile(parts: Parts, program: Path) -> None:
    """Compile to a temporary file next to the program, then rename it."""
    program.parent.mkdir(parents=True, exist_ok=True)
    sweep_writes(program)
    handle, name = tempfile.mkstemp(dir=program.parent, prefix=f".{program.name}.{os.getpid()}.")
    os.close(handle)
    temporary = Path(name)
    try:
        _run_compiler(parts, temporary)
        finish_temporary(temporary)
        temporary.chmod(0o755)
        temporary.replace(program)
    finally:
        temporary.unlink(missing_ok=True)


def _run_compiler(parts: Parts, output: Path) -> None:
    compiler = parts.compiler()
    if compiler is None:
        raise NotRunError("not run: no compiler for ARM64")
    headers = [part for name in _HEADERS for part in ("-isystem", str(parts.package / name))]
    command = [
        *compiler.command, *_FLAGS, *headers, str(SOURCE), "-o", str(output),
        f"-L{parts.package / 'lib'}", *_LIBRARIES,
    ]  # fmt: skip
    try:
        # The compiler is the user's or the one unpacked here; the rest is ours.
        done = subprocess.run(  # noqa: S603
            command, env=compiler.environment, capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NotRunError(f"not run: {command[0]} takes over {_SECONDS} s") from error
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())[-300:]
        raise NotRunError(f"not run: {command[0]} does not compile the runner: {said}")
