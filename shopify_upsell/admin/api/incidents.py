"""Incidents: offers that paused themselves because too many regretted them, and the merchant's word on each."""

from typing import Any

from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields, validate

from shopify_upsell.admin.api.offer_schemas import Strict
from shopify_upsell.admin.api.proof import MerchantServices, caller, note, reading, writing
from shopify_upsell.core import ConflictingRequest, NotFound
from shopify_upsell.offers.regret_store import Incident, acknowledge_incident, incidents

LONGEST_NOTE = 500


class IncidentsQuery(Strict):
    """Which incidents: all of the last hundred, or those that wait for a word."""

    only_open = fields.Boolean(load_default=False)


class AcknowledgeBody(Strict):
    """Why the offer may go on, or that it shall rest."""

    note = fields.String(required=True, validate=validate.Length(1, LONGEST_NOTE))


class IncidentJson(Schema):
    """One incident with the numbers of that moment."""

    incident_id = fields.Integer()
    kind = fields.String()
    offer_id = fields.Integer()
    numbers = fields.Dict()
    opened_at = fields.String()
    acknowledged_at = fields.String(allow_none=True)
    note = fields.String()


class IncidentsJson(Schema):
    """Incidents, the latest first."""

    incidents = fields.List(fields.Nested(IncidentJson))


def add_routes(blueprint: Blueprint, services: MerchantServices) -> None:
    """Routes under `/incidents`."""

    @blueprint.get("/incidents")
    @blueprint.arguments(IncidentsQuery, location="query", unknown=RAISE)
    @blueprint.response(200, IncidentsJson)
    def list_incidents(query: dict[str, Any]) -> dict[str, Any]:
        """List what stopped itself, and on which numbers."""
        with reading(services) as session:
            found = incidents(session, caller().shop_id, only_open=query["only_open"])
        return {"incidents": [_told(one) for one in found]}

    @blueprint.post("/incidents/<int:incident_id>/acknowledge")
    @blueprint.arguments(AcknowledgeBody)
    @blueprint.response(200, IncidentJson)
    def acknowledge(body: dict[str, Any], incident_id: int) -> dict[str, Any]:
        """Say that it was seen. The offer stays paused until it goes live again, through every launch check."""
        with writing(services) as session:
            held = {one.incident_id: one for one in incidents(session, caller().shop_id, only_open=True)}
            if incident_id not in held:
                _refuse_known(session, incident_id)
            after = acknowledge_incident(session, caller().shop_id, incident_id, note=body["note"], now=caller().now)
            note(session, "incident", str(incident_id), before=_told(held[incident_id]), after=_told(after))
        return _told(after)


def _refuse_known(session: Any, incident_id: int) -> None:
    if any(one.incident_id == incident_id for one in incidents(session, caller().shop_id)):
        raise ConflictingRequest("the incident was acknowledged already")
    raise NotFound("no such incident")


def _told(one: Incident) -> dict[str, Any]:
    return {
        "incident_id": one.incident_id,
        "kind": one.kind,
        "offer_id": one.offer_id,
        "numbers": dict(one.numbers),
        "opened_at": one.opened_at.isoformat(),
        "acknowledged_at": one.acknowledged_at.isoformat() if one.acknowledged_at is not None else None,
        "note": one.note,
    }
