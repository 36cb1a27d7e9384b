"""A page's intermediates: its graph with more outputs, run by its own ONNX Runtime Web."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sttk.toolkit.core.errors import RunError
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.targets.intermediates import Subgraph, Values
from sttk.toolkit.targets.onnx.intermediates import InstrumentedOnnx
from sttk.toolkit.targets.web.sessions import RUNTIME, PageSessions
from sttk.toolkit.web.page import part_of
from sttk.toolkit.web.server import INDEX

if TYPE_CHECKING:
    import onnx
else:
    onnx = Lazy("onnx", "onnx")

_MODEL = "part.onnx"
_PAGE = '<!doctype html>\n<html lang="en">\n<title>A part of a model</title>\n</html>\n'

_SCRIPT = """
def run(folder, given):
    from sttk.toolkit.targets.web.intermediates import run_part  # starts Chromium

    return run_part(folder, given)
"""


class InstrumentedPage(InstrumentedOnnx):
    """See :class:`InstrumentedModel`. Raises what :class:`PageSessions` raises, and ArtifactError.

    Args:
        path: the ``index.html`` of one style of a page.
    """

    script = _SCRIPT

    def __init__(self, path: Path) -> None:
        part = part_of(path)
        super().__init__(path.parent / part.model, self._inferred)
        self._runtime = part.page / RUNTIME
        self._sessions = PageSessions(part.page)
        self.notes = self._sessions.notes

    def _inferred(self, model: onnx.ModelProto, feeds: dict[str, Any]) -> list[Any]:
        try:
            return self._sessions.run(model.SerializeToString(), feeds)
        except RunError as error:
            raise RunError(
                f"ONNX Runtime Web, with the inner tensors as outputs: {error}"
            ) from error

    def part(self, tensor: str, known: Collection[str]) -> PagePart:
        """See :class:`InstrumentedModel`."""
        files = [self._runtime / name for name in self._sessions.files]
        return PagePart(super().part(tensor, known), files)


class PagePart:
    """See :class:`Subgraph`."""

    def __init__(self, part: Subgraph, runtime: list[Path]) -> None:
        self.inputs, self._part, self._files = part.inputs, part, runtime

    def run(self, given: Values) -> Floats:
        """See :class:`Subgraph`."""
        return self._part.run(given)

    def save(self, folder: Path) -> str:
        """See :class:`Subgraph`. The page's runtime, 13 MB or more, is copied beside it."""
        (folder / RUNTIME).mkdir()
        for file in self._files:
            shutil.copyfile(file, folder / RUNTIME / file.name)
        (folder / INDEX).write_text(_PAGE, encoding="utf-8")
        return self._part.save(folder)


def run_part(folder: Path, given: Values) -> Floats:
    """Run a saved part on its inputs, by name, and return its result in float32.

    Raises:
        NotRunError: there is no Chromium here.
        RunError: it cannot be run on such inputs.
    """
    model = onnx.load_model(str(folder / _MODEL))
    types = {each.name: each.type.tensor_type.elem_type for each in model.graph.input}
    feeds = {
        name: given[name].astype(onnx.helper.tensor_dtype_to_np_dtype(kind))
        for name, kind in types.items()
    }
    sessions = PageSessions(folder)
    try:
        (result,) = sessions.run(model.SerializeToString(), feeds)
    finally:
        sessions.close()
    return np.asarray(result, dtype=np.float32)
