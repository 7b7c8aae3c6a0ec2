"""The programme as a page: it needs nothing else, says what rests on assumptions, and claims no more than it knows."""

import base64
import hashlib
import json
import re
from datetime import timedelta
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from builders_cli import Command
from builders_database import NOW, add_shop
from builders_experiments import a_live_offer
from builders_kept import a_catalogue, keep
from builders_programmes import Spending, World, live_through

from shopify_upsell.core import InvalidInput
from shopify_upsell.database import bind_shop
from shopify_upsell.reports import export as export_module
from shopify_upsell.reports.charts import bar_chart
from shopify_upsell.reports.export import write_export
from shopify_upsell.reports.exposures import count_exposures
from shopify_upsell.reports.page import POLICY, badge, page
from shopify_upsell.reports.pair_timing import pair_timing
from shopify_upsell.reports.programme_charts import timing_chart
from shopify_upsell.reports.programme_page import programme_page
from shopify_upsell.reports.programme_view import programme_view

HALF = 5_000
DOMAIN = "one.myshopify.com"


def spends(lift):
    def of(place, chance):
        net = max(0, int(5_000 + 1_000 * chance.standard_normal())) if chance.random() < 0.5 else 0
        takes = chance.random() < 0.6
        is_open = bool(net and takes and "open" in place)
        return Spending(net + lift * is_open, claimed=2_000 if is_open else 0)

    return of


def a_programme(session, shop_id, *, lift=2_000, visitors=1_200, holdout=HALF):
    live_through(
        session, shop_id, a_live_offer(session, shop_id),
        World(visitors, spends(lift), holdout_basis_points=holdout, seed=7),
    )  # fmt: skip
    count_exposures(session, shop_id, now=NOW)
    keep(session, shop_id, (90_001, 1, NOW - timedelta(days=200), {1: 1000, 2: 500}))
    a_catalogue(session, shop_id)
    return programme_view(session, shop_id, now=NOW, holdout_basis_points=holdout)


class Elements(HTMLParser):
    """Collects the tags of a page with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def test_a_page_loads_nothing_runs_nothing_and_names_everything_it_draws(session, shop_id):
    text = programme_page(a_programme(session, shop_id))

    elements = Elements(text)
    tags = {tag for tag, _ in elements.found}
    assert tags & {"script", "link", "img", "iframe", "object", "form", "foreignobject", "image"} == set()
    assert not [attributes for _, attributes in elements.found if any(name.startswith("on") for name in attributes)]
    assert not [attributes for _, attributes in elements.found if "style" in attributes or "src" in attributes]
    assert {link["href"][0] for link in elements.all("a")} == {"#"}
    assert "url(" not in text
    assert "@import" not in text
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) <= {"http://www.w3.org/2000/svg"}
    drawn = re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL)
    assert len(drawn) == 4
    for picture in drawn:
        root = ElementTree.fromstring(picture)  # noqa: S314  # our own
        assert root.get("role") == "img"
        assert [child.tag.split("}")[1] for child in root][:2] == ["title", "desc"]
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert elements.all("html") == [{"lang": "en"}]
    assert len(elements.all("h1")) == 1
    assert {link["href"][1:] for link in elements.all("a")} <= set(ids)


def test_the_policy_lets_in_the_pages_own_style_and_nothing_else():
    written = re.search(r"<style>(.*?)</style>", page("t", []), flags=re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(written.encode()).digest()).decode()

    assert f"style-src 'sha256-{digest}'" in POLICY
    assert "default-src 'none'" in POLICY
    assert "unsafe" not in POLICY


def test_claimed_stands_beside_caused_with_intervals_and_margins_carry_their_badges(session, shop_id):
    view = a_programme(session, shop_id)
    text = programme_page(view)

    claim = view.report.claimed_revenue
    assert claim.caused_low > 0
    for words in ("Offers claim", "Offers caused", "Caused ÷ claimed (κ)", "Claimed ÷ caused", "every look"):
        assert words in text
    for code in ("cost", "payment_fee", "app"):
        assert f'href="#assumption-{code}"' in text
        assert f'id="assumption-{code}"' in text
    assert "Margin (assumed)" in text


def test_a_programme_without_effect_says_so_on_its_page_while_it_claims_much(session, shop_id):
    view = a_programme(session, shop_id, lift=0)

    text = programme_page(view)

    assert view.report.claimed_revenue.claimed > 200_000
    assert "No measurable effect" in text
    assert "nothing need have been caused" in text


def test_a_small_shop_is_told_what_is_missing_and_nothing_is_compared(session, shop_id):
    view = a_programme(session, shop_id, visitors=60)

    text = programme_page(view)

    assert view.arms is None
    assert "Still missing:" in text
    assert "What offers caused" not in text
    assert view.to_json()["arms"] is None


def test_a_shop_that_holds_nobody_out_gets_no_comparison(session, shop_id):
    view = a_programme(session, shop_id, visitors=100, holdout=0)

    assert view.report.verdict == "no_holdout"
    assert "Nobody was held out" in programme_page(view)


def test_an_empty_shop_has_a_page_that_says_so(session, shop_id):
    text = programme_page(programme_view(session, shop_id, now=NOW, holdout_basis_points=HALF))

    assert "no customer has ordered yet" in text
    assert "no two products were bought together" in text
    assert "No number above rests on an assumption." in text


def test_names_of_products_cannot_break_out_of_the_page(session, shop_id):
    text = programme_page(a_programme(session, shop_id))

    assert "Socks &lt;b&gt;&amp; → Boots" in text
    assert "<b>" not in text
    assert badge('"><b>', "<b>") == '<a class="badge" href="#assumption-&quot;&gt;&lt;b&gt;">Assumed: &lt;b&gt;</a>'


def test_every_figure_says_whether_it_rests_on_an_assumption(session, shop_id):
    document = a_programme(session, shop_id).to_json()

    programme = document["programme"]
    assert programme["margin"]["assumed"] is True
    assert programme["claimed_margin"]["assumed"] is True
    assert [programme[name]["assumed"] for name in ("revenue", "orders_per_unit", "order_value")] == [False] * 3
    assert {one["code"] for one in document["assumptions"]} >= {"cost", "payment_fee", "app", "time_zone"}
    assert "assumed" not in programme["units"]
    json.dumps(document)


def test_other_shops_are_not_in_the_figures(session, shop_id):
    other = add_shop(session, "two.myshopify.com")
    keep(session, other, (1, 1, NOW - timedelta(days=100), {1: 10_000, 3: 10_000}))
    a_catalogue(session, other)
    bind_shop(session, shop_id)

    view = programme_view(session, shop_id, now=NOW, holdout_basis_points=HALF)

    assert (view.customers.customers, view.pairs) == (0, ())


def test_the_timing_picture_names_products_windows_and_counts(session, shop_id):
    keep(
        session, shop_id,
        (1, 1, NOW - timedelta(days=100), {1: 1000}), (2, 1, NOW - timedelta(days=75), {2: 1000}),
        (3, 2, NOW - timedelta(days=100), {1: 1000}),
    )  # fmt: skip
    a_catalogue(session, shop_id)

    picture = bar_chart(timing_chart(pair_timing(session, shop_id, (1, 2), now=NOW)))

    root = ElementTree.fromstring(picture)  # noqa: S314  # our own
    title, description = (child.text for child in list(root)[:2])
    assert title == "When buyers of Boots come for Socks <b>&"
    assert "2 buyers, 1 bought it" in description
    assert "Days 15–30" in picture


@pytest.mark.parametrize("form", ["html", "json", "text"])
def test_the_command_writes_the_programme_to_a_file(database, tmp_path, form):
    with database.write() as session:
        shop_id = add_shop(session, DOMAIN)
        bind_shop(session, shop_id)
        a_programme(session, shop_id)
    out = tmp_path / "programme.out"

    result = Command(database, tmp_path, HOLDOUT_BASIS_POINTS=str(HALF))(
        "report", "programme", "--shop", DOMAIN, "--quarter", 20264, "--format", form, "--out", out
    )

    assert (result.exit_code, result.stdout) == (0, "")
    text = out.read_text()
    assert {"html": text.startswith("<!doctype html>"), "json": text.startswith("{"), "text": "Q4" in text}[form]


def test_parquet_without_pyarrow_is_refused_before_anything_is_written(session, shop_id, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(InvalidInput, match="pip install"):
        write_export(session, shop_id, tmp_path / "export", form="parquet")

    assert not (tmp_path / "export").exists()


def test_parquet_columns_keep_their_kinds():
    kinds = {
        (file.table, column.name): column.kind
        for file in export_module.FILES
        for column in export_module._typed_head(file)
    }

    assert kinds["order_line", "presentment_net_minor_units"] == "integer"
    assert kinds["credit_posting", "presentment_minor_units"] == "integer"
    assert kinds["sales_order", "ordered_at"] == "moment"
    assert kinds["sales_order", "is_booked"] == "truth"
    assert kinds["sales_order", "customer_digest"] == "text"


@pytest.mark.parametrize(
    ("words", "part", "expected"),
    [
        (("baseline",), "baseline", ("net_minor_units", 1_500)),
        (("retention",), "customers", ("customers", 1)),
    ],
)
def test_commands_tell_baseline_and_customers_with_their_stamp(database, tmp_path, words, part, expected):
    with database.write() as session:
        shop_id = add_shop(session, DOMAIN)
        bind_shop(session, shop_id)
        keep(session, shop_id, (1, 1, NOW - timedelta(days=200), {1: 1000, 2: 500}))
        a_catalogue(session, shop_id)

    document = json.loads(Command(database, tmp_path)("report", *words, "--shop", DOMAIN).stdout)

    assert document[part][expected[0]] == expected[1]
    assert document["freshness"]["waiting_events"] == 0


def test_the_attach_command_takes_one_pair_or_tells_the_usual_ones(database, tmp_path):
    with database.write() as session:
        shop_id = add_shop(session, DOMAIN)
        bind_shop(session, shop_id)
        keep(session, shop_id, (1, 1, NOW - timedelta(days=200), {1: 1000, 2: 500}))
        a_catalogue(session, shop_id)
    run = Command(database, tmp_path)

    named = json.loads(run("report", "attach-rates", "--shop", DOMAIN, 2, 1).stdout)["pairs"]
    usual = json.loads(run("report", "attach-rates", "--shop", DOMAIN).stdout)["pairs"]
    unknown = run("report", "attach-rates", "--shop", DOMAIN, 2, 999)

    assert [(one["anchor"], one["order_attach_rate"]["value"]) for one in named] == [("gid://shopify/Product/2", 1.0)]
    assert [one["anchor"] for one in usual] == ["gid://shopify/Product/1"]
    assert (unknown.exit_code, unknown.stdout) == (2, "")
