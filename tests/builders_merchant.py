"""The merchant API on the test's database, and what the embedded admin of a shop would send it."""

from datetime import UTC, datetime

from builders_database import add_shop
from builders_proofs import API_KEY, SECRETS, admin_id_token
from builders_surfaces import ONE, TWO, plant
from flask import Flask
from sqlalchemy import select

from shopify_upsell.admin.api.proof import PREFIX, MerchantServices
from shopify_upsell.admin.api.routes import make_blueprint
from shopify_upsell.app import HTTP_STATUS
from shopify_upsell.errors import ShapedApi, register_errors
from shopify_upsell.shops.store import ShopRow

TERMS = {"objective": "Sell socks with boots", "hypothesis": "Dry feet", "primary_metric": "attach_rate"}

AN_OFFER = {
    "kind": "cross_sell",
    "name": "Socks with boots",
    "placements": ["theme/product_page"],
    "anchors": ["gid://shopify/Product/1"],
    "companions": ["gid://shopify/Product/2"],
    "terms": TERMS,
}
"""What a merchant sends to write an offer that may go live."""


def a_merchant_api(database, *, holdout_basis_points=1000):
    """An application with the merchant API alone, over two shops with the same product ids."""
    with database.write() as session:
        two, one = add_shop(session, TWO), add_shop(session, ONE)
        plant(session, two, title="Foreign ")
        plant(session, one)
    application = Flask("merchant")
    application.config.update(API_TITLE="t", API_VERSION="v1", OPENAPI_VERSION="3.0.3", PROPAGATE_EXCEPTIONS=False)
    api = ShapedApi(application)
    register_errors(application, HTTP_STATUS)
    services = MerchantServices(
        database=database,
        api_key=API_KEY,
        secrets=SECRETS,
        holdout_basis_points=holdout_basis_points,
        clock=lambda: datetime.now(UTC),
    )
    api.register_blueprint(make_blueprint(services))
    return application


class Merchant:
    """A person of a shop's staff with the admin open."""

    def __init__(self, application, shop=ONE, user_id=7001):
        self._client, self._shop, self._user_id = application.test_client(), shop, user_id

    def __call__(self, method, path, body=None, **query):
        """Call a route with a fresh proof."""
        headers = {"Authorization": f"Bearer {admin_id_token(shop=self._shop, user_id=self._user_id)}"}
        return self._client.open(f"{PREFIX}{path}", method=method, json=body, query_string=query, headers=headers)

    def get(self, path, **query):
        """The JSON of a route that answers."""
        answer = self("GET", path, **query)
        assert answer.status_code == 200, answer.get_json()
        return answer.get_json()


def shop_id_of(database, domain=ONE):
    """The number of a shop."""
    with database.read() as session:
        return session.scalars(select(ShopRow.shop_id).where(ShopRow.domain == domain)).one()


def refusal_of(answer):
    """Status, code and message of a failure."""
    error = answer.get_json()["error"]
    return answer.status_code, error["code"], error["message"]
