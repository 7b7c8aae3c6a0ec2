"""Whatever stands in a document: it becomes a fact, or it is refused with a reason. Nothing else ever happens."""

import copy
import json
import os
from decimal import Decimal

import pytest
from builders_ledger_rows import rows_of_tables
from builders_orders import a_delivery, a_line, a_product, a_refund, a_refund_line, an_edit, an_order
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopify_upsell.core import UnreadableFact
from shopify_upsell.ledger import intake

DOCUMENTS = {
    intake.record_order: an_order(
        lines=[a_line(discount="1.00", tax="0.50", token="v1.a.b.c")],
        customer_id=5,
        refunds=[a_refund(lines=[a_refund_line()], discrepancy="-1.00", paid="3.00")],
    ),
    intake.record_order_edit: an_edit(added={11: 1}, removed={12: 2}),
    intake.record_order_deletion: {"id": 1},
    intake.record_refund: a_refund(lines=[a_refund_line()], discrepancy="1.00", paid="3.00"),
    intake.record_product: a_product(),
    intake.record_product_deletion: {"id": 1},
}

anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.sampled_from(
            [Decimal("1E+999999999"), Decimal("-0.0"), Decimal("1.005"), "NaN", "-1", "1e3", "\x00", "\ud800"]
        ),
        st.text(max_size=20),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


def paths_of(document, before=()):
    """Every place in a document."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in items:
        yield (*before, key)
        if isinstance(value, (dict, list)):
            yield from paths_of(value, (*before, key))


def changed(document, path, value):
    """The document with something else in one place."""
    copied = copy.deepcopy(document)
    place = copied
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copied


def refusal_of(handler, session, delivery):
    """Why the handler refuses a delivery; None when it takes it."""
    try:
        handler(session, delivery)
    except UnreadableFact as refused:
        return refused.message
    return None


@pytest.mark.parametrize("handler", DOCUMENTS, ids=lambda handler: handler.__name__)
@settings(
    max_examples=1000 if os.environ.get("SOAK") else 60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_anything_in_any_place_is_read_or_refused_without_a_trace(session, shop_id, handler, data):
    document = DOCUMENTS[handler]
    path = data.draw(st.sampled_from(list(paths_of(document))))
    broken = changed(document, path, data.draw(anything))
    delivery = a_delivery(shop_id, "any", {"id": 1})
    object.__setattr__(delivery, "payload", broken)

    with session.begin_nested() as trial:
        refusal = refusal_of(handler, session, delivery)
        kept = rows_of_tables(session, shop_id)
        trial.rollback()

    if refusal is not None:
        assert 0 < len(refusal) <= 200
        assert not any(kept.values())


def test_the_documents_are_readable_as_they_are(session, shop_id):
    for handler, document in DOCUMENTS.items():
        payload = json.loads(json.dumps(document, default=float), parse_float=Decimal)
        handler(session, a_delivery(shop_id, "any", payload))
