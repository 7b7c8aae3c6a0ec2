"""Builders of signals, shoppers, and the bodies of webhooks that become signals."""

from datetime import timedelta

from builders_database import NOW
from hypothesis import strategies as st

from shopify_upsell.customers.shopper import Shopper, in_order
from shopify_upsell.customers.signal import Signal
from shopify_upsell.customers.signals import SIGNALS, is_negative

ME = "c:5"


def days(count):
    """A duration."""
    return timedelta(days=count)


def a_signal(kind, age=0.0, **given):
    """A signal of a kind, so many days old."""
    given = {"subject": ME, "source": "test", "external_id": f"{kind}:1"} | given
    return Signal(kind=kind, occurred_at=NOW - days(age), **given)


def an_order(number, age, **given):
    """The signal of an order that was placed."""
    return a_signal("order_placed", age, external_id=f"order:{number}", order_id=number, **given)


def a_shopper(*signals, **given):
    """A known customer of whom these signals are known."""
    given = {
        "is_known": True,
        "stage": "established",
        "marketing_consent": None,
        "may_personalise": False,
        "attributes": {},
        "affinities": {},
    } | given
    return Shopper(signals=in_order(signals), **given)


def _value(kind):
    value_range = SIGNALS[kind].value_range
    return st.none() if value_range is None else st.integers(*map(int, value_range)).map(float)


any_signal = st.sampled_from(sorted(SIGNALS)).flatmap(
    lambda kind: st.builds(
        Signal,
        kind=st.just(kind),
        subject=st.just(ME),
        occurred_at=st.integers(-3, 400 * 24).map(lambda hours: NOW - timedelta(hours=hours)),
        source=st.sampled_from(("shopify", "helpdesk")),
        external_id=st.sampled_from(("a", "b", "c")),
        value=_value(kind),
        order_id=st.sampled_from((None, 1, 2, 3)),
    )
)
"""Any signal there can be, of up to three things and three orders."""

any_negative_signal = any_signal.filter(is_negative)
"""A signal that can only ever lower readiness."""
