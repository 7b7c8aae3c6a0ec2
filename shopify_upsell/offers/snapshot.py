"""Everything that a decision reads, as it was at that moment.

Pure. The pipeline sees nothing else, and the snapshot is stored with the decision: the same snapshot gives the same
answer for as long as the engine version stays. Products have types of their own here, so that what is stored does
not change shape when the ledger's do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from shopify_upsell.core import CustomerId, OfferId, ProductId, ShopId, VariantId
from shopify_upsell.customers.courtesy import DEFAULT_CAPS, NOTHING_SHOWN, Caps, CourtesyState
from shopify_upsell.customers.dismissals import Dismissal
from shopify_upsell.customers.preferences import ALL
from shopify_upsell.customers.shopper import ANONYMOUS, Shopper
from shopify_upsell.customers.subjects import subjects_of
from shopify_upsell.customers.suppression import Suppression
from shopify_upsell.experiments.running import RunningExperiment
from shopify_upsell.ledger.catalog import SellingPlan
from shopify_upsell.ledger.owned import OwnedProduct, ProductHealth
from shopify_upsell.matrix.companion import Companion
from shopify_upsell.matrix.exploring import Exploration
from shopify_upsell.matrix.said import PairWord
from shopify_upsell.matrix.timed import TimingWord
from shopify_upsell.money import Money
from shopify_upsell.offers.costs import ASSUMED_COSTS, Costs
from shopify_upsell.offers.discounts import ActiveDiscount
from shopify_upsell.offers.health import DEFAULT_HEALTH_LIMITS, HealthLimits
from shopify_upsell.offers.offer import Offer
from shopify_upsell.offers.timing import IN_HAND, JUST_BOUGHT, LATER


@lru_cache(maxsize=256)
def surface_of(placement: str) -> str:
    """The surface that a placement is on. Every rule of every candidate asks."""
    return placement.split("/", 1)[0]


@dataclass(frozen=True, slots=True)
class CartLine:
    """One line of the cart. `product_id` None: the caller knows the variant only, the ledger looks it up.

    `selling_plan_id`: the plan the line is bought on; None: bought once, as far as the caller knows.
    """

    variant_id: VariantId
    product_id: ProductId | None
    quantity: int
    selling_plan_id: int | None = None


@dataclass(frozen=True, slots=True)
class OfferRequest:
    """A question from a surface: what to show at this placement. Every value is untrusted but bounded by its edge.

    Without anchors the products of the cart are the anchors. `reference_id` names a purchase being completed.
    `page`, `path`: where on the storefront it is asked. `is_b2b` None: nobody said. `codes`: discount codes entered.
    """

    shop_id: ShopId
    placement: str
    anchor_product_ids: tuple[ProductId, ...] = ()
    cart: tuple[CartLine, ...] = ()
    customer_id: CustomerId | None = None
    visitor_id: str | None = None
    cart_token: str | None = None
    currency: str | None = None
    limit: int = 3
    reference_id: str | None = None
    page: str | None = None
    path: str | None = None
    market: str | None = None
    country: str | None = None
    is_b2b: bool | None = None
    codes: tuple[str, ...] = ()

    @property
    def surface(self) -> str:
        """The part of the placement that says who calls: `theme` of `theme/product_page`."""
        return surface_of(self.placement)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Every name of the shopper, the best known first."""
        return subjects_of(self.customer_id, self.visitor_id)


@dataclass(frozen=True, slots=True)
class CatalogVariant:
    """A variant as it was: price in the shop's currency, and whether it could be bought.

    Units: `unit_cost_minor_units` in the shop's currency, None where the shop told none; `quantity` pieces that can be
    sold, None where it is not counted. `inventory_policy`: deny, or continue beyond stock.
    """

    variant_id: VariantId
    position: int
    title: str
    price: Money
    is_available: bool
    requires_components: bool
    unit_cost_minor_units: int | None = None
    inventory_policy: str = "deny"
    quantity: int | None = None

    @property
    def is_sellable(self) -> bool:
        """Tell whether one click can put it in a cart."""
        return self.is_available and not self.requires_components


@dataclass(frozen=True, slots=True)
class CatalogProduct:
    """A product as it was. Only what the rules and the card read.

    Units: `rating` 1 to 5 stars; `refund_rate` pieces given back of those sold, 0 to 1; `supply_days` how long one
    piece lasts, learned from buyers who came back. None: not known.
    """

    product_id: ProductId
    title: str
    handle: str
    status: str
    is_published: bool
    is_gift_card: bool
    requires_selling_plan: bool
    is_deleted: bool
    image_url: str | None
    variants: tuple[CatalogVariant, ...]
    product_type: str = ""
    vendor: str = ""
    rating: float | None = None
    refund_rate: float | None = None
    selling_plans: tuple[SellingPlan, ...] = ()
    supply_days: float | None = None

    def variant(self, variant_id: VariantId | None) -> CatalogVariant | None:
        """The variant with this id, if the product has it."""
        return next((one for one in self.variants if one.variant_id == variant_id), None)

    def first_variant(self) -> CatalogVariant | None:
        """The variant to offer: the first that can be bought, else the first, so that a rule can say why not."""
        ordered = sorted(self.variants, key=lambda one: (not one.is_sellable, one.position, one.variant_id))
        return ordered[0] if ordered else None


PLACEMENT_KINDS = {"theme": IN_HAND, "checkout": IN_HAND, "post_purchase": JUST_BOUGHT, "thank_you": JUST_BOUGHT}
"""By surface; account, order status and e-mail come later in a customer's life."""


def placement_kind_of(request: OfferRequest) -> str:
    """Whether the anchor is in the shopper's hand, just bought, or bought some time ago."""
    return PLACEMENT_KINDS.get(surface_of(request.placement), LATER)


@dataclass(frozen=True, slots=True)
class AcceptanceCount:
    """Cards of an offer with a product: shown, and taken.

    `expected_anyway`: of those shown, how many would have been bought without a card, as the holdout bought them.
    """

    offer_id: OfferId
    product_id: ProductId
    shown_count: int
    taken_count: int
    expected_anyway: float = 0.0


@dataclass(frozen=True, slots=True)
class ThrottledOffer:
    """How often the caps of one offer are halved, or with `offer_id` 0 those of the whole shop."""

    offer_id: OfferId
    level: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Inputs of one decision. `matrix_version` 0: the shop has not learned yet. `currency` is the shop's.

    `negative_edges`: pairs with an anchor or the cart that may not be offered now, clearest evidence first.
    `discounts`: those of the shop that run; they are all of them only if `knows_discounts`. `caps` are the merchant's,
    `throttles` what lowers them now. `timing`: words on pairs of anchors and
    companions. `pins`: pairs (anchor, companion) that the merchant wants first. `courtesy`: what the shopper
    was shown under all their names. `owned`: what the customer has, of the products in question. `lost_race`: other
    pages of the shopper took the last of the budget while this one decided. `unit`: the name that the person is known
    by in experiments, None for the best known of the request. `untried`: companions of the anchors without evidence.
    `exploration`: whether the person's lot of the day allows to try one of them, None where there is nothing to try.
    """

    engine_version: str
    now: datetime
    currency: str
    request: OfferRequest
    offers: tuple[Offer, ...]
    matrix_version: int
    companions: dict[ProductId, tuple[Companion, ...]]
    products: dict[ProductId, CatalogProduct]
    suppressions: tuple[Suppression, ...]
    holdout_salt: str
    holdout_basis_points: int
    negative_edges: tuple[PairWord, ...] = ()
    costs: Costs = ASSUMED_COSTS
    discounts: tuple[ActiveDiscount, ...] = ()
    knows_discounts: bool = False
    caps: Caps = DEFAULT_CAPS
    throttles: tuple[ThrottledOffer, ...] = ()
    timing: tuple[TimingWord, ...] = ()
    pins: tuple[tuple[ProductId, ...], ...] = ()
    health: Mapping[ProductId, ProductHealth] = field(default_factory=dict)
    acceptance: tuple[AcceptanceCount, ...] = ()
    shopper: Shopper = ANONYMOUS
    dismissals: tuple[Dismissal, ...] = ()
    preference: str = ALL
    courtesy: CourtesyState = NOTHING_SHOWN
    owned: Mapping[ProductId, OwnedProduct] = field(default_factory=dict)
    lost_race: bool = False
    experiments: tuple[RunningExperiment, ...] = ()
    health_limits: HealthLimits = DEFAULT_HEALTH_LIMITS
    unit: str | None = None
    untried: Mapping[ProductId, tuple[Companion, ...]] = field(default_factory=dict)
    exploration: Exploration | None = None

    @property
    def placement_kind(self) -> str:
        """Whether the anchor is in the shopper's hand, just bought, or bought some time ago."""
        return placement_kind_of(self.request)

    @property
    def cart_product_ids(self) -> frozenset[ProductId]:
        """Products in the cart, as far as the ledger knows their variants."""
        return frozenset(line.product_id for line in self.request.cart if line.product_id is not None)
