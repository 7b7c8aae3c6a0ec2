"""Waiting times with endings other than the one waited for: exact curves from individual customers.

Comes in: for each customer how long they were watched and how it ended. Goes out: the cumulative share that bought,
with competing endings (refund of the first product, opt-out) counted as what they are, not as waiting.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

CENSORED, BOUGHT = 0, 1
"""Ending codes: still waiting when the data end; bought. Any larger code is a competing ending."""


@dataclass(frozen=True)
class IncidenceCurve:
    """A step function over the distinct times at which somebody bought.

    Units: `day` as given; `incidence`, `low`, `high` are shares, 0 to 1; `at_risk` customers waiting just before.
    """

    day: NDArray[np.float64]
    incidence: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    at_risk: NDArray[np.int64]
    bought: NDArray[np.int64]

    def at(self, day: float) -> float:
        """Read the share that bought by `day`."""
        place = int(np.searchsorted(self.day, day, side="right"))
        return float(self.incidence[place - 1]) if place else 0.0

    def median_day(self) -> float | None:
        """Give the day by which half have bought, or None if that is not reached."""
        reached = np.flatnonzero(self.incidence >= 0.5)
        return float(self.day[reached[0]]) if len(reached) else None


def cumulative_incidence(days: ArrayLike, ending: ArrayLike, *, confidence: float = 0.95) -> IncidenceCurve:
    """Estimate the share that bought by each day, competing endings and censoring taken into account.

    Without competing endings this is one minus Kaplan-Meier.

    Shape: `days` and `ending` are 1-d and of one length; endings as CENSORED, BOUGHT, or larger for competing.
    Raises: ValueError if the lengths differ or a day is negative.
    Source: Aalen and Johansen 1978; variance by Greenwood's form for incidence (Marubini and Valsecchi 1995), interval
    on the log(-log) scale.
    """
    time, kind = np.asarray(days, dtype=np.float64), np.asarray(ending, dtype=np.int64)
    if time.shape != kind.shape or time.ndim != 1:
        raise ValueError("days and ending must be 1-d and of one length")
    if time.size and time.min() < 0:
        raise ValueError("days must not be negative")
    moments = np.unique(time)
    place = np.searchsorted(moments, time)
    bought = np.bincount(place[kind == BOUGHT], minlength=len(moments))
    ended = np.bincount(place[kind != CENSORED], minlength=len(moments))
    leaving = np.bincount(place, minlength=len(moments))
    at_risk = len(time) - np.concatenate([[0], np.cumsum(leaving)[:-1]]) if len(moments) else leaving
    waiting = np.cumprod(1 - ended / np.maximum(at_risk, 1))
    waiting_before = np.concatenate([[1.0], waiting[:-1]]) if len(moments) else waiting
    incidence = np.cumsum(waiting_before * bought / np.maximum(at_risk, 1))
    variance = _incidence_variance(incidence, waiting_before, at_risk, bought, ended)
    low, high = _log_log_interval(incidence, variance, confidence)
    is_step = bought > 0
    return IncidenceCurve(
        moments[is_step], incidence[is_step], low[is_step], high[is_step], at_risk[is_step], bought[is_step]
    )


@dataclass(frozen=True)
class LogRank:
    """Whether two groups wait alike. Units: `statistic` chi-square with one degree of freedom, `p_value` 0 to 1."""

    statistic: float
    p_value: float


def log_rank(days: ArrayLike, ending: ArrayLike, other_days: ArrayLike, other_ending: ArrayLike) -> LogRank:
    """Compare two groups' waiting; endings other than BOUGHT are censored.

    Shape: 1-d pairs of one length each.
    Raises: ValueError if nobody bought while both groups still had somebody waiting.
    Source: Mantel 1966, hypergeometric variance.
    """
    time = np.concatenate([np.asarray(days, np.float64), np.asarray(other_days, np.float64)])
    is_event = np.concatenate([np.asarray(ending) == BOUGHT, np.asarray(other_ending) == BOUGHT])
    is_first = np.arange(len(time)) < len(np.asarray(days))
    excess, variance = 0.0, 0.0
    for moment in np.unique(time[is_event]):
        waiting, now = time >= moment, (time == moment) & is_event
        n, first, events = int(waiting.sum()), int((waiting & is_first).sum()), int(now.sum())
        share = first / n
        excess += int((now & is_first).sum()) - events * share
        variance += events * share * (1 - share) * (n - events) / (n - 1) if n > 1 else 0.0
    if variance == 0:
        raise ValueError("the groups never waited side by side")
    statistic = excess**2 / variance
    return LogRank(statistic, float(2 * ndtr(-(statistic**0.5))))


def _incidence_variance(
    incidence: NDArray[np.float64],
    waiting_before: NDArray[np.float64],
    at_risk: NDArray[np.int64],
    bought: NDArray[np.int64],
    ended: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Sum the delta-method terms; expanding (F(t) - F(s))² lets running sums replace a double loop."""
    risk = np.maximum(at_risk, 1).astype(np.float64)
    left = np.maximum(risk - ended, 1e-12)
    spread = np.where(risk > ended, ended / (risk * left), 0.0)
    own = waiting_before**2 * bought * (risk - bought) / risk**3
    cross = waiting_before * bought / risk**2
    first = incidence**2 * np.cumsum(spread) - 2 * incidence * np.cumsum(spread * incidence)
    first += np.cumsum(spread * incidence**2)
    second = np.cumsum(own)
    third = incidence * np.cumsum(cross) - np.cumsum(cross * incidence)
    return np.asarray(np.maximum(first + second - 2 * third, 0.0))


def _log_log_interval(
    share: NDArray[np.float64], variance: NDArray[np.float64], confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    inner = np.clip(share, 1e-12, 1 - 1e-12)
    reach = float(ndtri(0.5 + confidence / 2)) * np.sqrt(variance) / (np.abs(np.log(inner)) * inner)
    low, high = inner ** np.exp(reach), inner ** np.exp(-reach)
    has_any = share > 0
    return np.where(has_any, low, 0.0), np.where(has_any, high, 0.0)
