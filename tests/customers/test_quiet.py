"""Nothing is offered where somebody is worried, signing in, paying or reading their rights; elsewhere it may be."""

import pytest

from shopify_upsell.customers.quiet import CONTEXTS, QUIET_CODES, quiet_reason

QUIET = [
    # page type, path, code
    ("customers/login", "/account/login", "quiet_login"),
    ("customers/register", "/account/register", "quiet_login"),
    ("customers/activate_account", None, "quiet_login"),
    ("customers/reset_password", None, "quiet_login"),
    ("captcha", "/challenge", "quiet_login"),
    ("password", "/password", "quiet_login"),
    (None, "/challenge", "quiet_login"),
    ("policy", "/policies/refund-policy", "quiet_policy"),
    (None, "/policies/shipping-policy", "quiet_policy"),
    (None, "/policies/refund-policy", "quiet_returns"),
    ("page", "/pages/privacy", "quiet_policy"),
    ("page", "/pages/datenschutz", "quiet_policy"),
    ("page", "/de-ch/pages/impressum", "quiet_policy"),
    ("page", "/pages/returns", "quiet_returns"),
    ("page", "/pages/Start-A-Return?order=1", "quiet_returns"),
    ("page", "/de/pages/umtausch-und-rueckgabe", "quiet_returns"),
    ("page", "/pages/r%C3%BCckgabe", "quiet_returns"),
    ("page", "/ja/pages/返品-交換", "quiet_returns"),
    (None, "/a/returns", "quiet_returns"),
    (None, "/apps/returns-center/start", "quiet_returns"),
    (None, "/tools/returns", "quiet_returns"),
    ("page", "/pages/cancel-my-order", "quiet_cancel"),
    (None, "/tools/recurring/cancel", "quiet_cancel"),
    ("page", "/pages/k%C3%BCndigung", "quiet_cancel"),
    ("page", "/pages/accessibility", "quiet_accessibility"),
    ("page", "/pages/accessibility-statement#top", "quiet_accessibility"),
    ("page", "/fr/pages/accessibilite", "quiet_accessibility"),
    ("page", "/pages/track-my-order", "quiet_order_tracking"),
    (None, "/apps/track/123", "quiet_order_tracking"),
    (None, "/checkouts/cn/abc", "quiet_payment"),
]
LOUD = [
    ("product", "/products/return-address-stamp"),
    ("product", "/products/track-pants"),
    ("product", "/en-gb/products/privacy-screen"),
    ("collection", "/collections/track-and-field"),
    ("article", "/blogs/news/our-policy-on-wool"),
    ("index", "/"),
    ("index", "/fr"),
    ("cart", "/cart"),
    ("search", "/search?q=returns"),
    ("page", "/pages/about-us"),
    ("page", "/pages/returning-to-nature"),
    ("customers/account", "/account"),
    ("customers/order", "/account/orders/abc"),
    ("customers/addresses", "/account/addresses"),
    ("404", "/pages/nothing"),
    ("list-collections", "/collections"),
    ("gift_card", "/gift_cards/1/abc"),
    ("something_new", None),
    (None, None),
    ("", ""),
]


@pytest.mark.parametrize(("page", "path", "code"), QUIET)
def test_a_quiet_page_is_quiet_for_its_own_reason(page, path, code):
    assert quiet_reason(page, path) == code


@pytest.mark.parametrize(("page", "path"), LOUD)
def test_an_ordinary_page_is_not_quiet(page, path):
    assert quiet_reason(page, path) is None


@pytest.mark.parametrize(("context", "code"), sorted(CONTEXTS.items()))
def test_a_surface_that_knows_where_it_runs_is_believed(context, code):
    assert quiet_reason("product", "/products/boots", context=context) == code


def test_a_context_that_nobody_wrote_down_is_no_reason():
    assert quiet_reason("product", "/products/boots", context="curious") is None


@pytest.mark.parametrize(
    ("is_late", "code"), [(True, "quiet_order_tracking"), (False, None), (None, "quiet_order_tracking")]
)
def test_following_a_parcel_is_quiet_unless_it_is_known_to_be_on_time(is_late, code):
    assert quiet_reason("page", "/pages/track-order", is_delivery_late=is_late) == code
    assert quiet_reason(None, context="tracking", is_delivery_late=is_late) == code


@pytest.mark.parametrize(("is_late", "code"), [(True, "quiet_order_tracking"), (False, None), (None, None)])
@pytest.mark.parametrize("page", ["customers/order", "order_status", "thank_you"])
def test_the_page_of_an_order_is_quiet_only_while_it_is_late(page, is_late, code):
    assert quiet_reason(page, is_delivery_late=is_late) == code


def test_being_on_time_does_not_open_a_page_that_is_quiet_for_another_reason():
    assert quiet_reason("page", "/pages/track-returns", is_delivery_late=False) == "quiet_returns"
    assert quiet_reason("customers/login", context="tracking", is_delivery_late=False) == "quiet_login"


def test_an_endless_path_is_read_up_to_its_limit():
    assert quiet_reason("page", "/pages/" + "a-" * 100_000 + "returns") is None


def test_every_code_is_reached_by_a_row_of_the_table():
    assert {code for _, _, code in QUIET} == set(QUIET_CODES)
