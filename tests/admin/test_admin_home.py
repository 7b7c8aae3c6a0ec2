"""`GET /`: opening the app installs it; the frame belongs to the verified shop alone; failures reveal nothing."""

import re
from datetime import timedelta
from urllib.parse import parse_qsl

import pytest
import responses
from builders_apps import an_application, parts_of, real_now
from builders_database import add_shop
from builders_proofs import OLD_SECRET, SHOP, admin_id_token, extension_token, json_web_token, post_purchase_token
from builders_shops import a_token
from builders_verifiers import a_changeset
from sqlalchemy import select, text, update

from shopify_upsell.app import INSTALL_JOBS
from shopify_upsell.database import Base
from shopify_upsell.jobs.store import JobRow
from shopify_upsell.ledger.store import put_rows
from shopify_upsell.shops.install import install_shop
from shopify_upsell.shops.sealing import open_access_token, open_refresh_token
from shopify_upsell.shops.store import ShopRow, ShopTokenRow, mark_uninstalled, read_token

assert put_rows  # imported so that the ledger's tables are known

TOKENS = f"https://{SHOP}/admin/oauth/access_token"
ACCESS, REFRESH = "shpat_canary_access_token", "shprt_canary_refresh_token"
FRAME = f"frame-ancestors https://{SHOP} https://admin.shopify.com; object-src 'none'; base-uri 'none'"


@pytest.fixture
def application(database, tmp_path):
    with database.write() as session:
        add_shop(session, "noise.myshopify.com")
    return an_application(database, tmp_path, SHOPIFY_API_SECRET_OLD=OLD_SECRET)


@pytest.fixture
def shopify():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def grant(shopify, **changes):
    answer = {
        "access_token": ACCESS,
        "expires_in": 3600,
        "refresh_token": REFRESH,
        "refresh_token_expires_in": 7_776_000,
        "scope": "read_orders,read_products",
    }
    return shopify.post(TOKENS, json=answer | changes)


def open_home(application, token=None, **query):
    parameters = query if token is None else {"id_token": token, "shop": SHOP} | query
    return application.test_client().get("/", query_string=parameters)


def the_shop(application):
    with parts_of(application).database.read() as session:
        return session.scalars(select(ShopRow).where(ShopRow.domain == SHOP)).one_or_none()


def jobs(application):
    with parts_of(application).database.read() as session:
        shops = dict(session.execute(select(ShopRow.shop_id, ShopRow.domain)).all())
        rows = session.execute(select(JobRow.shop_id, JobRow.kind)).all()
    return sorted((shops[shop_id], kind) for shop_id, kind in rows)


def whole_database(application):
    with parts_of(application).database.read() as session:
        rows = [session.execute(text(f"SELECT * FROM {table.name}")).all() for table in Base.metadata.sorted_tables]
    return repr(rows)


def install(application, now=None):
    """Install the shop earlier, with a token of another name."""
    parts, now = parts_of(application), now or real_now()
    with parts.database.write() as session:
        return install_shop(session, SHOP, a_token(now), now, parts.keyring)


def assert_refused(application, answer):
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (401, "invalid_signature")
    assert answer.headers["X-Shopify-Retry-Invalid-Session-Request"] == "1"
    assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert answer.headers["Cache-Control"] == "no-store"
    assert the_shop(application) is None
    assert jobs(application) == []


def test_the_first_open_installs_the_shop_and_asks_for_everything_that_follows(application, shopify):
    token = admin_id_token()
    asked = grant(shopify)

    answer = open_home(application, token)

    shop = the_shop(application)
    assert answer.status_code == 200
    assert asked.call_count == 1
    assert dict(parse_qsl(shopify.calls[0].request.body.decode())) == {
        "client_id": "0123456789abcdef0123456789abcdef",
        "client_secret": "shpss_current_secret_of_the_test_app_00",
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "requested_token_type": "urn:shopify:params:oauth:token-type:offline-access-token",
        "expiring": "1",
    }
    assert (shop.state, shop.install_epoch, shop.scopes) == ("installed", 1, "read_orders,read_products")
    assert jobs(application) == sorted((SHOP, kind) for kind in INSTALL_JOBS)


def test_the_tokens_are_nowhere_in_the_database_in_the_clear_and_open_with_our_key(application, shopify):
    grant(shopify)

    open_home(application, admin_id_token())

    everything = whole_database(application)
    assert ACCESS not in everything
    assert REFRESH not in everything
    parts, shop_id = parts_of(application), the_shop(application).shop_id
    with parts.database.read() as session:
        sealed = read_token(session, shop_id)
    assert open_access_token(parts.keyring, shop_id, sealed) == ACCESS
    assert open_refresh_token(parts.keyring, shop_id, sealed) == REFRESH
    assert abs((sealed.access_expires_at - real_now()).total_seconds() - 3600) < 10


def test_the_frame_belongs_to_the_shop_of_the_token_and_to_shopify_whatever_the_address_says(application, shopify):
    grant(shopify)

    answer = open_home(application, admin_id_token(), shop="noise.myshopify.com", host="evil.example.com")

    assert answer.headers["Content-Security-Policy"] == FRAME
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_opening_again_exchanges_nothing_and_asks_for_no_further_work(application, shopify):
    asked = grant(shopify)

    answers = [open_home(application, admin_id_token()) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert asked.call_count == 1
    assert len(jobs(application)) == len(INSTALL_JOBS)


def test_a_token_in_the_header_serves_as_well(application, shopify):
    grant(shopify)

    answer = application.test_client().get("/", headers={"Authorization": f"Bearer {admin_id_token()}"})

    assert (answer.status_code, answer.headers["Content-Security-Policy"]) == (200, FRAME)


def test_a_shop_whose_refresh_token_has_died_is_exchanged_again_within_the_same_install(application, shopify):
    install(application, real_now() - timedelta(days=91))
    asked = grant(shopify)

    assert open_home(application, admin_id_token()).status_code == 200
    assert asked.call_count == 1
    assert the_shop(application).install_epoch == 1


def test_a_shop_that_comes_back_gets_a_new_epoch_new_tokens_and_its_jobs_again(application, shopify):
    shop = install(application)
    with parts_of(application).database.write() as session:
        mark_uninstalled(session, shop.shop_id, real_now())
    grant(shopify)

    open_home(application, admin_id_token())

    found = the_shop(application)
    assert (found.state, found.install_epoch, found.uninstalled_at) == ("installed", 2, None)
    assert jobs(application) == sorted((SHOP, kind) for kind in INSTALL_JOBS)


def test_a_navigation_without_a_token_gets_a_page_that_fetches_one_framed_by_the_shop_it_names(application):
    answer = open_home(application, shop=SHOP)

    page = answer.get_data(as_text=True)
    assert (answer.status_code, answer.headers["Content-Security-Policy"]) == (200, FRAME)
    assert answer.headers["Cache-Control"] == "no-store"
    assert '<meta name="shopify-api-key" content="0123456789abcdef0123456789abcdef">' in page
    assert re.findall(r'src="([^"]+)"', page) == ["https://cdn.shopify.com/shopifycloud/app-bridge.js"]
    assert the_shop(application) is None


@pytest.mark.parametrize(
    "shop",
    [
        "", "evil.example.com", "one.myshopify.com.evil.com", "evil.com/one.myshopify.com", "one.myshopify.com/",
        "https://one.myshopify.com", "one.myshopify.com:443", "one.myshopify.com\n", "one.myshopify.com;",
        "one.myshopify.com https://evil.com", "one.myshopify.com@evil.com", "ONE.myshopify.com", "*.myshopify.com",
        "-one.myshopify.com", "öne.myshopify.com", "myshopify.com", "one..myshopify.com",
    ],
)  # fmt: skip
def test_an_address_that_names_no_shop_is_refused_and_framed_by_nobody(application, shop):
    assert_refused(application, open_home(application, shop=shop))


def from_now(seconds):
    return int(real_now().timestamp()) + seconds


FORGERIES = {
    "customer": lambda: extension_token(now=real_now(), customer_id=5),
    "checkout": lambda: extension_token(now=real_now()),
    "post-purchase": lambda: post_purchase_token(now=real_now()),
    "changeset": a_changeset,
    "junk": lambda: "a.b.c",
    "word": lambda: "x",
    "unsigned": lambda: "e30.e30.",
    "forged": lambda: admin_id_token(secret="another secret"),
    "other app": lambda: admin_id_token(api_key="another app"),
    "audience list": lambda: admin_id_token(change={"aud": ["0123456789abcdef0123456789abcdef"]}),
    "no expiry": lambda: admin_id_token(without=("exp",)),
    "expired": lambda: admin_id_token(change={"exp": from_now(-60)}),
    "expiry text": lambda: admin_id_token(change={"exp": str(from_now(60))}),
    "not yet": lambda: admin_id_token(change={"nbf": from_now(60)}),
    "evil dest": lambda: admin_id_token(change={"dest": "https://evil.example.com"}),
    "dest newline": lambda: admin_id_token(change={"dest": f"https://{SHOP}\n"}),
    "checkout iss": lambda: admin_id_token(change={"iss": f"https://{SHOP}"}),
    "iss of another shop": lambda: admin_id_token(change={"iss": "https://noise.myshopify.com/admin"}),
    "no session": lambda: admin_id_token(without=("sid",)),
    "empty": lambda: json_web_token({}),
}
"""Made when a test runs: an ID token lives a minute."""


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
@pytest.mark.parametrize("place", ["query", "header"])
def test_only_an_id_token_of_the_admin_opens_the_app(application, forge, place):
    token = forge()
    if place == "query":
        answer = open_home(application, token)
    else:
        answer = application.test_client().get(f"/?shop={SHOP}", headers={"Authorization": f"Bearer {token}"})

    assert_refused(application, answer)


def test_a_token_that_shopify_refuses_is_401_and_installs_nothing(application, shopify):
    shopify.post(TOKENS, status=400, json={"error": "invalid_subject_token"})

    answer = open_home(application, admin_id_token())

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (401, "invalid_subject_token")
    assert answer.headers["X-Shopify-Retry-Invalid-Session-Request"] == "1"
    assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert (the_shop(application), jobs(application)) == (None, [])


def test_a_token_endpoint_that_is_down_is_503_with_a_time_to_come_back_and_installs_nothing(application, shopify):
    shopify.post(TOKENS, status=502)

    answer = open_home(application, admin_id_token())

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (503, "shopify_unreachable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert (the_shop(application), jobs(application)) == (None, [])


def test_a_token_that_never_expires_is_not_stored(application, shopify):
    grant(shopify, refresh_token=None)

    assert open_home(application, admin_id_token()).status_code == 503
    assert the_shop(application) is None


@pytest.mark.parametrize("locale", ['"><script>alert(1)</script>', "en onload=x", "x" * 13, "", "../../etc", "a\nb"])
def test_a_locale_that_is_none_never_reaches_the_page(application, locale):
    install(application)

    answer = open_home(application, admin_id_token(), locale=locale)

    assert (answer.status_code, answer.content_type) == (400, "application/json")
    assert answer.get_json() == {"error": {"code": "invalid_input", "message": "not a locale"}}
    assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"


@pytest.mark.parametrize("locale", ["de", "pt-BR", "zh-Hant-TW"])
def test_the_page_speaks_of_its_language(application, locale):
    install(application)

    page = open_home(application, admin_id_token(), locale=locale).get_data(as_text=True)

    assert f'<html lang="{locale}">' in page


def test_the_page_says_what_stands_between_an_install_and_the_first_offer(application):
    from builders_surfaces import plant

    shop = install(application)
    parts = parts_of(application)
    before = open_home(application, admin_id_token()).get_data(as_text=True)
    with parts.database.write() as session:
        noise = session.scalars(select(ShopRow.shop_id).where(ShopRow.domain == "noise.myshopify.com")).one()
        plant(session, noise)

    with_noise = open_home(application, admin_id_token()).get_data(as_text=True)
    with parts.database.write() as session:
        session.execute(update(ShopRow).where(ShopRow.shop_id == shop.shop_id).values(currency="USD"))
        plant(session, shop.shop_id)
    after = open_home(application, admin_id_token()).get_data(as_text=True)

    steps = r"<s-text>([^<]+)</s-text>"
    nothing = ["Products read from Shopify: 0", "Orders in the ledger: 0", "Product pairs learned: 0", "Live offers: 0"]
    assert re.findall(steps, before) == re.findall(steps, with_noise) == nothing
    assert re.findall(steps, after) == [
        "Products read from Shopify: 4", "Orders in the ledger: 0", "Product pairs learned: 2", "Live offers: 2",
    ]  # fmt: skip
    assert re.findall(r'<s-badge tone="(\w+)">', after) == ["success", "warning", "success", "success"]
    assert "No paid order has come in yet." in after


def test_the_page_adds_up_what_offers_earned_to_the_cent(application):
    from builders_offers import add_order

    shop = install(application)
    with parts_of(application).database.write() as session:
        session.execute(update(ShopRow).where(ShopRow.shop_id == shop.shop_id).values(currency="USD"))
        add_order(session, shop.shop_id, 1, 1, 2)

    page = open_home(application, admin_id_token()).get_data(as_text=True)

    assert re.findall(r"<s-table-cell>([^<]*)</s-table-cell>", page) == ["USD", "40.00", "0.00", "40.00"]


def test_nothing_secret_is_in_the_page(application, shopify):
    grant(shopify)

    page = open_home(application, admin_id_token()).get_data(as_text=True)

    for secret in (ACCESS, REFRESH, "shpss_", "k" * 32, "eyJ"):
        assert secret not in page


def test_a_token_for_one_shop_touches_no_other(application, shopify):
    grant(shopify)

    open_home(application, admin_id_token())

    with parts_of(application).database.read() as session:
        tokens = session.scalars(select(ShopTokenRow.shop_id)).all()
    assert tokens == [the_shop(application).shop_id]
