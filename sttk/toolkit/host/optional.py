"""Optional libraries: imported at first use, and their absence answered with the pip line.

:func:`imported` is the one door to all of them. Libraries import each other (coremltools imports
executorch, where that is installed), so one that fails half-way would leave half of another behind,
and whoever asks for that next would fail, too.
"""

from __future__ import annotations

import importlib
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import metadata
from importlib.machinery import ExtensionFileLoader
from types import ModuleType
from typing import Any

from sttk.toolkit.core.errors import BrokenExtraError, MissingExtraError

# Warnings' filters belong to the process: two threads that change and restore them crosswise would
# leave the wrong ones behind. Other threads' own warnings are not shown as long as an import takes.
_ONE_BY_ONE = threading.RLock()
# Libraries that another one looks for when it is imported, and uses for nothing that sttk asks of
# it. Importing them takes longer than the library itself does: 4 of the 9 seconds of coremltools.
_UNASKED = {"coremltools": ("executorch", "torchao")}


def versions(extra: str, *names: str) -> dict[str, str]:
    """Versions of installed modules, by name.

    Raises:
        MissingExtraError: the first of them that is not installed.
    """
    return {name: str(Lazy(name, extra).__version__) for name in names}


def distribution(name: str, extra: str) -> str:
    """Version of an installed distribution whose module does not say it, or is slow to import.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError as error:
        raise MissingExtraError(name, extra) from error


class Lazy:
    """Stands for a module that may not be installed.

    Any attribute imports it. A module that uses one is itself importable without it.

    Args:
        name: of the module, such as ``onnxruntime``.
        extra: of sttk that installs it.
    """

    def __init__(self, name: str, extra: str) -> None:
        self._name = name
        self._extra = extra

    def __getattr__(self, attribute: str) -> Any:
        return getattr(imported(self._name, self._extra), attribute)


def imported(name: str, extra: str) -> ModuleType:
    """A module of an optional library.

    What the library warns of while it is imported is its own affair: as an error, under ``-W
    error``, it would end the import in the middle.

    Args:
        name: of the module, such as ``coremltools.models``.
        extra: of sttk that installs it.

    Raises:
        MissingExtraError: it, or a library that it needs, is not installed.
        BrokenExtraError: it is, and fails to import. It can be asked for again, and so can others.
    """
    try:
        if name in sys.modules:
            return importlib.import_module(name)
        with (
            _ONE_BY_ONE,
            warnings.catch_warnings(),
            _nothing_left_of_failures(),
            _absent(_UNASKED.get(name.partition(".")[0], ())),
        ):
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or name, extra) from error
    except Exception as error:
        raise BrokenExtraError(name, extra, error) from error


@contextmanager
def _absent(names: Iterable[str]) -> Iterator[None]:
    """Within, an import of these fails as if they were not installed; what is imported stays."""
    hidden = [name for name in names if name not in sys.modules]
    # None says so to Python's import system, which does not look further.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def _nothing_left_of_failures() -> Iterator[None]:
    """If the import fails, sys.modules keeps no part of a package that did not come about.

    Python itself takes out each module whose code failed, and leaves the submodules that were whole
    by then: orphans, which the package's next import would find there and not tie to itself.

    Left are libraries that came about whole, though the failed one asked for them: to import torch
    or NumPy twice does harm. So are the orphans that are compiled: many refuse to be set up a
    second time in one process, and Python finds them here by name when it looks for them again.
    """
    before = set(sys.modules)
    try:
        yield
    except BaseException:
        for name in [name for name in sys.modules if name not in before]:
            if _is_orphan(name) and not _is_compiled(name):
                del sys.modules[name]
        raise


def _is_orphan(name: str) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:count]) not in sys.modules for count in range(1, len(parts)))


def _is_compiled(name: str) -> bool:
    return isinstance(getattr(sys.modules[name], "__loader__", None), ExtensionFileLoader)
