"""The files of a run: its state, the last good one, its log, and what an earlier run left there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sttk.toolkit.io.files import write_atomic
from sttk.toolkit.training.log import LossLog
from sttk.toolkit.training.snapshots import Snapshots
from sttk.toolkit.training.state import packed, read_state

STATE, LOG, NET, PREVIEW, CURVE, SNAPSHOTS = (
    "state.pt",
    "log.csv",
    "net.safetensors",
    "preview.png",
    "loss.png",
    "snapshots",
)


@dataclass(frozen=True)
class _Good:
    """A state to go back to: its step, the content of its file, and its log."""

    step: int
    content: bytes
    log: LossLog


@dataclass
class RunFolder:
    """The folder of a run, written by its leading process alone.

    Attributes:
        path: the folder.
        run: the identity of the run.
        saved: the step of the state on disk; None while there is none of this run.
        written: the names of files that belong to this run but are written by callers.
        snapshots: the snapshots of this run.
    """

    path: Path
    run: str
    saved: int | None = None
    written: set[str] = field(default_factory=set)
    snapshots: Snapshots = field(init=False)
    _good: _Good | None = None
    _swept: bool = False

    def __post_init__(self) -> None:
        """Begin without snapshots."""
        self.snapshots = Snapshots(self.path / SNAPSHOTS)

    def hold(self, step: int, state: dict[str, Any], log: LossLog) -> None:
        """Keep a state in memory, as the last after which all was well."""
        kept = LossLog(list(log.rows), list(log.open))
        logged = {"rows": kept.rows, "open": kept.open}
        snapshots = list(self.snapshots.names)
        content = packed(self.run, {**state, "log": logged, "snapshots": snapshots})
        self._good = _Good(step, content, kept)

    def write(self) -> None:
        """Write the state that is held, and its log, atomically.

        The first call, also of a resumed run, removes the files of an earlier run from the folder:
        the resumed run may have been killed before it did so.
        """
        good = self._good
        if good is None:
            return
        write_atomic(self.path / STATE, good.content)
        if not self._swept:
            for name in {NET, PREVIEW, CURVE} - self.written:
                (self.path / name).unlink(missing_ok=True)
            self.snapshots.sweep()
            self._swept = True
        self.saved = good.step
        good.log.write(self.path / LOG)

    def write_newer(self) -> None:
        """Write the state that is held, if the one on disk is older."""
        if self._good and self._good.step > (self.saved or 0):
            self.write()

    def read(self) -> dict[str, Any]:
        """Read the state on disk, and take over its snapshots.

        Raises:
            TrainingError: the state is from another recipe or other inputs.
            CheckpointError: the state cannot be read.
        """
        state = read_state(self.path / STATE, self.run)
        self.snapshots.names = list(state.get("snapshots", []))
        self.saved = state["progress"][0]
        return state
