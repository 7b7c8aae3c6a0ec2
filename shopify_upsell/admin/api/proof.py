"""Who may call the merchant API, and how it says what is wrong.

Every request brings the ID token of the embedded admin as a bearer token; the shop and the person come from it alone.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, g, request
from flask_smorest import Blueprint
from sqlalchemy.orm import Session
from werkzeug.exceptions import UnprocessableEntity

from shopify_upsell.core import InvalidInput, ProofRefused, ShopId
from shopify_upsell.database import Database, bind_shop
from shopify_upsell.errors import error_answer
from shopify_upsell.gateway.verify import verify_admin_token
from shopify_upsell.offers.launching import Launch
from shopify_upsell.reports.changes import Editor, log_change
from shopify_upsell.shops.store import Shop, find_shop

RETRY_HEADER = "X-Shopify-Retry-Invalid-Session-Request"
"""Makes App Bridge fetch a new token and ask once more."""

MOST_COMPLAINTS = 20

PREFIX = "/api/merchant/v1"


@dataclass(frozen=True)
class MerchantServices:
    """Parts the merchant API works with. `secrets`: the client secret, then the one it replaced."""

    database: Database
    api_key: str
    secrets: tuple[str, ...]
    holdout_basis_points: int
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the shop and the person of its staff, and when."""

    shop: Shop
    editor: Editor
    holdout_basis_points: int

    @property
    def shop_id(self) -> ShopId:
        """The tenant."""
        return self.shop.shop_id

    @property
    def now(self) -> datetime:
        """The moment of the request: one for all that it does."""
        return self.editor.now

    @property
    def launch(self) -> Launch:
        """What launch checks want to know of the request."""
        return Launch(self.shop_id, self.now, self.holdout_basis_points)


def guard(
    blueprint: Blueprint, services: MerchantServices, *, prove: Callable[[MerchantServices], Caller] | None = None
) -> None:
    """Let nobody in without proof, keep nothing in caches, and say what is wrong by field.

    `prove`: who calls, where others than the shop's staff may.
    """
    prove_caller = prove or staff_caller

    @blueprint.before_request
    def proven() -> None:
        g.caller = prove_caller(services)

    @blueprint.after_request
    def never_cached(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    @blueprint.errorhandler(ProofRefused)
    def refused(error: ProofRefused) -> Response:
        response = error_answer(401, error.code, error.message)
        response.headers[RETRY_HEADER] = "1"
        return response

    @blueprint.errorhandler(InvalidInput)
    def invalid(error: InvalidInput) -> Response:
        return error_answer(422, error.code, error.message)

    @blueprint.errorhandler(UnprocessableEntity)
    def unreadable(error: UnprocessableEntity) -> Response:
        return error_answer(422, "invalid_input", _by_field(getattr(error, "data", {}).get("messages", {})))


def caller() -> Caller:
    """Who asks, as the request proved."""
    found: Caller = g.caller
    return found


@contextmanager
def reading(services: MerchantServices) -> Iterator[Session]:
    """A reading session bound to the caller's shop."""
    with services.database.read() as session:
        bind_shop(session, caller().shop_id)
        yield session


@contextmanager
def writing(services: MerchantServices) -> Iterator[Session]:
    """A writing session bound to the caller's shop."""
    with services.database.write() as session:
        bind_shop(session, caller().shop_id)
        yield session


def note(
    session: Session, what: str, subject: str, *, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> None:
    """Write down what the caller changed, in the transaction that changed it."""
    log_change(session, caller().shop_id, caller().editor, (what, subject), before=before, after=after)


def staff_caller(services: MerchantServices) -> Caller:
    """A person of the shop's staff, by the ID token of the embedded admin. Raises: ProofRefused."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not token:
        raise ProofRefused("an ID token is required")
    now = services.clock()
    proof = verify_admin_token(token, api_key=services.api_key, secrets=services.secrets, now=now)
    with services.database.read() as session:
        shop = find_shop(session, proof.shop_domain)
    if shop is None or shop.state != "installed":
        raise ProofRefused("the shop is not installed")
    return Caller(shop, Editor(proof.user_id, now), services.holdout_basis_points)


def _by_field(messages: Any) -> str:
    """Say what is wrong and where: `terms.floor.minor_units: must be a whole number`. What was sent is not repeated."""
    complaints: list[str] = []

    def walk(at: str, found: Any) -> None:
        if isinstance(found, Mapping):
            for name in sorted(found, key=str):
                walk(f"{at}[{name}]" if isinstance(name, int) else f"{at}.{name}".lstrip("."), found[name])
        else:
            complaints.extend(f"{at}: {text}" for text in (found if isinstance(found, list) else [found]))

    for place in messages.values() if isinstance(messages, Mapping) else ():
        walk("", place)
    more = f"; and {len(complaints) - MOST_COMPLAINTS} more" if len(complaints) > MOST_COMPLAINTS else ""
    return "; ".join(complaints[:MOST_COMPLAINTS]) + more or "not valid"
