"""Builders of a whole application on the test's database, for tests that call it as its callers do."""

import weakref
from datetime import UTC, datetime

from builders_proofs import API_KEY, SECRET

from shopify_upsell import app as joined
from shopify_upsell.settings import read_settings

ENVIRONMENT = {
    "WELLPAIRED_ENV": "test",
    "APP_URL": "https://app.test",
    "SHOPIFY_API_KEY": API_KEY,
    "SHOPIFY_API_SECRET": SECRET,
    "ENCRYPTION_KEYS": "k" * 32,
    "OFFER_RATE_PER_SECOND": "10000",
}


def an_application(database, folder, **environment):
    """The web application on this database, with no wake-ups leaving it."""
    url = database.engine.url.render_as_string(hide_password=False)
    settings = read_settings(ENVIRONMENT | {"DATABASE_URL": url, "WELLPAIRED_VAR_DIR": str(folder)} | environment)
    application = joined.create_app(settings)
    own = parts_of(application).database
    own.wake = None
    # Its connections are closed with it; psycopg warns of those it finds open, and warnings are errors here.
    weakref.finalize(application, own.dispose)
    return application


def parts_of(application):
    """The joined parts of an application."""
    return application.extensions["wellpaired"]


def work_off(application):
    """Run every job that is due."""
    return joined.make_worker(parts_of(application)).drain()


def real_now():
    """The process clock: the application under test reads it too."""
    return datetime.now(UTC)
