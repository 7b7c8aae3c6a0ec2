"""Experiments: plan one of the six kinds, see what it could find, start it, stop it, and read what is to be said."""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

from flask_smorest import Blueprint
from marshmallow import RAISE, fields, validate

from shopify_upsell.admin.api.experiment_schemas import (
    ExperimentBody,
    ExperimentJson,
    ExperimentsJson,
    PlannedExperimentJson,
    StopBody,
    TrafficBody,
    VerdictJson,
)
from shopify_upsell.admin.api.offer_schemas import Strict
from shopify_upsell.admin.api.proof import MerchantServices, caller, note, reading, writing
from shopify_upsell.core import LARGEST_ID, NotFound, gid
from shopify_upsell.offers.experiment_store import (
    DECIDED,
    DRAFT,
    RUNNING,
    STOPPED,
    Experiment,
    end_experiment,
    experiments_in,
    read_experiment,
    start_experiment,
    widen_traffic,
)
from shopify_upsell.reports.experiment_report import ArmReport, ExperimentReport, experiment_report
from shopify_upsell.reports.freshness import read_freshness
from shopify_upsell.reports.incremental import plain
from shopify_upsell.reports.planning import ExperimentRequest, Outlook, outlook, plan_experiment


class ExperimentsQuery(Strict):
    """Which experiments to list."""

    state = fields.String(load_default=None, validate=validate.OneOf((DRAFT, RUNNING, STOPPED, DECIDED)))


def add_routes(blueprint: Blueprint, services: MerchantServices) -> None:
    """Routes under `/experiments`."""

    @blueprint.get("/experiments")
    @blueprint.arguments(ExperimentsQuery, location="query", unknown=RAISE)
    @blueprint.response(200, ExperimentsJson)
    def list_experiments(query: dict[str, Any]) -> dict[str, Any]:
        """List the shop's experiments, the oldest first."""
        states = (query["state"],) if query["state"] is not None else ()
        with reading(services) as session:
            return {"experiments": [_told(one) for one in experiments_in(session, caller().shop_id, *states)]}

    @blueprint.post("/experiments")
    @blueprint.arguments(ExperimentBody)
    @blueprint.response(201, PlannedExperimentJson)
    def create(wanted: ExperimentRequest) -> dict[str, Any]:
        """Write an experiment down as a draft, and say what it could find. Nobody is assigned before it starts."""
        with writing(services) as session:
            made, ahead = plan_experiment(session, caller().shop_id, wanted, now=caller().now)
            note(session, "experiment", str(made.experiment_id), before=None, after=_told(made))
        return _planned(made, ahead)

    @blueprint.get("/experiments/<int:experiment_id>")
    @blueprint.response(200, PlannedExperimentJson)
    def show(experiment_id: int) -> dict[str, Any]:
        """Read one experiment, and what it could find by what the shop's shoppers are like now."""
        with reading(services) as session:
            found = read_experiment(session, caller().shop_id, _known(experiment_id))
            return _planned(found, outlook(session, caller().shop_id, found, now=caller().now))

    _add_running_routes(blueprint, services)


def _add_running_routes(blueprint: Blueprint, services: MerchantServices) -> None:
    @blueprint.post("/experiments/<int:experiment_id>/start")
    @blueprint.response(200, ExperimentJson)
    def start(experiment_id: int) -> dict[str, Any]:
        """Let a draft assign shoppers from now on. Its offer must be live, and nothing that runs may disturb it."""
        return _changed(services, experiment_id, start_experiment)

    @blueprint.post("/experiments/<int:experiment_id>/traffic")
    @blueprint.arguments(TrafficBody)
    @blueprint.response(200, ExperimentJson)
    def widen(body: dict[str, int], experiment_id: int) -> dict[str, Any]:
        """Let more shoppers in from now on, never fewer. Who is in stays in, in the same arm."""
        return _changed(
            services, experiment_id, partial(widen_traffic, traffic_basis_points=body["traffic_basis_points"])
        )

    @blueprint.post("/experiments/<int:experiment_id>/stop")
    @blueprint.arguments(StopBody)
    @blueprint.response(200, ExperimentJson)
    def stop(body: dict[str, Any], experiment_id: int) -> dict[str, Any]:
        """Assign nobody any more. What was counted stays, and orders of those who were assigned go on counting."""
        return _changed(services, experiment_id, partial(end_experiment, **body))

    @blueprint.get("/experiments/<int:experiment_id>/verdict")
    @blueprint.response(200, VerdictJson)
    def verdict(experiment_id: int) -> dict[str, Any]:
        """Say what is to be said of each arm, by the last look; reading takes none."""
        with reading(services) as session:
            found = experiment_report(session, caller().shop_id, _known(experiment_id), now=caller().now)
            fresh = read_freshness(session, caller().shop_id, now=caller().now)
        return {"freshness": fresh.to_json()} | _verdict(found)


def _changed(services: MerchantServices, experiment_id: int, change: Callable[..., Experiment]) -> dict[str, Any]:
    """Change an experiment, and log what it was and what it is."""
    with writing(services) as session:
        before = read_experiment(session, caller().shop_id, _known(experiment_id))
        after = change(session, caller().shop_id, before.experiment_id, now=caller().now)
        note(session, "experiment", str(experiment_id), before=_told(before), after=_told(after))
    return _told(after)


def _known(experiment_id: int) -> int:
    """A number that an experiment may have. Raises: NotFound."""
    if not 1 <= experiment_id <= LARGEST_ID:
        raise NotFound("no such experiment")
    return experiment_id


def _planned(found: Experiment, ahead: Outlook) -> dict[str, Any]:
    return {"experiment": _told(found), "outlook": asdict(ahead) | {"words": ahead.words}}


def _told(one: Experiment) -> dict[str, Any]:
    running, plan, group = one.running, one.plan, one.running.group
    arms = [
        {
            "name": arm.name,
            "basis_points": arm.basis_points,
            "changes": _changes(arm.patch),
            "is_paused": arm.name in running.paused_arms,
        }
        for arm in running.arms
    ]
    told = {
        "experiment_id": one.experiment_id,
        "name": one.name,
        "kind": plan.kind,
        "offer_id": int(running.offer_id),
        "state": one.state,
        "is_waiting": one.is_waiting,
        "reason": one.reason,
        "objective": plan.objective,
        "hypothesis": plan.hypothesis,
        "primary_metric": plan.primary_metric,
        "arms": arms,
        "guardrails": [asdict(rail) for rail in plan.guardrails],
        "planned_units": plan.n_max,
        "horizon_days": plan.horizon_days,
        "longest_days": plan.longest_days,
        "traffic_basis_points": running.traffic_basis_points,
        "group": None if group is None else {name: getattr(group, name) for name in GROUP_FIELDS},
    }
    return told | dict(plain({name: getattr(one, name) for name in ("created_at", "started_at", "ended_at")}))


GROUP_FIELDS = ("name", "from_basis_points", "to_basis_points")
"""What is told of a group: not its salt, by which anybody could work out who is where."""


def _changes(patch: str) -> dict[str, Any]:
    """What an arm changes, with products and variants by their global ids."""
    found: dict[str, Any] = json.loads(patch)
    if found.get("companions"):
        found["companions"] = [gid("Product", number) for number in found["companions"]]
    if found.get("incentive", {}).get("gift_variant_id") is not None:
        found["incentive"]["gift_variant_id"] = gid("ProductVariant", found["incentive"]["gift_variant_id"])
    return found


def _verdict(report: ExperimentReport) -> dict[str, Any]:
    names = ("experiment_id", "state", "reason", "primary_metric", "recommended_arm", "missing", "warnings")
    told: dict[str, Any] = plain({name: getattr(report, name) for name in names})
    return told | {"arms": [_arm(arm) for arm in report.arms]}


def _arm(arm: ArmReport) -> dict[str, Any]:
    names = (
        "name", "units", "converters", "is_paused", "verdict", "words", "reasons", "look_count", "next_look",
        "sequential_p", "effect", "guardrails",
    )  # fmt: skip
    return dict(plain({name: getattr(arm, name) for name in names}))
