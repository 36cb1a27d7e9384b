"""A web page: a self-contained folder with the page, ONNX models and ONNX Runtime Web.

The page's own style is in the same folder. Further ones (``Options.offers``) are below ``styles/``,
each a complete artifact, with its own manifest and proof.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import shutil
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from sttk.exporters.artifact import write_artifact
from sttk.exporters.base import ExportRequest, Product
from sttk.exporters.web import PART, ort_web, part
from sttk.exporters.web.options import WebOptions
from sttk.toolkit import styles
from sttk.toolkit.artifact.manifest import FILE_NAME, README
from sttk.toolkit.core.errors import ExportError, UsageError
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.io.files import sha256
from sttk.toolkit.io.json_text import dumps
from sttk.toolkit.targets.web import TARGET
from sttk.toolkit.web.page import FACTS, STYLES

MODEL = part.MODEL
_ORT = "ort"
_WORKER, _VERSION_MARK = "sw.js", "__VERSION__"
_EXAMPLE = "cat.jpg"  # CC0
_NOTICES = "ThirdPartyNotices.txt"


def export(request: ExportRequest[WebOptions], folder: Path) -> Product:
    """See :class:`Exporter`."""
    runtime = ort_web.files()
    product = part.export(request, folder)
    offers = [_offer(net, request, folder) for net in _offers(request)]
    listed = [part.listed(request, ""), *(style for style, _ in offers)]
    _check_names(listed)
    _copy_page(folder)
    _copy_runtime(runtime, folder / _ORT)
    known = {name: digest for _, digests in offers for name, digest in digests.items()}
    digests = _finish(listed, folder, known)
    offered = [style["name"] for style in listed[1:]]
    options = {**product.options, "offers": offered} if offered else product.options
    return dataclasses.replace(
        product,
        tools={**product.tools, ort_web.NAME: ort_web.VERSION},
        options=options,
        digests=digests,
    )


def _offers(request: ExportRequest[WebOptions]) -> Iterator[StyleNet]:
    """Yield the nets of the further styles, each once, without the page's own."""
    seen = {_identity(request.net)}
    for name in request.options.offers:
        net = styles.find(name)
        if _identity(net) not in seen:
            seen.add(_identity(net))
            yield net


def _identity(net: StyleNet) -> tuple[str, str]:
    """Return what identifies a net: a file can hold several styles and be in several places."""
    return net.origin.sha256, net.origin.source.partition("#")[2]


def _offer(
    net: StyleNet, request: ExportRequest[WebOptions], folder: Path
) -> tuple[dict[str, Any], dict[str, str]]:
    """Make a style's artifact within the page's, the same except for the net.

    Returns:
        The style's entry in the page's list, and the sha256 of its files by their paths within the
        page.
    """
    options = dataclasses.replace(request.options, offers=())
    offered = dataclasses.replace(request, net=net, options=options)
    name = part.facts(offered)["name"]
    place = folder / STYLES / name
    try:
        place.mkdir(parents=True)
    except FileExistsError as error:
        raise UsageError(f"two styles of the page are called {name}") from error
    manifest = write_artifact(TARGET.name, PART, offered, place)
    inside = f"{STYLES}/{name}"
    digests = {f"{inside}/{file}": digest for file, digest in manifest.files.items()}
    return part.listed(offered, inside), digests


def _check_names(listed: list[dict[str, Any]]) -> None:
    names = [style["name"] for style in listed]
    if len(set(names)) < len(names):
        raise UsageError(f"two styles of the page are called {names[0]}")


def _copy_page(folder: Path) -> None:
    for file in (resources.files(__package__) / "page").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    photo = resources.files("sttk.toolkit") / "photos" / _EXAMPLE
    (folder / "example.jpg").write_bytes(photo.read_bytes())


def _copy_runtime(files: dict[str, Path], folder: Path) -> None:
    """Copy the runtime, its licence, and the third-party notices of the Python package."""
    folder.mkdir()
    try:
        for name, file in files.items():
            shutil.copyfile(file, folder / name)
    except OSError as error:
        raise ExportError(f"{error.filename}: {error.strerror}") from error
    text = resources.files(__package__) / "ort-licence.txt"
    (folder / "LICENCE.txt").write_bytes(text.read_bytes())
    spec = importlib.util.find_spec("onnxruntime")
    notices = Path(spec.origin).with_name(_NOTICES) if spec and spec.origin else None
    if notices and notices.is_file():
        shutil.copyfile(notices, folder / _NOTICES)


def _finish(listed: list[dict[str, Any]], folder: Path, known: Mapping[str, str]) -> dict[str, str]:
    """Write the page's facts, and put their digest into its service worker.

    A browser considers a page new when that file has changed.

    Args:
        listed: the page's list of styles.
        folder: the page's folder.
        known: the sha256 of files that were hashed before, by their paths within the folder.

    Returns:
        The sha256 of all files that existed before and were not changed here.
    """
    files = {name: known.get(name) or sha256(folder / name) for name in _names(folder)}
    facts = dumps({"styles": listed, "files": files})
    version = hashlib.sha256(facts.encode()).hexdigest()[:16]
    (folder / FACTS).write_text(f"{facts}\n", encoding="utf-8")
    worker = folder / _WORKER
    text = worker.read_text(encoding="utf-8").replace(_VERSION_MARK, version)
    worker.write_text(text, encoding="utf-8")
    return {name: digest for name, digest in files.items() if name != _WORKER}


def _names(folder: Path) -> list[str]:
    """Return the paths of all files within a folder, except manifests and README files."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    kept = (path for path in found if path.name not in (FILE_NAME, README))
    return [path.relative_to(folder).as_posix() for path in kept]
