"""The merchant API works as the app's own PostgreSQL role, which row level security binds to one shop at a time."""

import pytest
from builders_database import TENANT_ROLE, an_empty_database, migrate, on_postgres
from builders_merchant import AN_OFFER, Merchant, a_merchant_api
from builders_surfaces import TWO

from shopify_upsell.database import Database

pytestmark = pytest.mark.skipif(not on_postgres(), reason="row level security is PostgreSQL's")


def test_every_kind_of_change_is_written_and_read_back_under_row_level_security(tmp_path):
    with an_empty_database(tmp_path, role=TENANT_ROLE) as url:
        migrate(url)
        database = Database(url)
        api = a_merchant_api(database)
        merchant, stranger = Merchant(api), Merchant(api, TWO)

        made = merchant("POST", "/offers", AN_OFFER)
        live = merchant("POST", f"/offers/{made.get_json()['offer_id']}/go-live")
        settings = merchant("PUT", "/settings/shop", merchant.get("/settings/shop") | {"locales": ["de"]})
        target = merchant("PUT", "/targets", {"metric": "attach_rate", "month": "2026-12", "goal": 900})

        assert [answer.status_code for answer in (made, live, settings, target)] == [201, 200, 200, 200]
        assert [one["what"] for one in merchant.get("/changes")["changes"]] == ["target", "settings", "offer", "offer"]
        assert stranger.get("/changes") == {"changes": []}
        assert stranger.get("/targets") == {"targets": []}
        assert len(merchant.get("/next-actions")["actions"]) == 3
        database.dispose()
