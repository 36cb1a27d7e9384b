"""Statistics of a row's samples: percentiles, the confidence of the median, and drift.

Samples are taken in turns (``rounds.py``). Samples of one turn are correlated, and the state of the
machine changes between turns: so confidence intervals are computed by resampling whole turns (block
bootstrap; Efron and Tibshirani 1993, section 8.5). Many samples of one quiet minute prove little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Turns = Sequence[Sequence[float]]  # seconds, by turn

_RESAMPLES = 2000
_CHUNK = 100  # resamples at a time, which bounds the memory
_SEED = 2016
_CONFIDENCE = 95.0


@dataclass(frozen=True)
class Summary:
    """A summary of one row's samples; all times are in seconds.

    Attributes:
        count: the number of samples.
        p50: the median.
        p95: the 95th percentile.
        p99: the 99th percentile.
        low: the lower bound of the 95 % confidence interval of the median.
        high: the upper bound of the interval.
        drift: the median of the later half of the turns divided by that of the earlier half.
    """

    count: int
    p50: float
    p95: float
    p99: float
    low: float
    high: float
    drift: float

    @property
    def spread(self) -> float:
        """Half of the confidence interval as a share of the median: the median's uncertainty."""
        return (self.high - self.low) / 2 / self.p50


def summary(turns: Turns) -> Summary:
    """Return the summary of at least one sample."""
    values = _flat(turns)
    p50, p95, p99 = (float(value) for value in np.percentile(values, (50, 95, 99)))
    low, high = _interval(_medians(turns))
    return Summary(len(values), p50, p95, p99, low, high, _drift(turns))


def ratio_interval(new: Turns, old: Turns) -> tuple[float, float]:
    """Return the 95 % confidence interval of the ratio of two medians, ``new`` by ``old``."""
    return _interval(_medians(new, _SEED) / _medians(old, _SEED + 1))


def _medians(turns: Turns, seed: int = _SEED) -> NDArray[np.float64]:
    """Return the medians of ``_RESAMPLES`` rows of whole turns drawn with replacement."""
    lengths = [len(turn) for turn in turns if len(turn)]
    chosen = np.random.default_rng(seed).integers(0, len(lengths), (_RESAMPLES, len(lengths)))
    # No row is materialised: its median is found among the sorted samples by counting its turns.
    values = _flat(turns)
    order = np.argsort(values)
    turn_of = np.repeat(np.arange(len(lengths)), lengths)[order]
    parts = [
        _middles(values[order], turn_of, rows) for rows in np.split(chosen, _RESAMPLES // _CHUNK)
    ]
    return np.concatenate(parts)


def _middles(
    values: NDArray[np.float64], turn_of: NDArray[np.intp], rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the medians of rows of whole turns.

    Args:
        values: all samples, sorted, (N,).
        turn_of: the turn of each sample, (N,).
        rows: the turns of each row, (R, K).
    """
    times = (rows[:, :, None] == np.arange(rows.shape[1])).sum(axis=1)  # (R, K)
    upto = np.cumsum(times[:, turn_of], axis=1)  # (R, N)
    count = upto[:, -1:]
    lower, upper = ((upto <= middle).sum(axis=1) for middle in ((count - 1) // 2, count // 2))
    medians: NDArray[np.float64] = (values[lower] + values[upper]) / 2
    return medians


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    rest = (100 - _CONFIDENCE) / 2
    low, high = np.percentile(values, (rest, 100 - rest))
    return float(low), float(high)


def _drift(turns: Turns) -> float:
    half = len(turns) // 2
    if not half:
        return 1.0
    return float(np.median(_flat(turns[-half:])) / np.median(_flat(turns[:half])))


def _flat(turns: Turns) -> NDArray[np.float64]:
    return np.concatenate([np.asarray(turn, np.float64) for turn in turns])
