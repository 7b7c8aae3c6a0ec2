"""Reports as the merchant reads them: as JSON for programs, as a page and a picture for people.

Reading only. Each answer says how current it is, and of which moment; no answer names a customer.
"""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import RAISE, fields, post_load, validate
from sqlalchemy.orm import Session

from shopify_upsell.admin.api.offer_schemas import GidField, MomentField, Strict
from shopify_upsell.admin.api.proof import MerchantServices, caller, reading
from shopify_upsell.admin.api.report_schemas import (
    AttachRatesJson,
    BaselineReportJson,
    CohortsJson,
    CreditModelsJson,
    ExperimentReportJson,
    ProgrammeJson,
    RetentionJson,
    StatementsJson,
    TimingJson,
)
from shopify_upsell.core import LARGEST_ID, InvalidInput, NotFound, ProductId, gid
from shopify_upsell.reports.assumptions import DELIVERY, WINDOW, sample
from shopify_upsell.reports.baseline import read_baseline
from shopify_upsell.reports.charts import bar_chart
from shopify_upsell.reports.credit_models import models_side_by_side
from shopify_upsell.reports.customer_figures import customer_figures
from shopify_upsell.reports.experiment_report import experiment_report
from shopify_upsell.reports.freshness import read_freshness
from shopify_upsell.reports.kept import read_kept
from shopify_upsell.reports.page import POLICY
from shopify_upsell.reports.pair_figures import (
    ATTACH_DAYS,
    Pair,
    attach_figures,
    pairs_to_tell,
    require_pair,
)
from shopify_upsell.reports.pair_timing import PairTiming, pair_cohorts, pair_timing
from shopify_upsell.reports.programme_charts import timing_chart
from shopify_upsell.reports.programme_page import programme_page
from shopify_upsell.reports.programme_view import ProgrammeView, programme_view
from shopify_upsell.reports.statement import monthly_statements

MONTH = r"(19|2[0-9])[0-9]{2}-(0[1-9]|1[0-2])\Z"


class QuarterQuery(Strict):
    """Which quarter, as 20264; default: the present one."""

    quarter = fields.String(load_default=None, validate=validate.Regexp(r"2[0-9]{3}[1-4]\Z"))

    @post_load
    def build(self, data: dict[str, Any], **_options: Any) -> dict[str, int | None]:
        """The quarter's number."""
        return {"quarter": int(data["quarter"]) if data["quarter"] else None}


class MonthQuery(Strict):
    """Which month, as YYYY-MM; default: every month."""

    month = fields.String(load_default=None, validate=validate.Regexp(MONTH))


class PeriodQuery(Strict):
    """Orders placed from `since` to before `until`; default: all."""

    since = MomentField(load_default=None)
    until = MomentField(load_default=None)


class PairQuery(Strict):
    """Which two products."""

    anchor = GidField("Product", required=True)
    companion = GidField("Product", required=True)


class CohortQuery(Strict):
    """Which product's buyers, and which product they may have bought later."""

    anchor = GidField("Product", required=True)
    target = GidField("Product", required=True)


class AttachQuery(Strict):
    """Which pair; default: those that live offers name, and those most often bought together."""

    anchor = GidField("Product", load_default=None)
    companion = GidField("Product", load_default=None)
    window_days = fields.Integer(load_default=ATTACH_DAYS, validate=validate.Range(1, 730))


def add_routes(blueprint: Blueprint, services: MerchantServices) -> None:
    """Routes under `/reports`."""
    _add_programme_routes(blueprint, services)
    _add_money_routes(blueprint, services)
    _add_customer_routes(blueprint, services)
    _add_timing_routes(blueprint, services)


def _add_programme_routes(blueprint: Blueprint, services: MerchantServices) -> None:
    @blueprint.get("/reports/programme")
    @blueprint.arguments(QuarterQuery, location="query", unknown=RAISE)
    @blueprint.response(200, ProgrammeJson)
    def programme(query: dict[str, Any]) -> dict[str, Any]:
        """Say what offers caused, beside what they claim, by arm, with every assumption."""
        return _view(services, query["quarter"]).to_json()

    @blueprint.get("/reports/programme.html")
    @blueprint.arguments(QuarterQuery, location="query", unknown=RAISE)
    @blueprint.response(200, content_type="text/html")
    def programme_as_page(query: dict[str, Any]) -> Response:
        """Show the same as a page with pictures. It loads nothing and runs nothing."""
        return _document(programme_page(_view(services, query["quarter"])), "text/html")

    @blueprint.get("/reports/experiments/<int:experiment_id>")
    @blueprint.response(200, ExperimentReportJson)
    def experiment(experiment_id: int) -> dict[str, Any]:
        """Report one experiment as it stood at its last look."""
        if not 1 <= experiment_id <= LARGEST_ID:
            raise NotFound("no such experiment")
        with reading(services) as session:
            found = experiment_report(session, caller().shop_id, experiment_id, now=caller().now)
            return _stamped(session, {"experiment": found.to_json()})


def _add_money_routes(blueprint: Blueprint, services: MerchantServices) -> None:
    @blueprint.get("/reports/statements")
    @blueprint.arguments(MonthQuery, location="query", unknown=RAISE)
    @blueprint.response(200, StatementsJson)
    def statements(query: dict[str, Any]) -> dict[str, Any]:
        """Give the monthly statements: gross to net, and who earned it."""
        with reading(services) as session:
            found = monthly_statements(session, caller().shop_id, month=query["month"])
            if query["month"] is not None and not found:
                raise NotFound("no orders in this month")
            return _stamped(session, {"statements": [one.to_json() for one in found]})

    @blueprint.get("/reports/baseline")
    @blueprint.response(200, BaselineReportJson)
    def baseline() -> dict[str, Any]:
        """Say where the shop stands, with no offer in it: what later growth is held against."""
        with reading(services) as session:
            return _stamped(session, {"baseline": read_baseline(session, caller().shop_id).to_json()})

    @blueprint.get("/reports/credit-models")
    @blueprint.arguments(PeriodQuery, location="query", unknown=RAISE)
    @blueprint.response(200, CreditModelsJson)
    def credit_models(query: dict[str, Any]) -> dict[str, Any]:
        """Set every attribution model side by side. None of them says what was caused."""
        with reading(services) as session:
            found = models_side_by_side(session, caller().shop_id, now=caller().now, **query)
            return _stamped(session, {"models": [asdict(one) for one in found]})


def _add_customer_routes(blueprint: Blueprint, services: MerchantServices) -> None:
    @blueprint.get("/reports/retention")
    @blueprint.response(200, RetentionJson)
    def retention() -> dict[str, Any]:
        """Follow customers by month of first order; how much revenue they keep bringing, and what they own."""
        with reading(services) as session:
            history = read_kept(session, caller().shop_id, now=caller().now)
            listed = [asdict(sample(history))] if history.sample_share < 1 else []
            return _stamped(session, {"customers": customer_figures(history).to_json(), "assumptions": listed})

    @blueprint.get("/reports/attach-rates")
    @blueprint.arguments(AttachQuery, location="query", unknown=RAISE)
    @blueprint.response(200, AttachRatesJson)
    def attach_rates(query: dict[str, Any]) -> dict[str, Any]:
        """Give both attach rates of pairs: by customers first, by orders second, each under its own name."""
        with reading(services) as session:
            pairs = _pairs(session, query["anchor"], query["companion"])
            history = read_kept(session, caller().shop_id, now=caller().now)
            found = attach_figures(session, caller().shop_id, history, pairs, window_days=query["window_days"])
            told = {
                "window_days": query["window_days"],
                "last_full_day": history.today.isoformat(),
                "sample_share": history.sample_share,
                "pairs": [one.to_json() for one in found],
            }
            return _stamped(session, told)

    @blueprint.get("/reports/cohorts")
    @blueprint.arguments(CohortQuery, location="query", unknown=RAISE)
    @blueprint.response(200, CohortsJson)
    def cohorts(query: dict[str, Any]) -> dict[str, Any]:
        """Of the anchor's buyers, the share who later bought the target, by tenure, with counts and intervals."""
        with reading(services) as session:
            pair = _pair(session, query["anchor"], query["target"])
            found = pair_cohorts(session, caller().shop_id, pair, now=caller().now)
            told = {
                "anchor": gid("Product", pair[0]),
                "target": gid("Product", pair[1]),
                "tenures": [asdict(one) for one in found],
                "missing": None if found else {"code": "too_few_days", "seen": 0, "needed": 30},
            }
            return _stamped(session, told)


def _add_timing_routes(blueprint: Blueprint, services: MerchantServices) -> None:
    def timing_of(session: Session, query: dict[str, Any]) -> PairTiming:
        pair = _pair(session, query["anchor"], query["companion"])
        return pair_timing(session, caller().shop_id, pair, now=caller().now)

    @blueprint.get("/reports/timing")
    @blueprint.arguments(PairQuery, location="query", unknown=RAISE)
    @blueprint.response(200, TimingJson)
    def timing(query: dict[str, Any]) -> dict[str, Any]:
        """Say when the anchor's buyers come for the companion, by days since delivery, and which window is in use."""
        with reading(services) as session:
            found = timing_of(session, query)
            rests = (DELIVERY, found.is_delivery_assumed), (WINDOW, found.in_use.source == "prior")
            listed = [asdict(assumption) for assumption, is_so in rests if is_so]
            return _stamped(session, {"timing": found.to_json(), "assumptions": listed})

    @blueprint.get("/reports/timing.svg")
    @blueprint.arguments(PairQuery, location="query", unknown=RAISE)
    @blueprint.response(200, content_type="image/svg+xml")
    def timing_as_picture(query: dict[str, Any]) -> Response:
        """Draw the same."""
        with reading(services) as session:
            found = timing_of(session, query)
        return _document(bar_chart(timing_chart(found)), "image/svg+xml")


def _view(services: MerchantServices, quarter: int | None) -> ProgrammeView:
    with reading(services) as session:
        return programme_view(
            session,
            caller().shop_id,
            now=caller().now,
            holdout_basis_points=services.holdout_basis_points,
            quarter=quarter,
        )


def _stamped(session: Session, answer: dict[str, Any]) -> dict[str, Any]:
    moment: datetime = caller().now
    return {"freshness": read_freshness(session, caller().shop_id, now=moment).to_json()} | answer


def _pair(session: Session, anchor: int, companion: int) -> Pair:
    return require_pair(session, caller().shop_id, ProductId(anchor), ProductId(companion))


def _pairs(session: Session, anchor: int | None, companion: int | None) -> list[Pair]:
    if anchor is None and companion is None:
        return pairs_to_tell(session, caller().shop_id)
    if anchor is None or companion is None:
        raise InvalidInput("a pair is an anchor and a companion")
    return [_pair(session, anchor, companion)]


def _document(text: str, kind: str) -> Response:
    """Send a page or a picture under a policy that lets nothing in but its own style sheet."""
    answer = Response(text, content_type=f"{kind}; charset=utf-8")
    answer.headers["Content-Security-Policy"] = POLICY
    return answer
