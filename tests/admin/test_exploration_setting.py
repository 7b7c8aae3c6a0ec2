"""The share of showings that may try something: merchants may lower it, and it stays when they set something else."""

import json

import pytest
from builders_merchant import Merchant, a_merchant_api, refusal_of, shop_id_of
from builders_surfaces import TWO
from sqlalchemy import update

from shopify_upsell.offers.settings_store import ShopSettingRow, read_settings_of


@pytest.fixture
def merchant(database):
    return Merchant(a_merchant_api(database))


def share_of(database, *shop):
    with database.read() as session:
        return read_settings_of(session, shop_id_of(database, *shop)).exploration_basis_points


def test_it_is_lowered_switched_off_and_logged_and_other_shops_keep_theirs(merchant, database):
    before = merchant.get("/settings/shop")
    assert before["exploration_basis_points"] == 500

    for share in (120, 0):
        told = merchant("PUT", "/settings/shop", before | {"exploration_basis_points": share}).get_json()
        assert told["exploration_basis_points"] == share_of(database) == share

    assert share_of(database, TWO) == 500
    assert merchant.get("/changes", what="settings")["changes"][0]["after"]["exploration_basis_points"] == 0


@pytest.mark.parametrize("share", [501, 10_000, -1])
def test_it_cannot_be_raised(merchant, database, share):
    wanted = merchant.get("/settings/shop") | {"exploration_basis_points": share, "locales": ["de"]}

    refused = refusal_of(merchant("PUT", "/settings/shop", wanted))[2]

    assert refused.startswith("exploration_basis_points: ")
    assert share_of(database) == 500
    assert merchant.get("/settings/shop")["locales"] == ["en"]


def test_who_sets_something_else_leaves_it_as_it_is(merchant, database):
    before = merchant.get("/settings/shop")
    merchant("PUT", "/settings/shop", before | {"exploration_basis_points": 40})

    merchant("PUT", "/settings/shop", {"locales": ["de"], "health": before["health"]})

    assert share_of(database) == 40


def test_settings_that_were_kept_before_there_was_a_share_have_the_usual_one(merchant, database):
    before = merchant.get("/settings/shop")
    merchant("PUT", "/settings/shop", before)
    health = before["health"]
    old = json.dumps({"health": health, "locales": ["de"]})
    with database.write() as session:
        session.execute(update(ShopSettingRow).values(settings=old))

    assert share_of(database) == 500
    assert merchant.get("/settings/shop")["locales"] == ["de"]
