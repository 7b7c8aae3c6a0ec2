"""The merchant's switch of sends: off until set, refused where the shop is no fit, logged; and the log in numbers."""

from datetime import timedelta

from builders_apps import real_now
from builders_kept import keep
from builders_merchant import Merchant, a_merchant_api, refusal_of, shop_id_of
from builders_surfaces import TWO

from shopify_upsell.database import bind_shop
from shopify_upsell.sends.sent import STATES

OFF = {"is_on": False, "source": None}
ON = {"is_on": True, "source": "klaviyo"}


def make_fit(database):
    """Two orders each of a hundred customers."""
    now = real_now()
    with database.write() as session:
        shop_id = shop_id_of(database)
        bind_shop(session, shop_id)
        orders = ((one * 10 + n, one, now - timedelta(days=30 + n), {1: 2000}) for one in range(1, 101) for n in (1, 2))
        keep(session, shop_id, *orders)


def test_it_is_off_and_a_shop_that_is_no_fit_cannot_switch_it_on(database):
    merchant = Merchant(a_merchant_api(database))

    refused = merchant("PUT", "/settings/sends", ON)

    assert refusal_of(refused)[:2] == (409, "not_a_fit")
    assert "too few orders" in refusal_of(refused)[2]
    assert merchant.get("/settings/sends") == OFF
    assert merchant.get("/changes") == {"changes": []}
    told = merchant.get("/sends")
    assert (told["advised"], told["against"]) == (False, ["few_orders", "few_repeaters"])


def test_a_fit_shop_switches_it_on_and_the_change_is_logged_for_that_shop_alone(database):
    api = a_merchant_api(database)
    make_fit(database)
    merchant, stranger = Merchant(api), Merchant(api, TWO)

    assert merchant("PUT", "/settings/sends", ON).status_code == 200

    assert (merchant.get("/settings/sends"), stranger.get("/settings/sends")) == (ON, OFF)
    (change,) = merchant.get("/changes", what="settings", subject="sends")["changes"]
    assert (change["before"], change["after"]) == (OFF, ON)
    told = merchant.get("/sends")
    assert (told["is_on"], told["advised"], told["counts"]) == (True, True, dict.fromkeys(STATES, 0))
    assert [(one["first_day"], one["last_day"]) for one in told["windows"]][:2] == [(0, 3), (4, 7)]
    assert merchant("PUT", "/settings/sends", OFF).status_code == 200


def test_a_setting_that_is_wrong_is_refused_by_its_field(database):
    merchant = Merchant(a_merchant_api(database))

    answer = merchant("PUT", "/settings/sends", {"is_on": "perhaps", "source": "s" * 41})

    assert refusal_of(answer)[:2] == (422, "invalid_input")
    assert "is_on" in refusal_of(answer)[2]
