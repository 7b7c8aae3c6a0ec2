"""The one place where parts are joined: surfaces, webhook handlers, listeners, jobs, schedule."""

import os
import secrets
from dataclasses import dataclass
from datetime import timedelta

from flask import Flask, Response
from sqlalchemy.orm import Session

from shopify_upsell.admin import home
from shopify_upsell.admin.api import routes as merchant_api
from shopify_upsell.admin.api import sends_feed
from shopify_upsell.admin.api.proof import MerchantServices
from shopify_upsell.attribution.confirm import PostPurchaseConfirmation
from shopify_upsell.attribution.refit import refit_job
from shopify_upsell.attribution.settle import Settlement
from shopify_upsell.core import (
    Announcement,
    BadSetting,
    ConflictingRequest,
    DecisionId,
    Delivery,
    InvalidInput,
    NotFound,
    ProofRefused,
    RetryLater,
    UpsellError,
)
from shopify_upsell.customers import signal_intake
from shopify_upsell.customers.opt_out_store import opt_outs
from shopify_upsell.customers.order_signals import update_signals
from shopify_upsell.customers.signal_intake import retain_signals
from shopify_upsell.customers.upkeep import retain_courtesy, review_courtesy
from shopify_upsell.database import Database
from shopify_upsell.errors import ShapedApi, register_errors
from shopify_upsell.gateway.tokens import TokenClient
from shopify_upsell.health import make_blueprint as make_health_blueprint
from shopify_upsell.inbox import views as inbox
from shopify_upsell.inbox.dispatch import Dispatcher, WebhookHandler
from shopify_upsell.inbox.erase import erase_shop_job
from shopify_upsell.inbox.forget import forget
from shopify_upsell.jobs.schedule import RETENTION
from shopify_upsell.jobs.wakeup import Wakeup, make_huey
from shopify_upsell.jobs.worker import Handler, Worker, in_turn, utc_now
from shopify_upsell.keyring import Keyring
from shopify_upsell.ledger import delivery, intake
from shopify_upsell.ledger.sync import CatalogueSync, OrderReconciliation
from shopify_upsell.limits import RateLimiter
from shopify_upsell.logs import set_up_logging
from shopify_upsell.matrix.freshening import Freshening
from shopify_upsell.matrix.recording import count_changed
from shopify_upsell.matrix.upkeep import Learning, note_order
from shopify_upsell.offers.acceptance_store import AcceptanceLearning
from shopify_upsell.offers.decisions import retire_decisions_job
from shopify_upsell.offers.discount_sync import DiscountSync, record_discount_change
from shopify_upsell.offers.journal import DecisionJournal
from shopify_upsell.offers.regretting import note_regret
from shopify_upsell.offers.setup import set_up_offers
from shopify_upsell.randomness import RandomBytes
from shopify_upsell.reports.exposures import ExposureCount
from shopify_upsell.reports.judging import judge_experiments
from shopify_upsell.reports.outcomes import measure_changed
from shopify_upsell.reports.privacy_export import answer_data_request
from shopify_upsell.reports.remeasuring import measure_anew
from shopify_upsell.sends.handing_over import SendDesk
from shopify_upsell.sends.planning import SendPlanning
from shopify_upsell.settings import Settings, read_settings
from shopify_upsell.shops import lifecycle, privacy
from shopify_upsell.shops.access import ShopAccess
from shopify_upsell.shops.refresh import ShopRefresh
from shopify_upsell.surfaces import post_purchase, preferences, signals_api, theme
from shopify_upsell.surfaces.express import Express
from shopify_upsell.surfaces.services import SurfaceServices
from shopify_upsell.surfaces.theme_answers import ThemeAnswers

SURFACES = (
    theme.make_blueprint,
    post_purchase.make_blueprint,
    preferences.make_proxy_blueprint,
    preferences.make_account_blueprint,
    signals_api.make_blueprint,
)


def _both(first: WebhookHandler, second: WebhookHandler) -> WebhookHandler:
    """Two stations learn from one delivery, in one transaction."""

    def handle(session: Session, delivery: Delivery) -> list[Announcement]:
        return [*first(session, delivery), *second(session, delivery)]

    return handle


WEBHOOK_HANDLERS: dict[str, WebhookHandler] = {
    "orders/create": intake.record_order,
    "orders/paid": intake.record_order,
    "orders/updated": intake.record_order,
    "orders/cancelled": intake.record_order,
    "orders/edited": intake.record_order_edit,
    "orders/delete": intake.record_order_deletion,
    "refunds/create": intake.record_refund,
    "products/create": intake.record_product,
    "products/update": intake.record_product,
    "products/delete": intake.record_product_deletion,
    "fulfillments/create": _both(delivery.record_fulfillment, signal_intake.record_fulfillment),
    "fulfillments/update": _both(delivery.record_fulfillment, signal_intake.record_fulfillment),
    "fulfillment_events/create": _both(delivery.record_fulfillment_event, signal_intake.record_fulfillment_event),
    "returns/request": signal_intake.record_return,
    "returns/approve": signal_intake.record_return,
    "returns/decline": signal_intake.record_return,
    "returns/reopen": signal_intake.record_return,
    "returns/close": signal_intake.record_return,
    "returns/cancel": signal_intake.record_return,
    "customers/update": signal_intake.record_customer,
    "customers_email_marketing_consent/update": signal_intake.record_email_consent,
    "app/uninstalled": lifecycle.record_uninstall,
    "discounts/create": record_discount_change,
    "discounts/update": record_discount_change,
    "discounts/delete": record_discount_change,
    "app/scopes_update": _both(lifecycle.record_scopes_update, record_discount_change),
    "shop/update": lifecycle.record_shop_update,
    "customers/data_request": privacy.record_data_request,
    "customers/redact": privacy.record_customer_redaction,
    "shop/redact": privacy.record_shop_redaction,
}

OPTIONAL_HANDLERS: dict[str, WebhookHandler] = {
    "disputes/create": signal_intake.record_dispute,
    "disputes/update": signal_intake.record_dispute,
}
"""Understood where a merchant subscribes to them; not asked for, because their scope opens the shop's payments."""

LISTENERS: dict[str, tuple[str, ...]] = {
    "order_recorded": ("settle_order", "count_order", "note_order", "update_signals", "measure_order"),
    "order_settled": ("note_regret", "measure_order"),
    "order_edited": ("confirm_post_purchase",),
    "product_recorded": (),
    "delivery_recorded": (),
    "discounts_changed": ("sync_discounts",),
    "customer_data_requested": ("answer_data_request",),
    "customer_redaction_requested": ("forget_customer",),
    "shop_redaction_requested": ("erase_shop",),
}

GATHERED = frozenset({"note_order"})
"""Listeners that need to hear once a minute that something happened, not of each time."""

INSTALL_JOBS = (
    "refresh_shop", "sync_products", "sync_discounts", "set_up_offers", "reconcile_orders", "release_parked",
)  # fmt: skip

SCHEDULE: dict[str, timedelta] = {
    "learn_matrix": timedelta(hours=24),
    "reconcile_orders": timedelta(hours=24),
    "sync_discounts": timedelta(hours=24),
    "keep_token_warm": timedelta(days=7),
    "review_courtesy": timedelta(minutes=15),
    "retain_courtesy": timedelta(hours=24),
    "retain_signals": timedelta(hours=24),
    "retire_decisions": timedelta(hours=24),
    "refit_models": timedelta(hours=24),
    "learn_acceptance": timedelta(hours=1),
    "count_exposures": timedelta(minutes=1),
    "plan_sends": timedelta(hours=24),
    "judge_experiments": timedelta(hours=1),
    RETENTION: timedelta(hours=24),
}

HTTP_STATUS: dict[type[UpsellError], int] = {
    ProofRefused: 401,
    NotFound: 404,
    ConflictingRequest: 409,
    InvalidInput: 400,
    RetryLater: 503,
}


@dataclass(frozen=True)
class Parts:
    """Everything that is made once a process."""

    settings: Settings
    database: Database
    keyring: Keyring
    token_client: TokenClient
    access: ShopAccess
    wakeup: Wakeup
    dispatcher: Dispatcher


def join(settings: Settings) -> Parts:
    """Make the parts from settings."""
    database = Database(settings.database_url, synchronous=settings.sqlite_synchronous)
    keyring = Keyring(settings.encryption_keys)

    def origin_for(shop_domain: str) -> str:
        return settings.shopify_origin or f"https://{shop_domain}"

    token_client = TokenClient(settings.api_key, settings.api_secrets, origin_for)
    wakeup = Wakeup(make_huey(settings.redis_url, settings.var_dir))
    database.wake = wakeup
    access = ShopAccess(database, keyring, token_client, origin_for)
    dispatcher = Dispatcher(WEBHOOK_HANDLERS | OPTIONAL_HANDLERS, intake.ORDER_NEWS, intake.record_news)
    return Parts(settings, database, keyring, token_client, access, wakeup, dispatcher)


def job_handlers(parts: Parts) -> dict[str, Handler]:
    """Every kind of job and how it runs."""
    settlement = Settlement(parts.keyring)
    refresh = ShopRefresh(parts.access, SCHEDULE)
    return {
        "dispatch_event": Handler(inside=parts.dispatcher.dispatch_event, together=parts.dispatcher.dispatch_events),
        "release_parked": Handler(inside=parts.dispatcher.release_parked),
        RETENTION: Handler(inside=parts.dispatcher.retain),
        "settle_order": Handler(together=settlement.settle),
        "confirm_post_purchase": Handler(outside=PostPurchaseConfirmation(parts.access).confirm),
        "count_order": Handler(together=count_changed),
        "note_order": Handler(inside=note_order),
        "update_signals": Handler(together=update_signals),
        "note_regret": in_turn(note_regret),
        "review_courtesy": Handler(inside=review_courtesy),
        "retain_courtesy": Handler(inside=retain_courtesy),
        "retain_signals": Handler(inside=retain_signals),
        "learn_acceptance": Handler(outside=AcceptanceLearning(parts.database).learn),
        "count_exposures": Handler(outside=ExposureCount(parts.database).count),
        "measure_order": Handler(together=measure_changed),
        "measure_anew": Handler(inside=measure_anew),
        "judge_experiments": Handler(inside=judge_experiments),
        "refit_models": Handler(inside=refit_job),
        "retire_decisions": Handler(inside=retire_decisions_job),
        "freshen_matrix": Handler(outside=Freshening(parts.database).freshen),
        "learn_matrix": Handler(outside=Learning(parts.database, opt_outs).learn),
        "plan_sends": Handler(outside=SendPlanning(parts.database).plan),
        "set_up_offers": Handler(inside=set_up_offers),
        "refresh_shop": Handler(outside=refresh.refresh_shop),
        "keep_token_warm": Handler(outside=refresh.keep_token_warm),
        "sync_products": Handler(outside=CatalogueSync(parts.access).sync),
        "sync_discounts": Handler(outside=DiscountSync(parts.access).sync),
        "reconcile_orders": Handler(outside=OrderReconciliation(parts.access, parts.database).reconcile),
        "answer_data_request": Handler(inside=answer_data_request),
        "forget_customer": Handler(inside=forget),
        "erase_shop": Handler(inside=erase_shop_job),
    }


def make_worker(parts: Parts) -> Worker:
    """A worker for every kind of job."""
    lease = timedelta(seconds=parts.settings.lease_seconds)
    return Worker(parts.database, job_handlers(parts), LISTENERS, gathered=GATHERED, lease=lease)


def create_app(settings: Settings) -> Flask:
    """The web application."""
    parts = join(settings)
    app = Flask(__name__, static_folder=None)
    app.extensions["wellpaired"] = parts
    app.config.update(
        MAX_CONTENT_LENGTH=5 * 1024 * 1024,
        MAX_FORM_MEMORY_SIZE=64 * 1024,
        PROPAGATE_EXCEPTIONS=False,
        API_TITLE="Wellpaired",
        API_VERSION="v1",
        OPENAPI_VERSION="3.0.3",
    )
    api = ShapedApi(app)
    register_errors(app, HTTP_STATUS)
    services = _surface_services(parts)
    for make_blueprint in SURFACES:
        api.register_blueprint(make_blueprint(services))
    api.register_blueprint(merchant_api.make_blueprint(_merchant_services(parts)))
    api.register_blueprint(sends_feed.make_blueprint(_send_services(parts)))
    topics = frozenset(WEBHOOK_HANDLERS | OPTIONAL_HANDLERS)
    app.register_blueprint(
        inbox.make_blueprint(parts.database, secrets=settings.api_secrets, topics=topics, clock=utc_now)
    )
    app.register_blueprint(home.make_blueprint(_admin_services(parts)))
    app.register_blueprint(make_health_blueprint(parts.database, metrics_token=settings.metrics_token, clock=utc_now))
    app.after_request(_harden)
    # The app itself stays Flask; only what a web server calls goes past it first.
    app.wsgi_app = Express(app.wsgi_app, ThemeAnswers(services), headers=HARDENING)  # type: ignore[method-assign]
    return app


def create_app_from_environment() -> Flask:
    """The factory that web servers call. A wrong setting ends the process with one line."""
    try:
        settings = read_settings(os.environ)
        set_up_logging(settings.log_level)
        return create_app(settings)
    except BadSetting as wrong:
        raise SystemExit(f"wellpaired: {wrong.message}") from None


def _surface_services(parts: Parts) -> SurfaceServices:
    rate, random = parts.settings.offer_rate_per_second, RandomBytes()
    return SurfaceServices(
        database=parts.database,
        journal=DecisionJournal(parts.database),
        keyring=parts.keyring,
        api_key=parts.settings.api_key,
        secrets=parts.settings.api_secrets,
        holdout_basis_points=parts.settings.holdout_basis_points,
        shop_limiter=RateLimiter(rate=rate, burst=4 * rate),
        network_limiter=RateLimiter(rate=max(2, rate / 5), burst=max(40, rate)),
        clock=utc_now,
        new_decision_id=lambda: DecisionId(random.hex(16)),
        new_nonce=lambda: random.urlsafe(9),
    )


def _merchant_services(parts: Parts) -> MerchantServices:
    settings = parts.settings
    return MerchantServices(
        parts.database, settings.api_key, settings.api_secrets, settings.holdout_basis_points, utc_now
    )


def _send_services(parts: Parts) -> sends_feed.SendServices:
    rate = parts.settings.offer_rate_per_second
    return sends_feed.SendServices(
        merchant=_merchant_services(parts),
        desk=SendDesk(
            database=parts.database,
            journal=DecisionJournal(parts.database),
            holdout_basis_points=parts.settings.holdout_basis_points,
            new_decision_id=lambda: DecisionId(secrets.token_hex(16)),
        ),
        keyring=parts.keyring,
        limiter=RateLimiter(rate=max(2, rate / 5), burst=max(40, rate)),
    )


def _admin_services(parts: Parts) -> home.AdminServices:
    return home.AdminServices(
        database=parts.database,
        keyring=parts.keyring,
        token_client=parts.token_client,
        api_key=parts.settings.api_key,
        secrets=parts.settings.api_secrets,
        install_jobs=INSTALL_JOBS,
        development_frame=parts.settings.shopify_origin,
        clock=utc_now,
    )


def _harden(response: Response) -> Response:
    for name, value in HARDENING:
        response.headers.setdefault(name, value)
    return response


HARDENING = (
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
)
"""Headers that every answer has, unless a route gave its own."""
