"""Has a rate gone above its limit? An answer that may be asked for after every single trial.

Pure. In: how many trials, how many hits, a limit. Out: evidence that the rate lies above it, and the lower end of a
confidence sequence. A test made for one look that is read every day cries wolf: here the chance of ever doing so,
over an endless run of looks, is at most alpha, for every rate at or below the limit and any number of trials.
"""

import math

ODDS_MULTIPLES = (1.25, 1.5, 2.0, 3.0, 5.0)
"""Alternatives that the evidence is spread over, as multiples of the limit's odds: from a creeping rise to a spike.
Source: our choice; between neighbours the evidence lost is a few per cent of a trial."""

_STEPS = 60
"""Halvings of the search for a bound: below the spacing of floats."""


def log_evidence(trials: int, hits: int, limit: float) -> float:
    """Weigh the trials against "the rate is at most `limit`". Natural logarithm; 0 says nothing, above is against it.

    Above `log(1 / alpha)` at any time: refuse, with a chance of at most alpha ever to be wrong.

    Shape: 0 <= hits <= trials; 0 < limit. A limit of 1 or more cannot be exceeded.
    Raises: ValueError.
    Source: likelihood ratio averaged over alternatives (method of mixtures, Robbins 1970) and Ville's inequality. With
    t the limit's odds and m a multiple of it, one ratio is m^hits ((1 + t) / (1 + m t))^trials; it falls in t, so the
    bound holds for every smaller rate too, whatever the past of the process.
    """
    if not 0 <= hits <= trials or limit <= 0:
        raise ValueError("hits are 0 to trials, and a limit is above 0")
    if limit >= 1:
        return -math.inf
    return _log_mixture(trials, hits, limit / (1 - limit))


def lower_bound(trials: int, hits: int, *, alpha: float) -> float:
    """The smallest rate that the trials do not refuse: the lower end of a one-sided confidence sequence.

    Units: a rate, 0 to 1; `alpha` the chance that it is ever above the true rate. Raises: ValueError.
    """
    if not 0 <= hits <= trials or not 0 < alpha < 1:
        raise ValueError("hits are 0 to trials, and alpha lies between 0 and 1")
    needed, low, high = -math.log(alpha), -40.0, 40.0
    if _log_mixture(trials, hits, 0.0) <= needed:
        return 0.0  # so few hits refuse no rate at all
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _log_mixture(trials, hits, math.exp(middle)) >= needed:
            low = middle
        else:
            high = middle
    odds = math.exp(low)
    return odds / (1 + odds)


def upper_limit_of(trials: int, hits: int, *, z: float = 1.96) -> float:
    """How high a rate measured once may really be, 0 to 1. Without trials it may be anything.

    Source: Wilson's score interval, upper end; any text on proportions. For one look: a baseline, not a monitor.
    """
    if trials == 0:
        return 1.0
    rate, room = hits / trials, z * z / trials
    half = z * math.sqrt(rate * (1 - rate) / trials + room / (4 * trials))
    return min(1.0, (rate + room / 2 + half) / (1 + room))


def log_sum(logs: list[float]) -> float:
    """The logarithm of a sum of which the logarithms are given; nothing sums to minus infinity."""
    highest = max(logs, default=-math.inf)
    if highest == -math.inf:
        return highest
    return highest + math.log(math.fsum(math.exp(one - highest) for one in logs))


def _log_mixture(trials: int, hits: int, odds: float) -> float:
    ratios = [
        hits * math.log(multiple) + trials * (math.log1p(odds) - math.log1p(multiple * odds))
        for multiple in ODDS_MULTIPLES
    ]
    return log_sum(ratios) - math.log(len(ODDS_MULTIPLES))
