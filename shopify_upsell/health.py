"""Probes for operators: alive, ready, and figures for Prometheus. None of them says anything of a shop or a person."""

import hmac
import os
from collections.abc import Callable
from datetime import datetime, timedelta

from flask import Blueprint, Response, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest, multiprocess
from prometheus_client.registry import REGISTRY
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from shopify_upsell.core import ProofRefused, RetryLater
from shopify_upsell.database import Database
from shopify_upsell.jobs.queue import oldest_due, queue_depth


def make_blueprint(database: Database, *, metrics_token: str | None, clock: Callable[[], datetime]) -> Blueprint:
    """`/healthz`, `/readyz` and `/metrics`."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/healthz")
    def alive() -> Response:
        return jsonify({"status": "alive"})

    @blueprint.get("/readyz")
    def ready() -> Response:
        try:
            with database.read() as session:
                revision = session.scalar(text("SELECT version_num FROM alembic_version"))
        except ProgrammingError as missing:  # PostgreSQL's word for a table that is not there
            raise RetryLater("the database is not migrated", after=timedelta(seconds=5)) from missing
        return jsonify({"status": "ready", "migration": revision})

    @blueprint.get("/metrics")
    def metrics() -> Response:
        given = request.headers.get("Authorization", "").encode()
        if metrics_token and not hmac.compare_digest(given, f"Bearer {metrics_token}".encode()):
            raise ProofRefused("a metrics token is required")
        figures = generate_latest(_counters()) + generate_latest(_queue_figures(database, clock()))
        return Response(figures, content_type=CONTENT_TYPE_LATEST)

    return blueprint


def _counters() -> CollectorRegistry:
    """Counters of this process, or of all web processes where PROMETHEUS_MULTIPROC_DIR names a folder."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    together = CollectorRegistry()
    multiprocess.MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return together


def _queue_figures(database: Database, now: datetime) -> CollectorRegistry:
    registry = CollectorRegistry()
    depth = Gauge("wellpaired_job_rows", "Job rows by state.", ["state"], registry=registry)
    waiting = Gauge("wellpaired_job_oldest_due_seconds", "How long the oldest due job has waited.", registry=registry)
    with database.read() as session:
        for state, count in queue_depth(session).items():
            depth.labels(state).set(count)
        oldest = oldest_due(session, now)
    waiting.set((now - oldest).total_seconds() if oldest else 0)
    return registry
