"""The loss log of a run: rows of means, kept with the run's state and written out as CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

from sttk.toolkit.io.files import write_atomic

Row = dict[str, float]


@dataclass
class LossLog:
    """``rows`` hold step, seconds and the means of the losses since the row before; ``open`` what
    the next row will be the mean of.
    """

    rows: list[Row] = field(default_factory=list)
    open: list[Row] = field(default_factory=list)

    def add(self, losses: Row) -> None:
        """Note the losses of one step."""
        self.open.append(losses)

    def close_row(self, step: int, seconds: float) -> None:
        """Make a row of what was added since the last; nothing if nothing was."""
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
        """As CSV, whole or not at all."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, fieldnames=list(self.rows[0]) if self.rows else [])
        writer.writeheader()
        writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in self.rows)
        write_atomic(path, text.getvalue().encode())
