"""Shapes of Shopify's order edit document, and of bodies that only name a thing."""

from typing import Any

from marshmallow import fields, post_load

from shopify_upsell.core import LineId, OrderId
from shopify_upsell.ledger.facts import EditFact
from shopify_upsell.ledger.fields import Count, FactSchema, Moment, ShopifyId


class EditChangeSchema(FactSchema):
    """By how many units an edit changed a line; removals may come with or without a sign."""

    id = ShopifyId(required=True)
    delta = fields.Integer(required=True, strict=True)


class EditChangesSchema(FactSchema):
    """Both directions of an edit."""

    additions = fields.List(fields.Nested(EditChangeSchema), allow_none=True, load_default=None)
    removals = fields.List(fields.Nested(EditChangeSchema), allow_none=True, load_default=None)


class EditSchema(FactSchema):
    """A committed order edit."""

    id = ShopifyId(required=True)
    order_id = ShopifyId(required=True)
    committed_at = Moment(required=True)
    line_items = fields.Nested(EditChangesSchema, allow_none=True, load_default=None)

    @post_load
    def to_fact(self, edit: dict[str, Any], **_: Any) -> EditFact:
        """Add up the changes line by line."""
        changes: dict[LineId, int] = {}
        lines = edit["line_items"] or {}
        for direction, sign in (("additions", 1), ("removals", -1)):
            for change in lines.get(direction) or []:
                units = sign * Count().deserialize(abs(change["delta"]))
                changes[LineId(change["id"])] = changes.get(LineId(change["id"]), 0) + units
        kept = tuple(sorted((line_id, delta) for line_id, delta in changes.items() if delta))
        return EditFact(edit["id"], OrderId(edit["order_id"]), edit["committed_at"], kept)


class EditedSchema(FactSchema):
    """The envelope of `orders/edited`."""

    order_edit = fields.Nested(EditSchema, required=True)


class IdSchema(FactSchema):
    """A body that names a thing and says no more, such as `orders/delete`."""

    id = ShopifyId(required=True)
