"""Make an artifact from a request: a folder with model and manifest, complete or absent."""

from __future__ import annotations

import hashlib
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sttk.exporters import check, exporter
from sttk.exporters.base import Exporter, ExportRequest, Product
from sttk.exporters.plans import usual_plan
from sttk.exporters.prepare import Prepared, prepare
from sttk.exporters.readme import write_readme
from sttk.toolkit import targets
from sttk.toolkit.artifact.manifest import Checkpoint, Manifest, Target
from sttk.toolkit.artifact.search import Entry, artifact_source, inner_artifacts, read_manifest
from sttk.toolkit.artifact.staging import make_work, put_in_place, sweep, work_name
from sttk.toolkit.core.errors import ArtifactError, ExportError
from sttk.toolkit.core.version import VERSION
from sttk.toolkit.io.files import sha256


def folder_name(target: str, request: ExportRequest[Any]) -> str:
    """Return a name such as ``onnx-fp32-512x512``.

    A plan that is not the target's usual one is named, as in ``onnx-fp16-plan1a2b3c4d-512x512``,
    and so are options that are not the default, as in ``coreml-fp16-palette8-512x512``.
    """
    able = exporter(target)
    usual = usual_plan(target, request.net, request.precision)
    mixed = [f"plan{request.plan.digest}"] if request.plan != usual else []
    plain = ["unrewritten"] if able.rewrites and not request.rewrite else []
    tags = [*mixed, *able.with_options(request).options.tags(), *plain]
    return "-".join([target, request.precision, *tags, _short(str(request.shapes))])


_LONGEST = 80
_LOOKS, _PAUSE = 10, 0.05  # seconds


def _short(shapes: str) -> str:
    """Shorten a long list of sizes to its beginning and a hash: file names end at 255 bytes."""
    if len(shapes) <= _LONGEST:
        return shapes
    return f"{shapes[: _LONGEST - 20]}-{hashlib.sha256(shapes.encode()).hexdigest()[:8]}"


def make_artifact(target: str, request: ExportRequest[Any], root: Path) -> Path:
    """Return the folder of :func:`make_entry`."""
    return make_entry(target, request, root).folder


def make_entry(target: str, request: ExportRequest[Any], root: Path) -> Entry:
    """Export into ``root/STYLE/TARGET-PRECISION-SIZE``, replacing an artifact of that name.

    Returns:
        The folder, with the manifest that was written.

    Raises:
        UsageError: the target does not support the request.
        ExportError: the export failed, or ``root`` cannot be written.
    """
    chosen = exporter(target)
    check(target, chosen, request)
    final = root / request.net.origin.name / folder_name(target, request)
    work = work_name(final)
    try:
        _begin(work, root)
        _check_replaceable(final, request)
        manifest = write_artifact(target, chosen, request, work)
        work.chmod(0o755)
        put_in_place(work, final)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return Entry(final, manifest)


def write_artifact(
    target: str, able: Exporter[Any], request: ExportRequest[Any], folder: Path
) -> Manifest:
    """Write model, README.md and manifest into ``folder``, which is empty and private."""
    prepared = prepare(able.with_options(request), able)
    product = able.export(prepared.request, folder)
    write_readme(target, prepared.request, product, folder)
    manifest = _manifest(target, prepared, product, folder)
    manifest.write(folder)
    return manifest


def _begin(work: Path, root: Path) -> None:
    try:
        sweep(work.parent, _is_whole)
        make_work(work)
    except OSError as error:
        raise ExportError(f"{root}: cannot be written: {error}") from error


@contextmanager
def temporary_artifact(target: str, request: ExportRequest[Any]) -> Iterator[Entry]:
    """Make an artifact, and delete it afterwards."""
    with tempfile.TemporaryDirectory(prefix="sttk-") as root:
        yield make_entry(target, request, Path(root))


def _manifest(target: str, prepared: Prepared, product: Product, folder: Path) -> Manifest:
    request, calibration = prepared.request, prepared.calibration
    origin = request.net.origin
    known, compressed = targets.target(target), bool(product.compressed)
    return Manifest(
        style=origin.name,
        model=product.model,
        files=_files(folder, product.digests),
        checkpoint=Checkpoint(origin.source, origin.sha256, origin.layout),
        contract=request.net.contract,
        target=Target(target, request.precision, request.shapes, product.options),
        promise=known.promise(request.precision, compressed=compressed),
        promise_in_half=known.promise_in_half(request.precision, compressed=compressed),
        rewrites=prepared.rewrites,
        plan=request.plan.to_dict(),
        quantization=calibration.to_dict() if calibration else None,
        tools={"sttk": VERSION, "python": platform.python_version(), **product.tools},
        graph=product.graph,
        guesses=tuple(map(str, origin.guesses)),
    )


def _files(folder: Path, known: Mapping[str, str]) -> dict[str, str]:
    """Return the sha256 of every file by its path within the folder, except inner artifacts'."""
    inner = inner_artifacts(folder)
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(path.is_relative_to(found) for found in inner)
    )
    names = [path.relative_to(folder).as_posix() for path in files]
    return {name: known.get(name) or sha256(folder / name) for name in names}


def _is_whole(folder: Path) -> bool:
    try:
        read_manifest(folder)
    except ArtifactError:
        return False
    return True


def _check_replaceable(final: Path, request: ExportRequest[Any]) -> None:
    """Refuse to replace anything but an artifact of the same checkpoint."""
    source = _source(final)
    if source not in (None, request.net.origin.source):
        raise ExportError(
            f"{final} is of another checkpoint, {source}", fix="move it or pass another -o"
        )


def _source(final: Path) -> str | None:
    """Return the checkpoint of the artifact at ``final``, or None if there is nothing.

    Another export may be putting one there at this moment, so a path that was absent may exist by
    the next call: look several times, each time from the start.
    """
    for _ in range(_LOOKS):
        source = artifact_source(final)
        if source is not None or not final.exists():
            return source
        time.sleep(_PAUSE)
    raise ExportError(f"{final} is there and is no artifact", fix="move it or pass -o")
