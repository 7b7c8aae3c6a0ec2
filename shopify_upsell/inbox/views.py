"""`POST /webhooks`: verify the raw bytes, store once, answer 200 within Shopify's five seconds."""

from collections.abc import Callable
from datetime import datetime

from flask import Blueprint, Response, jsonify, request

from shopify_upsell.core import InvalidInput, ProofRefused
from shopify_upsell.database import Database
from shopify_upsell.gateway.verify import verify_webhook
from shopify_upsell.inbox.receive import receive
from shopify_upsell.metrics import WEBHOOKS


def make_blueprint(
    database: Database, *, secrets: tuple[str, ...], topics: frozenset[str], clock: Callable[[], datetime]
) -> Blueprint:
    """The blueprint of the inbox. `topics`: those with a handler; others are parked."""
    blueprint = Blueprint("inbox", __name__)

    @blueprint.post("/webhooks")
    def take_webhook() -> Response:
        raw = request.get_data(cache=False)
        now = clock()
        try:
            proof = verify_webhook(raw, dict(request.headers), secrets=secrets, now=now)
        except (ProofRefused, InvalidInput):
            WEBHOOKS.labels("refused").inc()
            raise
        with database.write() as session:
            outcome = receive(session, proof, raw, topics=topics, now=now)
        WEBHOOKS.labels(outcome).inc()
        return jsonify({"state": outcome})

    return blueprint
