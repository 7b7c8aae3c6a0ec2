"""An experiment as its merchant plans it: a body ends in an `ExperimentRequest`. Every wrong field is named."""

from dataclasses import asdict
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from shopify_upsell.admin.api.offer_schemas import GidField, IncentiveBody, Strict, whole
from shopify_upsell.admin.api.report_schemas import Stamped
from shopify_upsell.core import LARGEST_ID, InvalidInput, OfferId
from shopify_upsell.experiments.assignment import ALL_BASIS_POINTS
from shopify_upsell.experiments.kinds import CONTROL, KINDS
from shopify_upsell.offers.arms import PATCHABLE
from shopify_upsell.offers.offer import MOST_PRODUCTS
from shopify_upsell.offers.terms import LONGEST_TEXT, Incentive, Schedule, Terms, check_terms
from shopify_upsell.reports.planning import LONGEST_DAYS, ExperimentRequest

MOST_ARMS = 10
LEAST_UNITS_AN_ARM = 200
LONGEST_NAME, LONGEST_ARM = 200, 40
_SHARE = validate.Range(1, ALL_BASIS_POINTS)


class ChangesBody(Strict):
    """Fields of the offer in which an arm differs; each kind of experiment may change few of them."""

    placements = fields.List(fields.String(validate=validate.Length(1, 80)), validate=validate.Length(1, 20))
    incentive = fields.Nested(IncentiveBody)
    benefits = fields.List(fields.String(), validate=validate.Length(max=3))
    companions = fields.List(GidField("Product"), allow_none=True, validate=validate.Length(1, MOST_PRODUCTS))
    window_days = fields.List(whole(), allow_none=True, validate=validate.Length(equal=2))
    lasts_hours = whole(allow_none=True)

    @validates_schema(skip_on_field_errors=True)
    def check(self, data: dict[str, Any], **_options: Any) -> None:
        """Refuse what no offer could have, whatever its kind."""
        days = data.get("window_days")
        written = Terms(
            incentive=data.get("incentive", Incentive()),
            benefits=tuple(data.get("benefits", ())),
            window_days=None if days is None else (days[0], days[1]),
            schedule=Schedule(lasts_hours=data.get("lasts_hours")),
        )
        try:
            check_terms(written)
        except InvalidInput as wrong:
            name, _, said = wrong.message.partition(": ")
            raise ValidationError(said, name.removeprefix("schedule.")) from wrong

    @post_load
    def build(self, data: dict[str, Any], **_options: Any) -> dict[str, Any]:
        """The changes as an arm's patch."""
        incentive = data.get("incentive")
        return data if incentive is None else data | {"incentive": asdict(incentive)}


class ArmBody(Strict):
    """One arm. `basis_points`: its share; equal shares where no arm names one."""

    name = fields.String(required=True, validate=validate.Length(1, LONGEST_ARM))
    basis_points = whole(load_default=None, allow_none=True, validate=_SHARE)
    changes = fields.Nested(ChangesBody, load_default=dict)


class GroupBody(Strict):
    """A place in a group of experiments that exclude each other: nobody is in two of them. The end is excluded."""

    name = fields.String(required=True, validate=validate.Length(1, 80))
    from_basis_points = whole(required=True, validate=validate.Range(0, ALL_BASIS_POINTS))
    to_basis_points = whole(required=True, validate=validate.Range(0, ALL_BASIS_POINTS))

    @validates_schema(skip_on_field_errors=True)
    def check(self, data: dict[str, Any], **_options: Any) -> None:
        """Refuse a place without room."""
        if data["from_basis_points"] >= data["to_basis_points"]:
            raise ValidationError("lies above from_basis_points", "to_basis_points")


def _line(longest: int) -> fields.String:
    return fields.String(
        required=True, validate=[validate.Length(1, longest), validate.Regexp(r".*\S", error="is required")]
    )


class ExperimentBody(Strict):
    """The body of `POST /experiments`. `lift`: the smallest change worth finding, 0.1 for ten per cent."""

    offer_id = whole(required=True, validate=validate.Range(1, LARGEST_ID))
    kind = fields.String(required=True, validate=validate.OneOf(tuple(KINDS)))
    name = _line(LONGEST_NAME)
    objective = _line(LONGEST_TEXT)
    hypothesis = _line(LONGEST_TEXT)
    arms = fields.List(fields.Nested(ArmBody), required=True, validate=validate.Length(2, MOST_ARMS))
    lift = fields.Float(load_default=0.10, allow_nan=False, validate=validate.Range(0, 10, min_inclusive=False))
    units = whole(load_default=None, allow_none=True, validate=validate.Range(1, 10**9))
    horizon_days = whole(load_default=None, allow_none=True, validate=validate.Range(1, 365))
    longest_days = whole(load_default=LONGEST_DAYS, validate=validate.Range(7, 365))
    traffic_basis_points = whole(load_default=ALL_BASIS_POINTS, validate=_SHARE)
    group = fields.Nested(GroupBody, load_default=None, allow_none=True)

    @validates_schema(skip_on_field_errors=True)
    def check_arms(self, data: dict[str, Any], **_options: Any) -> None:
        """Refuse arms that are no comparison, and any change that this kind does not vary."""
        arms = data["arms"]
        names = [arm["name"] for arm in arms]
        if len(set(names)) < len(names) or CONTROL not in names:
            raise ValidationError("have a name each, and one of them is control", "arms")
        _check_shares([arm["basis_points"] for arm in arms])
        wrong = {place: found for place, arm in enumerate(arms) if (found := _wrong_changes(data["kind"], arm))}
        if wrong:
            raise ValidationError({"arms": wrong})

    @validates_schema(skip_on_field_errors=True)
    def check_size(self, data: dict[str, Any], **_options: Any) -> None:
        """Refuse what is too small or too short to tell anything."""
        least, days = LEAST_UNITS_AN_ARM * len(data["arms"]), KINDS[data["kind"]].least_horizon_days
        if data["units"] is not None and data["units"] < least:
            raise ValidationError(f"are {least} at least: {LEAST_UNITS_AN_ARM} an arm", "units")
        if data["horizon_days"] is not None and data["horizon_days"] < days:
            raise ValidationError(f"are {days} at least for this kind", "horizon_days")

    @post_load
    def build(self, data: dict[str, Any], **_options: Any) -> ExperimentRequest:
        """The request."""
        arms, group = data["arms"], data["group"]
        shares = {arm["name"]: arm["basis_points"] for arm in arms} if arms[0]["basis_points"] is not None else {}
        texts = {name: data[name] for name in ("kind", "name", "objective", "hypothesis")}
        return ExperimentRequest(
            offer_id=OfferId(data["offer_id"]),
            **texts,
            patches={arm["name"]: arm["changes"] for arm in arms if arm["name"] != CONTROL},
            shares=shares,
            lift=data["lift"],
            n_max=data["units"],
            horizon_days=data["horizon_days"],
            longest_days=data["longest_days"],
            group=None if group is None else (group["name"], group["from_basis_points"], group["to_basis_points"]),
            traffic_basis_points=data["traffic_basis_points"],
        )


class TrafficBody(Strict):
    """How many of the units it may have the experiment lets in."""

    traffic_basis_points = whole(required=True, validate=_SHARE)


class StopBody(Strict):
    """Why the experiment ends."""

    reason = fields.String(load_default="stopped by a person", validate=validate.Length(1, LONGEST_TEXT))


class OutlookJson(Schema):
    """What an experiment could find. `smallest_lift`: the minimum detectable effect, null where it cannot be told."""

    primary_metric = fields.String()
    planned_units = fields.Integer()
    smallest_lift = fields.Float(allow_none=True)
    wanted_lift = fields.Float()
    units_needed = fields.Integer()
    units_per_day = fields.Float()
    days = fields.Integer(allow_none=True)
    coefficient = fields.Float()
    is_assumed = fields.Boolean()
    words = fields.String()


class ExperimentJson(Schema):
    """An experiment as planned and where it stands."""

    experiment_id = fields.Integer()
    name = fields.String()
    kind = fields.String()
    offer_id = fields.Integer()
    state = fields.String()
    is_waiting = fields.Boolean()
    reason = fields.String()
    objective = fields.String()
    hypothesis = fields.String()
    primary_metric = fields.String()
    arms = fields.List(fields.Dict())
    guardrails = fields.List(fields.Dict())
    planned_units = fields.Integer()
    horizon_days = fields.Integer()
    longest_days = fields.Integer()
    traffic_basis_points = fields.Integer()
    group = fields.Dict(allow_none=True)
    created_at = fields.String()
    started_at = fields.String(allow_none=True)
    ended_at = fields.String(allow_none=True)


class PlannedExperimentJson(Schema):
    """An experiment with what it could find."""

    experiment = fields.Nested(ExperimentJson)
    outlook = fields.Nested(OutlookJson)


class ExperimentsJson(Schema):
    """Every experiment of the shop, the oldest first."""

    experiments = fields.List(fields.Nested(ExperimentJson))


class VerdictJson(Stamped):
    """What is to be said of an experiment now. `missing`: what there is too little of, null where nothing is."""

    experiment_id = fields.Integer()
    state = fields.String()
    reason = fields.String()
    primary_metric = fields.String()
    recommended_arm = fields.String(allow_none=True)
    missing = fields.Dict(allow_none=True)
    warnings = fields.List(fields.String())
    arms = fields.List(fields.Dict())


def _check_shares(shares: list[int | None]) -> None:
    told = [share for share in shares if share is not None]
    if told and (len(told) < len(shares) or sum(told) != ALL_BASIS_POINTS):
        raise ValidationError("name every share or none, and they sum to 10,000 basis points", "arms")


def _wrong_changes(kind: str, arm: dict[str, Any]) -> dict[str, Any]:
    """What an arm changes though it may not, as marshmallow nests it."""
    changes, allowed = arm["changes"], PATCHABLE[kind]
    if arm["name"] == CONTROL:
        return {"changes": ["control is the offer as written"]} if changes else {}
    if not changes:
        return {"changes": [f"a {kind} experiment changes one of: {', '.join(allowed)}"]}
    wrong = {name: [f"a {kind} experiment changes {', '.join(allowed)} alone"] for name in changes.keys() - allowed}
    return {"changes": wrong} if wrong else {}
