"""Optional libraries: imported at first use, with the pip command in the error if one is missing.

All of them are imported through :func:`imported`. Libraries import each other (coremltools imports
executorch if that is installed), so one that fails halfway would leave another half imported, and
the next import of that one would fail too.
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

# Warning filters belong to the process: two threads that change and restore them in turns would
# leave the wrong ones behind. Warnings of other threads are hidden during an import.
_ONE_BY_ONE = threading.RLock()
# Libraries that another one imports if they are installed, but does not need for what sttk uses.
# They are slow to import: 4 of the 9 seconds that importing coremltools takes.
_UNNEEDED = {"coremltools": ("executorch", "torchao")}


def versions(extra: str, *names: str) -> dict[str, str]:
    """Return the versions of installed modules, by name.

    Raises:
        MissingExtraError: one of them is not installed.
    """
    return {name: str(Lazy(name, extra).__version__) for name in names}


def distribution(name: str, extra: str) -> str:
    """Return a distribution's version, if its module does not state it or is slow to import.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError as error:
        raise MissingExtraError(name, extra) from error


class Lazy:
    """A stand-in for a module that may not be installed.

    Reading any attribute imports the module, so code that uses it can be imported without it.

    Args:
        name: the module's name, such as ``onnxruntime``.
        extra: the extra of sttk that installs it.
    """

    def __init__(self, name: str, extra: str) -> None:
        self._name = name
        self._extra = extra

    def __getattr__(self, attribute: str) -> Any:
        return getattr(imported(self._name, self._extra), attribute)


def imported(name: str, extra: str) -> ModuleType:
    """Import a module of an optional library.

    Warnings during the import are ignored: as errors, under ``-W error``, they would abort it
    halfway.

    Args:
        name: the module's name, such as ``coremltools.models``.
        extra: the extra of sttk that installs it.

    Raises:
        MissingExtraError: the module, or a library that it needs, is not installed.
        BrokenExtraError: it is installed, but fails to import. Importing it or others can be tried
            again.
    """
    try:
        if name in sys.modules:
            return importlib.import_module(name)
        with (
            _ONE_BY_ONE,
            warnings.catch_warnings(),
            _nothing_left_of_failures(),
            _absent(_UNNEEDED.get(name.partition(".")[0], ())),
        ):
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or name, extra) from error
    except Exception as error:
        raise BrokenExtraError(name, extra, error) from error


@contextmanager
def _absent(names: Iterable[str]) -> Iterator[None]:
    """Make these modules, unless already imported, seem not installed within the block."""
    hidden = [name for name in names if name not in sys.modules]
    # None makes Python's import system raise ModuleNotFoundError.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def _nothing_left_of_failures() -> Iterator[None]:
    """Remove the parts of a package whose import fails from sys.modules.

    Python itself removes each module whose code failed, but leaves its submodules that were already
    complete. These are orphans: the package's next import would find them, but not bind them as its
    attributes.

    Libraries that the failed one imported completely are kept, because importing torch or NumPy
    twice does harm. So are compiled orphans: many cannot be initialised twice in one process, and
    Python finds them in sys.modules by name when they are imported again.
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
