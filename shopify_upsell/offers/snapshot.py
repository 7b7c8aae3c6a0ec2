"""Everything that a decision reads, as it was at that moment.

Pure. The pipeline sees nothing else, and the snapshot is stored with the decision: the same snapshot gives the same
answer for as long as the engine version stays. Products have types of their own here, so that what is stored does
not change shape when the ledger's do.
"""

from dataclasses import dataclass
from datetime import datetime

from shopify_upsell.core import CustomerId, ProductId, ShopId, VariantId
from shopify_upsell.customers.subjects import subjects_of
from shopify_upsell.customers.suppression import Suppression
from shopify_upsell.matrix.companion import Companion
from shopify_upsell.matrix.said import PairWord
from shopify_upsell.money import Money
from shopify_upsell.offers.offer import Offer


@dataclass(frozen=True, slots=True)
class CartLine:
    """One line of the cart. `product_id` None: the caller knows the variant only, the ledger looks it up."""

    variant_id: VariantId
    product_id: ProductId | None
    quantity: int


@dataclass(frozen=True, slots=True)
class OfferRequest:
    """A question from a surface: what to show at this placement. Every value is untrusted but bounded by its edge.

    Without anchors the products of the cart are the anchors. `reference_id` names a purchase being completed.
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

    @property
    def surface(self) -> str:
        """The part of the placement that says who calls: `theme` of `theme/product_page`."""
        return self.placement.split("/", 1)[0]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Every name of the shopper, the best known first."""
        return subjects_of(self.customer_id, self.visitor_id)


@dataclass(frozen=True, slots=True)
class CatalogVariant:
    """A variant as it was: price in the shop's currency, and whether it could be bought."""

    variant_id: VariantId
    position: int
    title: str
    price: Money
    is_available: bool
    requires_components: bool

    @property
    def is_sellable(self) -> bool:
        """Tell whether one click can put it in a cart."""
        return self.is_available and not self.requires_components


@dataclass(frozen=True, slots=True)
class CatalogProduct:
    """A product as it was. Only what the rules and the card read."""

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

    def variant(self, variant_id: VariantId | None) -> CatalogVariant | None:
        """The variant with this id, if the product has it."""
        return next((one for one in self.variants if one.variant_id == variant_id), None)

    def first_variant(self) -> CatalogVariant | None:
        """The variant to offer: the first that can be bought, else the first, so that a rule can say why not."""
        ordered = sorted(self.variants, key=lambda one: (not one.is_sellable, one.position, one.variant_id))
        return ordered[0] if ordered else None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Inputs of one decision. `matrix_version` 0: the shop has not learned yet. `currency` is the shop's.

    `negative_edges`: pairs with an anchor or the cart that may not be offered now, clearest evidence first.
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

    @property
    def cart_product_ids(self) -> frozenset[ProductId]:
        """Products in the cart, as far as the ledger knows their variants."""
        return frozenset(line.product_id for line in self.request.cart if line.product_id is not None)
