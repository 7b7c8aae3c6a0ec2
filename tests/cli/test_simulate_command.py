"""`simulate` replays a shop's past with a draft, with progress on stderr; `offers` lists, checks and lets go live."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from builders_cli import Command
from builders_database import add_shop
from builders_merchant import AN_OFFER
from builders_offers import BOOTS, WAX
from builders_past import A_DRAFT, PURPOSE, plant_past
from sqlalchemy import func, select, update

from shopify_upsell.cli.main import cli
from shopify_upsell.cli.offers import offers
from shopify_upsell.cli.simulate import simulate
from shopify_upsell.database import Base, bind_shop
from shopify_upsell.ledger.tables import VariantRow
from shopify_upsell.offers.offer import OfferDraft
from shopify_upsell.offers.store import OfferRow, save_offer
from shopify_upsell.reports.changes import merchant_changes

ONE = ("--shop", "one.myshopify.com")


@pytest.fixture
def now():
    return datetime.now(UTC)


@pytest.fixture
def draft_id(database, now):
    """A shop with three past orders and a draft; another shop as noise."""
    with database.write() as session:
        noise, shop_id = add_shop(session, "two.myshopify.com"), add_shop(session, "one.myshopify.com")
        for one in (noise, shop_id):
            bind_shop(session, one)
            orders = [(n, now - timedelta(days=20 * n), 100 + n % 2, (BOOTS,)) for n in (1, 2, 3)]
            plant_past(session, one, orders=orders, now=now)
        wax = OfferDraft("cross_sell", "Wax", ("theme/product_page",), (BOOTS,), (WAX,), state="draft", terms=PURPOSE)
        return save_offer(session, shop_id, wax, now=now).offer_id


@pytest.fixture
def command(database, tmp_path):
    for each in (offers, simulate):
        if each.name not in cli.commands:
            cli.add_command(each)
    return Command(database, tmp_path, HOLDOUT_BASIS_POINTS="0")


def counts(database):
    with database.read() as session:
        return {
            table.name: session.scalar(select(func.count()).select_from(table)) for table in Base.metadata.sorted_tables
        }


def test_a_draft_is_replayed_with_progress_beside_the_answer_and_nothing_is_written(command, database, draft_id):
    before = counts(database)

    result = command("simulate", *ONE, "--offer", draft_id, "--format", "json", "--months", 3)

    told = json.loads(result.stdout)
    assert (told["offer_id"], told["order_count"], told["moment_count"], told["shown_count"]) == (draft_id, 3, 3, 3)
    assert told["margin"]["assumed"][0] == "acceptance"
    assert "replaying orders" in result.stderr
    assert counts(database) == before


def test_the_text_says_how_often_why_not_and_what_it_cannot_know(command, draft_id):
    text = command("simulate", *ONE, "--offer", draft_id, "--months", 1).stdout

    assert text.startswith("1 orders, 1 moments at the offer's placements\nshown 1 times to 1 shoppers")
    assert "(ASSUMED: acceptance, cost, " in text
    assert "what this cannot know:\n  Only visits that ended in an order are known" in text


def test_an_offer_in_a_file_is_replayed_without_being_stored(command, database, draft_id, tmp_path):
    file = tmp_path / "draft.json"
    file.write_text(json.dumps(AN_OFFER | {"companions": [3], "name": A_DRAFT.name}))

    result = command("simulate", *ONE, "--draft", file, "--format", "json")

    assert (json.loads(result.stdout)["offer_id"], json.loads(result.stdout)["shown_count"]) == (None, 3)


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "the file is no JSON"), ("[]", "the file holds no offer"), ('{"kind": "x"}', "the file holds no offer")],
)
def test_a_file_that_holds_no_offer_ends_with_one_line(command, draft_id, tmp_path, content, said):
    file = tmp_path / "draft.json"
    file.write_text(content)

    result = command("simulate", *ONE, "--draft", file)

    assert result.exit_code == 2
    assert said in result.stderr


def test_either_an_offer_or_a_file_is_replayed(command, draft_id, tmp_path):
    assert "give either --offer or --draft" in command("simulate", *ONE).stderr


def test_the_same_seed_gives_the_same_text(command, draft_id):
    words = ("simulate", *ONE, "--offer", draft_id, "--seed", 4, "--sample", 50)

    assert command(*words).stdout == command(*words).stdout


def test_a_draft_is_checked_goes_live_and_is_paused_and_the_log_says_so(command, database, draft_id):
    assert f"{draft_id}\tdraft\tcross_sell\tWax\ttheme/product_page" in command("offers", "list", *ONE).stdout
    assert "ok    \tstock\t" in command("offers", "check", *ONE, "--offer", draft_id).stdout

    live = command("offers", "go-live", *ONE, "--offer", draft_id)
    paused = command("offers", "pause", *ONE, "--offer", draft_id)

    assert live.stdout.endswith(f"offer {draft_id} is live, version 2\n")
    assert "advice\tholdout\t" in live.stdout
    assert paused.stdout == f"offer {draft_id} is paused\n"
    with database.read() as session:
        shop_id = session.scalars(select(OfferRow.shop_id).where(OfferRow.offer_id == draft_id)).one()
        found = merchant_changes(session, shop_id)
    assert [(one.user_id, one.after["state"]) for one in found] == [(None, "paused"), (None, "live")]


def test_a_draft_with_a_defect_stays_a_draft_and_the_command_names_it(command, database, draft_id):
    with database.write() as session:
        session.execute(update(VariantRow).where(VariantRow.product_id == WAX).values(is_available=False))
    before = counts(database)

    checked = command("offers", "check", *ONE, "--offer", draft_id)
    refused = command("offers", "go-live", *ONE, "--offer", draft_id)

    assert checked.exit_code == 1
    assert "FAILS \tstock\tproduct 3: out_of_stock" in checked.stdout
    assert refused.exit_code == 2
    assert "the offer cannot be live: stock: product 3: out_of_stock" in refused.stderr
    assert counts(database) == before
    with database.read() as session:
        assert session.scalars(select(OfferRow.state).where(OfferRow.offer_id == draft_id)).one() == "draft"
