"""A shop that sends: boots that arrived, socks and wax that follow them, customers who agree, and its feed."""

from dataclasses import replace
from datetime import timedelta
from itertools import count

from builders_database import NOW, add_shop
from builders_kept import keep
from builders_offers import BOOTS, SOCKS, WAX, a_companion, a_product, add_products
from builders_proofs import API_KEY, SECRETS, admin_id_token
from flask import Flask

from shopify_upsell.admin.api.proof import MerchantServices
from shopify_upsell.admin.api.sends_feed import PREFIX, SendServices, make_blueprint
from shopify_upsell.app import HTTP_STATUS
from shopify_upsell.core import CustomerId, DecisionId
from shopify_upsell.customers.signal import Signal
from shopify_upsell.customers.signal_store import record_signals
from shopify_upsell.customers.subjects import customer_subject
from shopify_upsell.database import bind_shop
from shopify_upsell.errors import ShapedApi, register_errors
from shopify_upsell.experiments.assignment import is_in_holdout
from shopify_upsell.experiments.layers import quarter_holdout
from shopify_upsell.jobs.queue import JobRequest, claim, enqueue, finish
from shopify_upsell.keyring import Keyring
from shopify_upsell.ledger.delivery_store import OrderDeliveryRow
from shopify_upsell.limits import RateLimiter
from shopify_upsell.matrix.store import NEXT, MatrixBuild, replace_rows
from shopify_upsell.offers.choice import LIFECYCLE
from shopify_upsell.offers.journal import DecisionJournal
from shopify_upsell.offers.offer import OfferDraft
from shopify_upsell.offers.store import save_offer
from shopify_upsell.sends.handing_over import SendDesk
from shopify_upsell.sends.planning import SendPlanning
from shopify_upsell.sends.store import SendSetting, save_setting

ONE, TWO = "one.myshopify.com", "two.myshopify.com"
HOLDOUT = 1000
DAY = timedelta(days=1)
REGULARS = range(900_001, 900_101)
"""Customers who make the shop one that is fit for sends: each ordered twice, none agreed to be written to."""


def a_sending_shop(session, domain=ONE, *, is_on=True, source=None):
    """Boots with socks (0.3) and wax (0.2) bought next, one live offer for mails, two hundred orders of others."""
    shop_id = add_shop(session, domain)
    bind_shop(session, shop_id)
    add_products(session, shop_id, *(a_product(number) for number in (BOOTS, SOCKS, WAX)))
    rows = {BOOTS: (a_companion(SOCKS, 0.3), a_companion(WAX, 0.2))}
    replace_rows(session, shop_id, MatrixBuild(1, NOW, 1000, 3, 2), rows, kind=NEXT)
    save_offer(session, shop_id, OfferDraft("cross_sell", "Later", (LIFECYCLE,)), now=NOW)
    regular = ((one * 10 + n, one, NOW - (30 + n) * DAY, {BOOTS: 2000}) for one in REGULARS for n in (1, 2))
    keep(session, shop_id, *regular)
    save_setting(session, shop_id, SendSetting(is_on, source), now=NOW)
    return shop_id


def a_buyer(session, shop_id, customer_id, *, arrived_days_ago=20, consents=True, is_happy=True, now=NOW):
    """A customer whose boots arrived, who agreed to mails, and who is happy with a review as fresh as can be."""
    order_id, arrived = customer_id * 10, now - arrived_days_ago * DAY
    keep(session, shop_id, (order_id, customer_id, arrived - 4 * DAY, {BOOTS: 2000}))
    session.add(
        OrderDeliveryRow(shop_id=shop_id, order_id=order_id, shipped_at=arrived - 3 * DAY, delivered_at=arrived)
    )
    told = [("order_placed", arrived - 4 * DAY, None), ("delivered", arrived, None)]
    told += [("marketing_consent_given", arrived, None)] if consents else []
    told += [("review", now, 5.0)] if is_happy else []
    tell(session, shop_id, customer_id, *told, order_id=order_id, now=now)


def tell(session, shop_id, customer_id, *told, order_id=None, now=NOW):
    """Signals of a customer: kind, moment, value."""
    session.flush()
    subject = customer_subject(CustomerId(customer_id))
    signals = [
        Signal(kind, subject, at, "test", f"{kind}:{customer_id}:{at.isoformat()}", value, order_id)
        for kind, at, value in told
    ]
    record_signals(session, shop_id, signals, now)


def a_number(*, held_out, shop=ONE, at_least=1, now=NOW):
    """A customer id that the shop's salt puts into the holdout, or does not."""
    salt = quarter_holdout(f"salt-{shop}", now, HOLDOUT).salt
    return next(n for n in count(at_least) if is_in_holdout(salt, f"c:{n}", HOLDOUT) == held_out)


def plan(database, shop_id, *, now=NOW, payload=None):
    """Run the night's job and every piece it asks for."""
    jobs = SendPlanning(database)
    with database.write() as session:
        bind_shop(session, shop_id)
        enqueue(session, shop_id, JobRequest("plan_sends", f"test:{now}:{payload}", payload or {}), now)
    ran = 0
    while True:
        with database.write() as session:
            claimed = claim(session, now, lease=DAY)
        if not claimed:
            return ran
        for job in (replace(one, now=now) for one in claimed):  # a server would say its own moment
            write = jobs.plan(job)
            with database.write() as session:
                bind_shop(session, shop_id)
                write(session)
                finish(session, job)
            ran += 1


def a_desk(database, *, journal=None):
    """A desk with ids of its own."""
    numbers = count(1)
    return SendDesk(
        database=database,
        journal=journal or DecisionJournal(database),
        holdout_basis_points=HOLDOUT,
        new_decision_id=lambda: DecisionId(f"{next(numbers):032x}"),
    )


class Feed:
    """A mail tool, or a person of the staff, that calls the feed at a moment of the test's choosing."""

    def __init__(self, database, *, now=NOW):
        self.now = now
        application = Flask("feed")
        application.config.update(API_TITLE="t", API_VERSION="v1", OPENAPI_VERSION="3.0.3", PROPAGATE_EXCEPTIONS=False)
        api = ShapedApi(application)
        register_errors(application, HTTP_STATUS)
        services = MerchantServices(database, API_KEY, SECRETS, HOLDOUT, lambda: self.now)
        limiter = RateLimiter(rate=1_000, burst=1_000)
        self.keyring = Keyring(("k" * 32,))
        api.register_blueprint(make_blueprint(SendServices(services, a_desk(database), self.keyring, limiter)))
        self._client = application.test_client()

    def call(self, method, path, body=None, *, token=None, shop=ONE, **query):
        """Call a route; by a person of the staff unless a key is given."""
        proof = token or admin_id_token(shop=shop, now=self.now)
        headers = {"Authorization": f"Bearer {proof}"}
        return self._client.open(f"{PREFIX}{path}", method=method, json=body, query_string=query, headers=headers)

    def due(self, **options):
        """The page of what is due."""
        answer = self.call("GET", "/due", **options)
        assert answer.status_code == 200, answer.get_json()
        return answer.get_json()
