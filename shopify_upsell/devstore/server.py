"""Join the dev store's parts into a Flask app, and serve it with threads."""

import atexit
import logging

from flask import Flask
from werkzeug.serving import make_server

from shopify_upsell.devstore.admin_graphql import load_schema, make_admin_graphql
from shopify_upsell.devstore.ajax import make_ajax
from shopify_upsell.devstore.checkout import make_checkout
from shopify_upsell.devstore.config import DevstoreConfig, refuse_production
from shopify_upsell.devstore.dev_api import make_dev_api
from shopify_upsell.devstore.discounts import Discounts
from shopify_upsell.devstore.oauth import TokenDesk, make_oauth
from shopify_upsell.devstore.proxy import make_proxy
from shopify_upsell.devstore.shop import DevShop
from shopify_upsell.devstore.storefront import Pages, make_storefront

MAX_BODY = 5 * 1024 * 1024


def create_devstore(config: DevstoreConfig) -> Flask:
    """Build the simulated shop. Its state is `app.extensions["devstore"]` and lives in memory only.

    Raises: DevstoreRefused unless WELLPAIRED_ENV is `development` or `test`, and for files that can't be read.
    """
    refuse_production()
    schema = load_schema(config.schema_path)
    shop = DevShop(config)
    desk = TokenDesk(config)
    pages, discounts = Pages(shop), Discounts(shop)
    # The storefront serves its own files, so Flask's static route is off.
    app = Flask("devstore", static_folder=None, template_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.extensions["devstore"] = shop
    for views in (
        make_oauth(shop, desk),
        make_admin_graphql(shop, desk, schema, discounts),
        make_proxy(shop),
        make_ajax(shop, pages.section),
        make_checkout(shop, pages),
        make_dev_api(shop, pages, discounts),
        make_storefront(shop, pages),
    ):
        app.register_blueprint(views)
    atexit.register(shop.deliveries.close)
    return app


def serve(config: DevstoreConfig, host: str, port: int) -> None:
    """Serve until interrupted, one thread per request.

    Raises: DevstoreRefused as create_devstore does; OSError when the port is taken.
    """
    app = create_devstore(config)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = make_server(host, port, app, threaded=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
        shop: DevShop = app.extensions["devstore"]
        shop.deliveries.close()
