"""What pip has installed, what sttk's extras ask for, and whether the two agree."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from sttk.toolkit.host.known_bad import PYTHON

SELF = "sttk"


class Library(NamedTuple):
    """A library that sttk or one of its extras asks for; ``version`` is None if it is absent."""

    name: str
    version: str | None
    wanted: str
    extra: str

    @property
    def good(self) -> bool:
        """Installed, in a version that sttk takes."""
        wanted = SpecifierSet(self.wanted)
        return self.version is not None and wanted.contains(self.version, prereleases=True)

    @property
    def fix(self) -> str:
        """The pip line that mends it."""
        return f"pip install '{SELF}[{self.extra}]'" if self.extra else f"pip install {SELF}"


def version_of(name: str) -> str | None:
    """Installed version of a distribution, or of ``python``; None if it is not installed."""
    if name == PYTHON:
        return platform.python_version()
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def libraries() -> list[Library]:
    """What sttk's metadata names: its own dependencies (``extra`` is empty), then each extra's."""
    found: dict[str, Library] = {}
    for extra in ("", *extras()):
        for need in _needs(SELF, extra):
            name = canonicalize_name(need.name)
            if name != SELF:
                library = Library(need.name, version_of(need.name), str(need.specifier), extra)
                found.setdefault(name, library)
    return list(found.values())


def extras() -> list[str]:
    """Names of sttk's extras, as it was installed."""
    try:
        metadata = importlib.metadata.metadata(SELF)
    except importlib.metadata.PackageNotFoundError:
        return []
    return metadata.get_all("Provides-Extra") or []


def of_extra(extra: str) -> list[Library]:
    """The libraries of one extra; one that names other extras has theirs."""
    found = []
    for need in _needs(SELF, extra):
        if canonicalize_name(need.name) == SELF:
            found += [library for name in sorted(need.extras) for library in of_extra(name)]
        else:
            found.append(Library(need.name, version_of(need.name), str(need.specifier), extra))
    return found


def broken() -> Iterator[str]:
    """What installed libraries themselves require, and do not find: one line each."""
    for library in libraries():
        if library.version is not None:
            for need in _needs(library.name, ""):
                version = version_of(need.name)
                if version is None or not need.specifier.contains(version, prereleases=True):
                    here = f"{need.name} {version} is" if version else "it is not"
                    yield f"{library.name} {library.version} requires {need}; {here} installed"


def _needs(name: str, extra: str) -> Iterator[Requirement]:
    """Requirements of a distribution on this system: its own, or those that one extra adds."""
    try:
        lines = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return
    for need in map(Requirement, lines):
        always = need.marker is None or need.marker.evaluate({"extra": ""})
        here = need.marker is not None and need.marker.evaluate({"extra": extra})
        need.marker = None
        if always if not extra else here and not always:
            yield need
