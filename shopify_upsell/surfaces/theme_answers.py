"""What a storefront block is answered, whatever brought the question: a decision as JSON, or nothing to show.

A signature proves that a request came through Shopify for this shop, not that anyone authorised it. Any failure after
it answers an empty offer list: a shop page never breaks because of us.
"""

import json
import logging
from collections.abc import Mapping
from typing import Any

import orjson

from shopify_upsell.attribution.token import TOKEN_PURPOSE
from shopify_upsell.core import InvalidInput, ShopId, UpsellError
from shopify_upsell.gateway.verify import ProxyProof, verify_app_proxy
from shopify_upsell.limits import network_of
from shopify_upsell.metrics import DECISION_SECONDS, DECISIONS
from shopify_upsell.offers.candidate import Decision
from shopify_upsell.offers.snapshot import OfferRequest
from shopify_upsell.surfaces.rendering import OfferRenderer
from shopify_upsell.surfaces.services import SurfaceServices

log = logging.getLogger(__name__)

NEVER_CACHED = "no-store"

PLACEMENTS = ("theme/product_page", "theme/cart")
PARAMETERS = frozenset(
    {
        "placement", "product", "cart", "cart_token", "visitor", "locale", "currency", "limit", "page", "path",
        "market", "country", "business", "codes",
    }
)  # fmt: skip


class ThemeAnswers:
    """Answers questions of storefront blocks."""

    def __init__(self, services: SurfaceServices) -> None:
        self._services = services

    def prove(self, query_string: bytes) -> ProxyProof:
        """Check where a request comes from. Raises: ProofRefused."""
        services = self._services
        return verify_app_proxy(query_string, secrets=services.secrets, now=services.clock(), allowed=PARAMETERS)

    def answer(self, proof: ProxyProof, query: Mapping[str, Any], caller: str) -> bytes:
        """What to show, as JSON. `query`: as `OffersQuery` loads it; `caller`: the address that asks."""
        try:
            answer = self._answer(proof, query, caller)
        except Exception as error:
            # Never a visitor's own word: figures keep every label they were ever given.
            answer = nothing_to_show(error, query["placement"] if query["placement"] in PLACEMENTS else "theme/unknown")
        # Past the schema: the renderer's tests hold the two together, and this is the busiest route.
        return _written(answer)

    def _answer(self, proof: ProxyProof, query: Mapping[str, Any], caller: str) -> dict[str, object]:
        services = self._services
        if query["placement"] not in PLACEMENTS:
            raise InvalidInput("unknown placement")
        if not _is_within_limits(services, proof, caller):
            DECISIONS.labels("theme", "limited").inc()
            return {"offers": []}
        with DECISION_SECONDS.time():
            shop = services.installed_shop(proof.shop_domain)
            decision: Decision = services.desk.serve(shop, _request(shop.shop_id, proof, query))
        key = services.keyring.signing_keys(TOKEN_PURPOSE, decision.shop_id)[0]
        renderer = OfferRenderer(decision, locale=query["locale"], key=key, new_nonce=services.new_nonce)
        return {"decision_id": decision.decision_id, "offers": renderer.offers()}


def caller_of(environ: Mapping[str, Any]) -> str:
    """The address that asks, as the proxy before us tells it."""
    forwarded: str = environ.get("HTTP_X_FORWARDED_FOR") or environ.get("REMOTE_ADDR") or ""
    return forwarded.split(",")[0].strip()


def _written(answer: dict[str, object]) -> bytes:
    try:
        return orjson.dumps(answer)
    except TypeError:  # half a surrogate pair in a title, which the standard writer escapes
        return json.dumps(answer).encode()


def nothing_to_show(error: Exception, placement: str) -> dict[str, object]:
    """The answer when deciding failed: a shop page never breaks because of us, and a person can look it up."""
    level = logging.INFO if isinstance(error, UpsellError) else logging.ERROR
    fields = {"placement": placement[:40], "error": type(error).__name__}
    log.log(level, "offers_unavailable", extra=fields, exc_info=error if level == logging.ERROR else None)
    DECISIONS.labels(placement.split("/")[0][:20], "failed").inc()
    return {"offers": []}


def _request(shop_id: ShopId, proof: ProxyProof, query: Mapping[str, Any]) -> OfferRequest:
    product = query["product"]
    return OfferRequest(
        shop_id=shop_id,
        placement=query["placement"],
        anchor_product_ids=(product,) if product is not None else (),
        cart=query["cart"],
        customer_id=proof.customer_id,
        visitor_id=query["visitor"],
        cart_token=query["cart_token"],
        currency=query["currency"],
        limit=query["limit"],
        reference_id=None,
        page=query["page"],
        path=query["path"],
        market=query["market"],
        country=query["country"],
        is_b2b=query["business"],
        codes=query["codes"],
    )


def _is_within_limits(services: SurfaceServices, proof: ProxyProof, caller: str) -> bool:
    # The network is asked first: what it is refused must not be taken from the share of the whole shop.
    network = f"{proof.shop_domain}|{network_of(caller)}"
    return services.network_limiter.allows(network) and services.shop_limiter.allows(proof.shop_domain)
