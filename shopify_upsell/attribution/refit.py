"""Learn channel weights from a shop's journeys, night by night. A new fit is a new version; old lines keep theirs."""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shopify_upsell.attribution.journeys import journeys_since
from shopify_upsell.attribution.models.learned import STRENGTHS, fit_channels
from shopify_upsell.attribution.models.path import NO_FIT, ChannelFit
from shopify_upsell.attribution.tables import ModelFitRow
from shopify_upsell.core import ShopId, canonical_json
from shopify_upsell.jobs.queue import Job
from shopify_upsell.ledger.tables import put_rows

log = logging.getLogger(__name__)

LEARNED_FROM = timedelta(days=90)
"""Journeys older than this say little about today's placements. Our choice."""


def refit_models(session: Session, shop_id: ShopId, *, now: datetime) -> dict[str, ChannelFit]:
    """Fit every learned model again and keep it as a new version. Returns nothing while there are no journeys."""
    journeys = journeys_since(session, shop_id, now - LEARNED_FROM)
    if not journeys:
        return {}
    fits = {}
    for model in STRENGTHS:
        version = _newest_version(session, shop_id, model) + 1
        fits[model] = fit_channels(model, journeys, version=version)
        _keep(session, shop_id, model, fits[model], now)
    log.info("credit_models_fitted", extra={"shop_id": shop_id, "journey_count": len(journeys)})
    return fits


def refit_job(session: Session, job: Job) -> None:
    """Job: fit the learned models on the journeys of the shop."""
    refit_models(session, job.shop_id, now=job.now)


def fit_at(session: Session, shop_id: ShopId, model: str, moment: datetime) -> ChannelFit:
    """The fit that was the newest at a moment, so that settling late chooses as settling at once would have."""
    row = session.execute(
        select(ModelFitRow.__table__)
        .where(ModelFitRow.shop_id == shop_id, ModelFitRow.model == model, ModelFitRow.fitted_at <= moment)
        .order_by(ModelFitRow.version.desc())
        .limit(1)
    ).one_or_none()
    return NO_FIT if row is None else _fit(json.loads(row.fit))


def _newest_version(session: Session, shop_id: ShopId, model: str) -> int:
    versions = select(func.max(ModelFitRow.version)).where(ModelFitRow.shop_id == shop_id, ModelFitRow.model == model)
    return session.scalar(versions) or 0


def _keep(session: Session, shop_id: ShopId, model: str, fit: ChannelFit, now: datetime) -> None:
    row = {"shop_id": shop_id, "model": model, "version": fit.version, "fitted_at": now}
    put_rows(session, shop_id, ModelFitRow, [row | {"fit": canonical_json(asdict(fit))}])


def _fit(document: Mapping[str, Any]) -> ChannelFit:
    return ChannelFit(
        version=document["version"],
        strength=document["strength"],
        converting=document["converting"],
        is_enough=document["is_enough"],
    )
