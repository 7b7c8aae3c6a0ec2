"""Which products are left out of offers until they are mended: limits that a merchant may set.

Pure, frozen.
"""

from dataclasses import dataclass

from shopify_upsell.core import InvalidInput
from shopify_upsell.ledger.owned import ProductHealth

WHOLE = 10_000
BEST_RATING = 5.0


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """A product is left out above the refund rate, or below the stars, once enough people have spoken.

    Units: `most_refunded_basis_points` pieces given back of those sold; `least_rating` stars 1 to 5.
    Source of the defaults, our choice: apparel, where returns are highest, is at about 15 %.
    """

    fewest_sold: int = 20
    most_refunded_basis_points: int = 1500
    fewest_ratings: int = 5
    least_rating: float = 3.0


DEFAULT_HEALTH_LIMITS = HealthLimits()


def check_limits(limits: HealthLimits) -> HealthLimits:
    """Refuse limits that cannot be. Returns them. Raises: InvalidInput naming the field."""
    for name in ("fewest_sold", "fewest_ratings"):
        if not 1 <= getattr(limits, name) <= 1_000_000:
            raise InvalidInput(f"{name}: is 1 to 1,000,000")
    if not 0 <= limits.most_refunded_basis_points <= WHOLE:
        raise InvalidInput("most_refunded_basis_points: is 0 to 10,000")
    if not 0 <= limits.least_rating <= BEST_RATING:
        raise InvalidInput("least_rating: is 0 to 5 stars")
    return limits


def is_poor(health: ProductHealth, limits: HealthLimits = DEFAULT_HEALTH_LIMITS) -> bool:
    """Tell whether a product should be mended before it is sold beside another."""
    most = limits.most_refunded_basis_points
    sends_back = health.sold >= limits.fewest_sold and health.refunded * WHOLE > most * health.sold
    is_rated = health.rating is not None and health.rating_count >= limits.fewest_ratings
    return sends_back or (is_rated and (health.rating or 0.0) < limits.least_rating)
