"""Every attribution model side by side: what each would credit to each channel, of the same lines and to the cent.

All of them divide one journey at a time, so every model's total is what offers earned, neither more nor less. None of
them says what a channel caused: that takes a holdout.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from shopify_upsell.attribution.journeys import credited_paths
from shopify_upsell.attribution.models.path import NO_FIT
from shopify_upsell.attribution.models.registry import CREDIT_MODELS, weigh_path
from shopify_upsell.attribution.refit import fit_at
from shopify_upsell.core import ShopId
from shopify_upsell.money import apportion


@dataclass(frozen=True, slots=True)
class ModelTotal:
    """What one model credits to one channel in one currency. Units: minor units."""

    model: str
    model_version: str
    currency: str
    channel: str
    amount_minor_units: int


def models_side_by_side(
    session: Session, shop_id: ShopId, *, now: datetime, since: datetime | None = None, until: datetime | None = None
) -> list[ModelTotal]:
    """What every model would credit, over orders placed from `since` to before `until`.

    Learned models use the newest fit at `now`, so this is a comparison and restates no line.

    Shape: for each model and currency the amounts add up to the same: what offers earned directly.
    """
    credited = credited_paths(session, shop_id, since=since, until=until)
    found: list[ModelTotal] = []
    for name, model in CREDIT_MODELS.items():
        fit = fit_at(session, shop_id, name, now) if model.is_learned else NO_FIT
        totals: Counter[tuple[str, str]] = Counter()
        for credit in credited:
            path = credit.frozen.path
            parts = apportion(credit.amount, weigh_path(name, path, fit).weights)
            for channel, part in zip(path.channels, parts, strict=True):
                totals[credit.currency, channel] += part
        found += [
            ModelTotal(name, model.version(fit), currency, channel, totals[currency, channel])
            for currency, channel in sorted(totals)
        ]
    return found
