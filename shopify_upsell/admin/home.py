"""`GET /`: the page a merchant opens in Shopify's admin. Opening it for the first time installs the shop.

The shop comes from the verified ID token only. The frame may be embedded by that shop's admin and nobody else.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, Response, make_response, render_template, request
from sqlalchemy.orm import Session

from shopify_upsell.core import InvalidInput, ProofRefused
from shopify_upsell.database import Database, bind_shop
from shopify_upsell.errors import error_answer
from shopify_upsell.gateway.shop_domain import is_shop_domain
from shopify_upsell.gateway.tokens import TokenClient
from shopify_upsell.gateway.verify import AdminProof, verify_admin_token
from shopify_upsell.jobs.queue import JobRequest, enqueue
from shopify_upsell.keyring import Keyring
from shopify_upsell.reports.overview import Overview, read_overview
from shopify_upsell.shops.install import install_shop
from shopify_upsell.shops.store import Shop, find_shop, has_usable_token

log = logging.getLogger(__name__)

APP_BRIDGE = "https://cdn.shopify.com/shopifycloud/app-bridge.js"
POLARIS = "https://cdn.shopify.com/shopifycloud/polaris.js"
RETRY_HEADER = "X-Shopify-Retry-Invalid-Session-Request"


@dataclass(frozen=True)
class AdminServices:
    """Parts the admin works with. `install_jobs`: kinds to enqueue when a shop has installed.

    `development_frame`: the dev store's origin, which may frame the page too; None in production.
    """

    database: Database
    keyring: Keyring
    token_client: TokenClient
    api_key: str
    secrets: tuple[str, ...]
    install_jobs: Sequence[str]
    development_frame: str | None
    clock: Callable[[], datetime]


@dataclass(frozen=True)
class Step:
    """One thing that must be true before offers can be shown, in the merchant's words."""

    label: str
    is_done: bool


def make_blueprint(services: AdminServices) -> Blueprint:
    """The embedded admin. Every answer carries its own frame-ancestors; failures carry 'none'."""
    blueprint = Blueprint("admin", __name__, template_folder="templates")

    @blueprint.after_request
    def frame(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", "frame-ancestors 'none'")
        response.headers["Cache-Control"] = "no-store"
        return response

    @blueprint.errorhandler(ProofRefused)
    def refused(error: ProofRefused) -> Response:
        response = error_answer(401, error.code, error.message)
        response.headers[RETRY_HEADER] = "1"
        return response

    @blueprint.get("/")
    def home() -> Response:
        token = _token()
        if token is None:
            return _ask_for_token(services)
        proof = verify_admin_token(token, api_key=services.api_key, secrets=services.secrets, now=services.clock())
        shop = _installed(services, proof, token)
        with services.database.read() as session:
            bind_shop(session, shop.shop_id)
            return _framed(services, _page(session, services, shop), shop.domain)

    return blueprint


def _token() -> str | None:
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    if scheme == "Bearer" and bearer:
        return bearer
    return request.args.get("id_token") or None


def _ask_for_token(services: AdminServices) -> Response:
    """A navigation inside the frame brings no token: App Bridge alone on a page fetches one and comes back."""
    shop = request.args.get("shop", "")
    if not is_shop_domain(shop):
        raise ProofRefused("an ID token is required")
    page = render_template("ask_for_token.html", api_key=services.api_key, app_bridge=APP_BRIDGE)
    return _framed(services, page, shop)


def _framed(services: AdminServices, page: str, shop_domain: str) -> Response:
    response = make_response(page)
    framers = " ".join(
        filter(None, (f"https://{shop_domain}", "https://admin.shopify.com", services.development_frame))
    )
    response.headers["Content-Security-Policy"] = f"frame-ancestors {framers}; object-src 'none'; base-uri 'none'"
    return response


def _installed(services: AdminServices, proof: AdminProof, id_token: str) -> Shop:
    """The shop, with a usable offline token: exchanged when there is none, never on every page."""
    now = services.clock()
    with services.database.read() as session:
        shop = find_shop(session, proof.shop_domain)
        if shop is not None and shop.state == "installed":
            bind_shop(session, shop.shop_id)
            if has_usable_token(session, shop.shop_id, now):
                return shop
    token = services.token_client.exchange(proof.shop_domain, id_token, now)
    with services.database.write() as session:
        shop = install_shop(session, proof.shop_domain, token, now, services.keyring)
        bind_shop(session, shop.shop_id)
        for kind in services.install_jobs:
            request = JobRequest(kind, f"{kind}:install:{shop.install_epoch}", {"is_first": True})
            enqueue(session, shop.shop_id, request, now)
    log.info("shop_installed", extra={"shop_id": shop.shop_id, "install_epoch": shop.install_epoch})
    return shop


def _page(session: Session, services: AdminServices, shop: Shop) -> str:
    overview = read_overview(session, shop.shop_id)
    return render_template(
        "home.html",
        api_key=services.api_key,
        scripts=(APP_BRIDGE, POLARIS),
        locale=_locale(),
        steps=steps_of(overview),
        totals=overview.totals,
    )


def steps_of(overview: Overview) -> list[Step]:
    """What stands between an install and the first offer."""
    return [
        Step(f"Products read from Shopify: {overview.products}", overview.products > 0),
        Step(f"Orders in the ledger: {overview.orders_ingested}", overview.orders_ingested > 0),
        Step(f"Product pairs learned: {overview.pairs_learned}", overview.pairs_learned > 0),
        Step(f"Live offers: {overview.live_offers}", overview.live_offers > 0),
    ]


def _locale() -> str:
    locale = request.args.get("locale", "en")
    if not locale.replace("-", "").isalnum() or len(locale) > 12:
        raise InvalidInput("not a locale")
    return locale
