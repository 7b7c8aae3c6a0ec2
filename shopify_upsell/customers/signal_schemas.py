"""What we read of Shopify's bodies about parcels, returns, disputes and consent. Nothing of a person is among it."""

from typing import Any

from marshmallow import fields, pre_load

from shopify_upsell.ledger.fields import FactSchema, Moment, ShopifyId, Words


class FulfillmentSchema(FactSchema):
    """`fulfillments/create` and `fulfillments/update`."""

    id = ShopifyId(required=True)
    order_id = ShopifyId(required=True)
    status = Words(required=True)
    shipment_status = Words(load_default=None, allow_none=True)
    created_at = Moment(required=True)
    updated_at = Moment(load_default=None, allow_none=True)


class FulfillmentEventSchema(FactSchema):
    """`fulfillment_events/create`."""

    id = ShopifyId(required=True)
    fulfillment_id = ShopifyId(required=True)
    order_id = ShopifyId(required=True)
    status = Words(required=True)
    happened_at = Moment(required=True)
    estimated_delivery_at = Moment(load_default=None, allow_none=True)


class ReturnSchema(FactSchema):
    """`returns/*`: some name the order by its id, some carry it."""

    id = ShopifyId(required=True)
    order_id = ShopifyId(required=True)
    status = Words(required=True)

    @pre_load
    def find_order(self, data: dict[str, Any], **_options: Any) -> dict[str, Any]:
        """Take the order's id from wherever the topic puts it."""
        order = data.get("order")
        if "order_id" in data or not isinstance(order, dict):
            return data
        return {**data, "order_id": order.get("id")}


class DisputeSchema(FactSchema):
    """`disputes/create` and `disputes/update`. Shopify allows a dispute without an order."""

    id = ShopifyId(required=True)
    order_id = ShopifyId(load_default=None, allow_none=True)
    status = Words(required=True)
    reason = Words(load_default=None, allow_none=True)
    initiated_at = Moment(required=True)
    finalized_on = Moment(load_default=None, allow_none=True)


class CustomerSchema(FactSchema):
    """`customers/update`."""

    id = ShopifyId(required=True)
    state = Words(required=True)
    created_at = Moment(required=True)


class _ConsentSchema(FactSchema):
    state = Words(required=True)
    consent_updated_at = Moment(load_default=None, allow_none=True)


class EmailConsentSchema(FactSchema):
    """`customers_email_marketing_consent/update`."""

    customer_id = ShopifyId(required=True)
    email_marketing_consent = fields.Nested(_ConsentSchema, required=True)
