"""`shopify-upsell experiment` and `report programme`: plan, start, stop and read what proves that offers help."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from sqlalchemy.orm import Session

from shopify_upsell.cli.joined import joined_parts, reading, require_shop
from shopify_upsell.core import LARGEST_ID, InvalidInput, OfferId
from shopify_upsell.experiments.assignment import ALL_BASIS_POINTS
from shopify_upsell.experiments.kinds import KINDS
from shopify_upsell.inbox.store import freshness
from shopify_upsell.jobs.worker import utc_now
from shopify_upsell.offers.experiment_store import end_experiment, start_experiment, widen_traffic
from shopify_upsell.reports.experiment_report import ExperimentReport, experiment_report, experiment_reports
from shopify_upsell.reports.incremental import plain
from shopify_upsell.reports.outcomes import rebuild_outcomes
from shopify_upsell.reports.planning import ExperimentRequest, outlook, plan_experiment
from shopify_upsell.reports.programme_page import programme_page
from shopify_upsell.reports.programme_text import programme_text
from shopify_upsell.reports.programme_view import programme_view
from shopify_upsell.reports.statement import Freshness
from shopify_upsell.shops.store import Shop

shop_option = click.option("--shop", "domain", required=True, help="The shop's domain.")
number_argument = click.argument("experiment_id", type=click.IntRange(1, LARGEST_ID))


@click.group()
def experiment() -> None:
    """Experiments of one shop: create, start, widen, stop, list, show, recount."""


@experiment.command()
@shop_option
@click.option("--offer", "offer_id", required=True, type=click.IntRange(1, LARGEST_ID))
@click.option("--kind", required=True, type=click.Choice(tuple(KINDS)))
@click.option("--name", required=True)
@click.option("--objective", required=True, help="What it is for, in one line.")
@click.option("--hypothesis", required=True, help="What is expected, and why, in one line.")
@click.option("--arm", "arms", multiple=True, required=True, help="NAME=JSON of the offer's fields that differ.")
@click.option("--lift", default=0.10, show_default=True, help="The smallest change worth finding.")
@click.option("--units", "n_max", type=click.IntRange(1), help="Units in all arms; default: what the lift needs.")
@click.option("--horizon-days", type=click.IntRange(1, 365))
@click.option("--group", help="NAME:FROM:TO, basis points of a group of experiments that exclude each other.")
@click.option(
    "--traffic",
    "traffic_basis_points",
    default=ALL_BASIS_POINTS,
    show_default=True,
    type=click.IntRange(0, ALL_BASIS_POINTS),
    help="Basis points of the shoppers it may have; widen it later.",
)
def create(domain: str, arms: tuple[str, ...], group: str | None, **given: Any) -> None:
    """Write a draft, and see what it could find before it starts."""
    request = ExperimentRequest(
        **given | {"offer_id": OfferId(given["offer_id"])},
        patches=dict(_arm(text) for text in arms),
        group=_group(group),
    )
    with _writing(domain) as (session, shop):
        found, ahead = plan_experiment(session, shop.shop_id, request, now=utc_now())
    click.echo(f"experiment {found.experiment_id} is a draft")
    click.echo(ahead.words)


@experiment.command()
@shop_option
@number_argument
def start(domain: str, experiment_id: int) -> None:
    """Let it assign shoppers from now on."""
    with _writing(domain) as (session, shop):
        found = start_experiment(session, shop.shop_id, experiment_id, now=utc_now())
        ahead = outlook(session, shop.shop_id, found, now=utc_now())
    click.echo(f"experiment {experiment_id} runs")
    click.echo(ahead.words)


@experiment.command()
@shop_option
@number_argument
@click.argument("traffic_basis_points", type=click.IntRange(0, ALL_BASIS_POINTS))
def widen(domain: str, experiment_id: int, traffic_basis_points: int) -> None:
    """Let more shoppers in from now on, never fewer; who is in stays in the same arm."""
    with _writing(domain) as (session, shop):
        widen_traffic(session, shop.shop_id, experiment_id, traffic_basis_points, now=utc_now())
    click.echo(f"experiment {experiment_id} lets in {traffic_basis_points} of 10000")


@experiment.command()
@shop_option
@number_argument
@click.option("--reason", default="stopped by a person", show_default=True)
def stop(domain: str, experiment_id: int, reason: str) -> None:
    """Assign nobody any more; what was counted stays."""
    with _writing(domain) as (session, shop):
        end_experiment(session, shop.shop_id, experiment_id, now=utc_now(), reason=reason)
    click.echo(f"experiment {experiment_id} has stopped")


@experiment.command(name="list")
@shop_option
@click.option("--json", "as_json", is_flag=True)
def list_experiments(domain: str, as_json: bool) -> None:
    """Every experiment, its state, and what is known."""
    with reading(domain) as (_, session, shop):
        found = experiment_reports(session, shop.shop_id, now=utc_now())
    if as_json:
        click.echo(json.dumps([report.to_json() for report in found], sort_keys=True))
        return
    for report in found:
        units = sum(arm.units for arm in report.arms)
        said = report.recommended_arm or "open"
        click.echo(f"{report.experiment_id}\t{report.kind}\t{report.state}\t{units} units\t{said}\t{report.name}")


@experiment.command()
@shop_option
@number_argument
@click.option("--json", "as_json", is_flag=True)
def show(domain: str, experiment_id: int, as_json: bool) -> None:
    """One experiment: sizes, verdicts, and what is still missing."""
    with reading(domain) as (_, session, shop):
        report = experiment_report(session, shop.shop_id, experiment_id, now=utc_now())
        fresh = _fresh(session, shop)
    if as_json:
        click.echo(json.dumps(report.to_json() | {"freshness": plain(fresh.to_json())}, sort_keys=True))
        return
    for line in _lines(report):
        click.echo(line)


@experiment.command()
@shop_option
def recount(domain: str) -> None:
    """Measure every unit anew and add up every arm from nothing."""
    with _writing(domain) as (session, shop):
        count = rebuild_outcomes(session, shop.shop_id)
    click.echo(f"{count} units measured")


@click.command()
@shop_option
@click.option("--quarter", type=click.IntRange(20001, 29994), help="Such as 20264; default: the present one.")
@click.option("--format", "form", type=click.Choice(("text", "json", "html")), default="text", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Default: standard output.")
def programme(domain: str, quarter: int | None, form: str, out: Path | None) -> None:
    """What offers caused, beside what they claim. As HTML: with pictures, customers, pairs and every assumption."""
    with reading(domain) as (parts, session, shop):
        share = parts.settings.holdout_basis_points
        found = programme_view(session, shop.shop_id, now=utc_now(), holdout_basis_points=share, quarter=quarter)
    if form == "json":
        text = json.dumps(found.to_json(), sort_keys=True) + "\n"
    else:
        text = programme_page(found) if form == "html" else f"{programme_text(found.report, found.fresh)}\n"
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")


def _fresh(session: Session, shop: Shop) -> Freshness:
    newest, waiting = freshness(session, shop.shop_id)
    return Freshness(as_of=utc_now(), newest_event_at=newest, waiting_events=waiting)


@contextmanager
def _writing(domain: str) -> Iterator[tuple[Session, Shop]]:
    """Open a writing session on one shop."""
    with joined_parts().database.write() as session:
        yield session, require_shop(session, domain)


def _lines(report: ExperimentReport) -> Iterator[str]:
    yield f"{report.name}: {report.kind}, {report.state}, {report.days} days, decided by {report.primary_metric}"
    for arm in report.arms:
        yield f"  {arm.name}: {arm.units} units, {arm.converters} with an order"
        if arm.verdict is not None:
            yield f"    {arm.words}"
        if arm.effect is not None and arm.effect.difference is not None:
            effect = arm.effect
            yield f"    {effect.difference:+.2f} a unit, {effect.low:+.2f} to {effect.high:+.2f}, at the last look"
        for reason in (*arm.reasons, *arm.next_look):
            yield f"    {reason}"
        for rail in arm.guardrails:
            yield f"    {rail.metric}: {rail.verdict}{f', needs {rail.needs}' if rail.needs else ''}"
    if report.missing is not None:
        yield f"  missing: {report.missing.code}, {report.missing.seen} of {report.missing.needed}"
    for warning in report.warnings:
        yield f"  warning: {warning}"


def _arm(text: str) -> tuple[str, dict[str, Any]]:
    name, _, patch = text.partition("=")
    try:
        document = json.loads(patch)
    except ValueError as wrong:
        raise InvalidInput("an arm is NAME=JSON") from wrong
    if not name or not isinstance(document, dict):
        raise InvalidInput("an arm is NAME=JSON")
    return name, document


def _group(text: str | None) -> tuple[str, int, int] | None:
    if text is None:
        return None
    name, *ends = text.split(":")
    if len(ends) != 2 or not all(end.isdigit() for end in ends):
        raise InvalidInput("a group is NAME:FROM:TO")
    return name, int(ends[0]), int(ends[1])
