"""Optional libraries: imported at first use, and their absence answered with the pip line."""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import Any

from toolkit.errors import MissingExtraError


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
        try:
            module = importlib.import_module(self._name)
        except ModuleNotFoundError as error:
            raise MissingExtraError(error.name or self._name, self._extra) from error
        return getattr(module, attribute)
