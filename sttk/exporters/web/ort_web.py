"""ONNX Runtime Web: downloaded once from the npm registry, checked and cached.

Only what a page needs is kept: the build that has WebGPU, and the one for browsers without, which
is half as large. Both have threads.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import shutil
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

from sttk.toolkit.artifact.staging import make_work, put_in_place, work_name
from sttk.toolkit.core.errors import NotRunError, UsageError
from sttk.toolkit.io.files import read_bounded, sha256

NAME, VERSION = "onnxruntime-web", "1.30.0"
# The registry's integrity value; https://www.w3.org/TR/SRI/.
INTEGRITY = (
    "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02V"
    "b7QmRMDs1SigqR4CXAfKYQ=="
)
FOLDER_VARIABLE = "STTK_ORT_WEB"
_REGISTRY = "https://registry.npmjs.org/"
_REGISTRY_VARIABLES = ("npm_config_registry", "NPM_CONFIG_REGISTRY")
_SECONDS = 60.0
_MOST_BYTES = 64 << 20
_MOST_TEXT = 1 << 20  # bytes of a package.json, of a list of hashes, of a .npmrc
_API = ("ort.webgpu.min.mjs", "ort.wasm.min.mjs")
_BUILDS = ("ort-wasm-simd-threaded.asyncify", "ort-wasm-simd-threaded")
FILES = (*_API, *(f"{build}.{kind}" for build in _BUILDS for kind in ("mjs", "wasm")))
# The package's folder of FILES, and its description.
_DIST, _FACTS = "dist", "package.json"


def files() -> dict[str, Path]:
    """Return the path of each of ``FILES`` on this machine; they are downloaded if need be.

    Raises:
        NotRunError: the package is not here and cannot be downloaded.
        UsageError: the folder that ``STTK_ORT_WEB`` names lacks a file or is of another version.
    """
    if named := os.environ.get(FOLDER_VARIABLE):
        return _of_package(Path(named))
    kept = cache()
    if not _is_whole(kept):
        _keep(_fetched(), kept)
    return {name: kept / name for name in FILES}


def cache() -> Path:
    """Return the folder of the files, which all exports of this user share."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "sttk" / f"{NAME}-{VERSION}"


def _of_package(folder: Path) -> dict[str, Path]:
    """Return the paths of the files in the user's unpacked package, or its ``dist``."""
    place = folder / _DIST if (folder / _DIST).is_dir() else folder
    if absent := [name for name in FILES if not (place / name).is_file()]:
        raise UsageError(
            f"{FOLDER_VARIABLE}: {folder}: no {absent[0]}",
            fix=f"name an unpacked {NAME} {VERSION}",
        )
    about = place.parent / _FACTS
    if about.is_file() and f'"version": "{VERSION}"' not in _text(about):
        raise UsageError(f"{FOLDER_VARIABLE}: {folder} is not {NAME} {VERSION}")
    return {name: place / name for name in FILES}


def _is_whole(kept: Path) -> bool:
    """Whether every file is there, with the bytes that were unpacked."""
    try:
        listed = dict(line.split("  ", 1)[::-1] for line in _text(kept / "sha256").splitlines())
        return all(sha256(kept / name) == listed[name] for name in FILES)
    except (OSError, KeyError, ValueError, UsageError):
        return False


def _text(file: Path) -> str:
    try:
        return read_bounded(file, _MOST_TEXT).decode(errors="replace")
    except ValueError as error:
        raise UsageError(f"{file}: {error}") from error


def _fetched() -> bytes:
    """Download the package, and check it against the digest that is pinned here."""
    address = f"{_registry()}{NAME}/-/{NAME}-{VERSION}.tgz"
    try:
        # The user's registry may be plain http: the download is checked against the digest.
        with urllib.request.urlopen(address, timeout=_SECONDS) as answer:  # noqa: S310
            content: bytes = answer.read(_MOST_BYTES + 1)
    except (OSError, urllib.error.URLError, ValueError) as error:
        reason = " ".join(str(getattr(error, "reason", error)).split())[:200]
        raise NotRunError(
            f"{NAME} {VERSION} is not here and cannot be fetched: {address}: {reason}",
            fix=f"set {FOLDER_VARIABLE} to what 'npm pack {NAME}@{VERSION}' gives, unpacked",
        ) from error
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    if f"sha512-{digest}" != INTEGRITY:
        raise NotRunError(
            f"{address}: not the bytes of {NAME} {VERSION} that sttk was tested with",
            fix="look at the registry that npm is told to use",
        )
    return content


def _registry() -> str:
    """Return npm's registry, by its variable, the user's .npmrc, or else the public one."""
    said = [os.environ[name] for name in _REGISTRY_VARIABLES if os.environ.get(name)]
    rc = Path(os.environ.get("NPM_CONFIG_USERCONFIG") or Path.home() / ".npmrc")
    if not said and rc.is_file():
        said = re.findall(r"^\s*registry\s*=\s*(\S+)", _text(rc), re.MULTILINE)
    registry = (said or [_REGISTRY])[0]
    if not registry.startswith(("https://", "http://")):
        raise UsageError(f"npm's registry is {registry}, neither https nor http")
    return f"{registry.rstrip('/')}/"


def _keep(package: bytes, kept: Path) -> None:
    """Unpack the files in a work folder, and move that into place: exports may run in parallel."""
    work = work_name(kept)
    try:
        make_work(work)
        with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as archive:
            for name in FILES:
                member = archive.extractfile(f"package/{_DIST}/{name}")
                if member is None:
                    raise NotRunError(f"{NAME} {VERSION} holds no {name}")
                (work / name).write_bytes(member.read())
        lines = [f"{sha256(work / name)}  {name}" for name in FILES]
        (work / "sha256").write_text("\n".join(lines), encoding="utf-8")
        work.chmod(0o755)
        put_in_place(work, kept)
    except OSError as error:
        raise NotRunError(
            f"{kept}: cannot be written: {error.strerror or error}", fix="set XDG_CACHE_HOME"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
