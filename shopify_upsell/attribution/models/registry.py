"""Every model by name. A new model is one module and one entry here. Pure.

All of them work on one journey at a time, so that an order's credits add up to the order: only this aggregation may be
shown as revenue. `markov.global_shares` compares channels over the whole shop and is no revenue.
"""

from collections.abc import Callable
from dataclasses import dataclass

from shopify_upsell.attribution.models.learned import learned
from shopify_upsell.attribution.models.path import NO_FIT, ChannelFit, Path
from shopify_upsell.attribution.models.positional import first, last, linear, position, time_decay

DISPLAY_MODEL = "linear"
"""Shown unless another is asked for: no multi-touch model recovers what was caused, and linear errs least.
Source: reference `measurement.md` part 0, finding 5."""


@dataclass(frozen=True, slots=True)
class CreditModel:
    """A way to weigh the touches of a path. `is_learned`: it needs a fit, and its version names the fit's."""

    name: str
    revision: int
    weigh: Callable[[Path, ChannelFit], list[int]]
    is_learned: bool = False

    def version(self, fit: ChannelFit = NO_FIT) -> str:
        """Name what made the weights: `linear/1`, `markov/1.7` for the seventh fit."""
        return f"{self.name}/{self.revision}.{fit.version}" if self.is_learned else f"{self.name}/{self.revision}"


@dataclass(frozen=True, slots=True)
class PathWeights:
    """A path's weights and what made them. Shape: one weight a touch. Units: billionths."""

    model: str
    model_version: str
    weights: tuple[int, ...]


CREDIT_MODELS: dict[str, CreditModel] = {
    "first": CreditModel("first", 1, lambda path, _: first(path)),
    "last": CreditModel("last", 1, lambda path, _: last(path)),
    "linear": CreditModel("linear", 1, lambda path, _: linear(path)),
    "time_decay": CreditModel("time_decay", 1, lambda path, _: time_decay(path)),
    "position": CreditModel("position", 1, lambda path, _: position(path)),
    "markov": CreditModel("markov", 1, learned, is_learned=True),
    "shapley": CreditModel("shapley", 1, learned, is_learned=True),
}


def weigh_path(model: str, path: Path, fit: ChannelFit = NO_FIT) -> PathWeights:
    """Weigh a path's touches by one model.

    Raises: ValueError for a path without touches, KeyError for a model that there is not.
    """
    if not path.touches:
        raise ValueError("a path without touches")
    chosen = CREDIT_MODELS[model]
    return PathWeights(model, chosen.version(fit), tuple(chosen.weigh(path, fit)))
