"""The loss log of a run: rows of means, saved with the run's state and written as CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

from sttk.toolkit.io.files import write_atomic

Row = dict[str, float]


@dataclass
class LossLog:
    """A log of losses.

    Attributes:
        rows: the step, the seconds and the mean losses since the previous row.
        open: the losses of the steps since the last row.
    """

    rows: list[Row] = field(default_factory=list)
    open: list[Row] = field(default_factory=list)

    def add(self, losses: Row) -> None:
        """Add the losses of one step."""
        self.open.append(losses)

    def close_row(self, step: int, seconds: float) -> None:
        """Append the means of the losses since the last row, if there are any."""
        if not self.open:
            return
        count = len(self.open)
        means = {name: sum(row[name] for row in self.open) / count for name in self.open[0]}
        self.rows.append({"step": float(step), "seconds": round(seconds, 1), **means})
        self.open = []

    @property
    def latest(self) -> Row:
        """The losses of the last row, without step and seconds; empty before the first."""
        last = self.rows[-1] if self.rows else {}
        return {name: value for name, value in last.items() if name not in ("step", "seconds")}

    def write(self, path: Path) -> None:
        """Write the log as CSV, atomically."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, fieldnames=list(self.rows[0]) if self.rows else [])
        writer.writeheader()
        writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in self.rows)
        write_atomic(path, text.getvalue().encode())
