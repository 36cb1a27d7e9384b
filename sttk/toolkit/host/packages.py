"""The packages that are installed, those that sttk's extras require, and whether they agree."""

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
    """A library that sttk or one of its extras requires.

    Attributes:
        name: the distribution's name.
        version: the installed version, None if it is not installed.
        wanted: the required versions, as a specifier.
        extra: the extra that requires it, empty for sttk itself.
    """

    name: str
    version: str | None
    wanted: str
    extra: str

    @property
    def good(self) -> bool:
        """Whether it is installed in a version that sttk accepts."""
        wanted = SpecifierSet(self.wanted)
        return self.version is not None and wanted.contains(self.version, prereleases=True)

    @property
    def fix(self) -> str:
        """The pip command that installs it."""
        return f"pip install '{SELF}[{self.extra}]'" if self.extra else f"pip install {SELF}"


def version_of(name: str) -> str | None:
    """Return the version of a distribution, or of ``python``; None if it is not installed."""
    if name == PYTHON:
        return platform.python_version()
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def libraries() -> list[Library]:
    """Return sttk's own dependencies (with an empty ``extra``), then each extra's."""
    found: dict[str, Library] = {}
    for extra in ("", *extras()):
        for need in _needs(SELF, extra):
            name = canonicalize_name(need.name)
            if name != SELF:
                library = Library(need.name, version_of(need.name), str(need.specifier), extra)
                found.setdefault(name, library)
    return list(found.values())


def extras() -> list[str]:
    """Return the names of the installed sttk's extras."""
    try:
        metadata = importlib.metadata.metadata(SELF)
    except importlib.metadata.PackageNotFoundError:
        return []
    return metadata.get_all("Provides-Extra") or []


def of_extra(extra: str) -> list[Library]:
    """Return the libraries of one extra, with those of the extras that it includes."""
    found = []
    for need in _needs(SELF, extra):
        if canonicalize_name(need.name) == SELF:
            found += [library for name in sorted(need.extras) for library in of_extra(name)]
        else:
            found.append(Library(need.name, version_of(need.name), str(need.specifier), extra))
    return found


def broken() -> Iterator[str]:
    """Yield a line for each unmet requirement of an installed library."""
    for library in libraries():
        if library.version is not None:
            for need in _needs(library.name, ""):
                version = version_of(need.name)
                if version is None or not need.specifier.contains(version, prereleases=True):
                    here = f"{need.name} {version} is" if version else "it is not"
                    yield f"{library.name} {library.version} requires {need}; {here} installed"


def _needs(name: str, extra: str) -> Iterator[Requirement]:
    """Yield a distribution's requirements on this system: its own, or those that an extra adds."""
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
