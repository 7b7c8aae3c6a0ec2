"""`matrix` learns, looks pairs up, takes the merchant's word, and measures any order history in a file."""

import csv
import gzip
import json
from datetime import UTC, datetime

import pytest
from builders_cli import Command
from builders_matrix import a_shop
from builders_offers import BOOTS, LACES, SOCKS, WAX, add_order
from builders_surfaces import ONE as ONE_DOMAIN
from builders_surfaces import TWO, a_planted_application

from shopify_upsell.database import bind_shop
from shopify_upsell.matrix.said import LEARNED, PairWord
from shopify_upsell.matrix.store import merchant_words, replace_learned_words
from shopify_upsell.shops.store import find_shop

NAMES = ("order_id", "customer_id", "ordered_at", "product_id", "quantity", "unit_price")
FILE_NAMES = ("order_id", "customer_id", "ts", "product_id", "qty", "price")


ONE = ("--shop", ONE_DOMAIN)
REVIEW_AT = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def command(database, tmp_path):
    return Command(database, tmp_path)


@pytest.fixture
def learned(database, tmp_path, command):
    """Two shops with the same products; the first sells boots with socks, and has learned."""
    a_planted_application(database, tmp_path)
    baskets = [(BOOTS, SOCKS)] * 20 + [(BOOTS,)] * 5 + [(WAX,)] * 60 + [(LACES,)] * 60
    with database.write() as session:
        shop = find_shop(session, ONE_DOMAIN)
        bind_shop(session, shop.shop_id)
        for number, products in enumerate(baskets, 9_000):
            add_order(session, shop.shop_id, number, *products)
    return command("matrix", "build", *ONE)


def words_of(database, domain=ONE_DOMAIN):
    with database.read() as session:
        shop = find_shop(session, domain)
        bind_shop(session, shop.shop_id)
        return {(*word.pair, word.reason, word.note) for word in merchant_words(session, shop.shop_id)}


def test_build_learns_now_and_companions_shows_the_pair_with_its_counts(learned, command):
    assert learned.exit_code == 0, learned.stderr
    assert learned.stdout.startswith("version ")

    found = json.loads(command("matrix", "companions", *ONE, "--product", BOOTS, "--json").stdout)

    first = found["companions"][0]
    assert (first["product_id"], first["pair_count"]) == (SOCKS, first["companion_count"])
    text = command("matrix", "companions", *ONE, "--product", BOOTS).stdout
    assert f"{SOCKS} Product {SOCKS}: score " in text
    assert f"{first['pair_count']} of {first['anchor_count']} orders with both" in text


def test_companions_are_the_named_shops_and_a_product_nobody_knows_is_refused(learned, command):
    other = json.loads(command("matrix", "companions", "--shop", TWO, "--product", BOOTS, "--json").stdout)

    assert {one["title"][:8] for one in other["companions"]} == {"Foreign "}
    assert command("matrix", "companions", *ONE, "--product", 987).stderr == "shopify-upsell: no product 987\n"


def test_a_build_left_to_the_workers_is_only_asked_for(learned, command):
    result = command("matrix", "build", *ONE, "--later")

    assert result.stdout == "asked for; `jobs status` shows what waits\n"
    assert json.loads(command("jobs", "status").stdout)["rows"]["new"] == 1


def test_timing_says_whose_curve_it_is_and_prints_every_window(learned, command):
    result = command("matrix", "timing", *ONE, BOOTS, SOCKS)

    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("The curve is the shop's (nothing closer is proved).\n")
    assert len(result.stdout.splitlines()) == 2 + 8
    assert json.loads(command("matrix", "timing", *ONE, BOOTS, SOCKS, "--json").stdout)["window"] is None


def test_export_writes_companions_and_words_and_import_takes_the_same_file_back(learned, command, database, tmp_path):
    first = tmp_path / "words.csv"
    first.write_text(
        "anchor_product_id,companion_product_id,word,note\n"
        f"{BOOTS},{WAX},pinned,the boss likes it\n{WAX},{LACES},blocked,\n"
    )
    assert command("matrix", "import", *ONE, first).stdout == "2 words taken, 0 cleared\n"
    with database.write() as session:
        shop = find_shop(session, ONE_DOMAIN)
        bind_shop(session, shop.shop_id)
        edge = PairWord(SOCKS, WAX, LEARNED, "pair", 0.4, 25, REVIEW_AT, observed=1.0, expected=9.5)
        replace_learned_words(session, shop.shop_id, [edge], REVIEW_AT)

    command("matrix", "export", *ONE, tmp_path / "pairs.csv")

    rows = list(csv.DictReader((tmp_path / "pairs.csv").read_text().splitlines()))
    pairs = {(int(row["anchor_product_id"]), int(row["companion_product_id"]), row["word"]): row for row in rows}
    assert {(BOOTS, SOCKS, "with"), (SOCKS, BOOTS, "with"), (BOOTS, WAX, "pinned"), (WAX, LACES, "blocked")} <= set(
        pairs
    )
    assert pairs[SOCKS, WAX, "learned_edge"]["expected"] == "9.5"
    assert pairs[BOOTS, SOCKS, "with"]["companion_title"] == f"Product {SOCKS}"
    before = words_of(database)
    assert command("matrix", "import", *ONE, tmp_path / "pairs.csv").stdout == "2 words taken, 0 cleared\n"
    assert words_of(database) == before == {(BOOTS, WAX, "pinned", "the boss likes it"), (WAX, LACES, "blocked", "")}
    assert words_of(database, TWO) == set()


def test_a_word_is_cleared_by_import(learned, command, database, tmp_path):
    path = tmp_path / "words.csv"
    for word in ("blocked", "clear"):
        path.write_text(f"anchor_product_id,companion_product_id,word\n{BOOTS},{SOCKS},{word}\n")
        result = command("matrix", "import", *ONE, path)

    assert result.stdout == "0 words taken, 1 cleared\n"
    assert words_of(database) == set()


def test_one_bad_row_and_no_word_is_taken(learned, command, database, tmp_path):
    path = tmp_path / "words.csv"
    rows = (f"{BOOTS},{SOCKS},pinned", f"{BOOTS},{BOOTS},blocked", f"{BOOTS},987,lifted", f"x,{WAX},blocked",
            f"{BOOTS},{WAX},loved", f"{BOOTS},{SOCKS},blocked")  # fmt: skip
    path.write_text("\n".join(["anchor_product_id,companion_product_id,word", *rows, ""]))

    result = command("matrix", "import", *ONE, path)

    assert result.exit_code == 2
    assert result.stderr.splitlines()[-6:] == [
        "line 3: a product is no pair with itself",
        "line 4: no product 987",
        "line 5: a product id is not a positive integer",
        "line 6: word is 'loved', not one of blocked, lifted, pinned, timed, clear",
        "line 7: the pair stands in line 2 too",
        "shopify-upsell: 5 bad rows: nothing was imported",
    ]
    assert words_of(database) == set()


def test_an_import_without_its_columns_ends_with_one_line(learned, command, tmp_path):
    (tmp_path / "words.csv").write_text("anchor_product_id\n1\n")

    result = command("matrix", "import", *ONE, tmp_path / "words.csv")

    assert result.stderr.endswith(f"shopify-upsell: {tmp_path / 'words.csv'}: no column companion_product_id, word\n")


def as_csv(lines):
    columns = [getattr(lines, name).tolist() for name in NAMES]
    rows = [",".join(map(str, row)) for row in zip(*columns, strict=True)]
    return "\n".join([",".join(FILE_NAMES), *rows, ""])


@pytest.fixture(scope="module")
def history():
    return as_csv(a_shop(customers=60, orders_each=4))


def answer_of(result):
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_evaluate_prints_the_protocols_metrics_for_csv_and_the_same_for_gzip(command, tmp_path, history):
    (tmp_path / "lines.csv").write_text(history)
    with gzip.open(tmp_path / "lines.csv.gz", "wt") as file:
        file.write(history)

    plain = answer_of(command("matrix", "evaluate", tmp_path / "lines.csv", "--task", "complete", "--json"))
    packed = answer_of(command("matrix", "evaluate", tmp_path / "lines.csv.gz", "--task", "complete", "--json"))

    machine = {"learn_cpu_seconds", "query_cpu_milliseconds", "peak_rss_megabytes"}
    assert {k: v for k, v in plain.items() if k not in machine} == {k: v for k, v in packed.items() if k not in machine}
    assert (plain["task"], plain["products"], plain["violations"]) == ("complete", 12, 0)
    assert plain["hit_rate_at_1"] <= plain["hit_rate_at_3"] <= plain["hit_rate_at_6"]
    assert plain["ndcg_at_6_low"] <= plain["ndcg_at_6"] <= plain["ndcg_at_6_high"]
    assert plain["queries"] > 20


def test_evaluate_asks_for_next_purchases_with_a_catalogue(command, tmp_path, history):
    (tmp_path / "lines.csv").write_text(history)
    (tmp_path / "products.csv").write_text(
        "product_id,title,product_type\n" + "".join(f"{7 * n + 3},Tea {n},Tea\n" for n in range(12))
    )

    result = command(
        "matrix", "evaluate", tmp_path / "lines.csv", "--task", "next", "--products", tmp_path / "products.csv",
        "--horizon-days", 60, "--query-days", 30,
    )  # fmt: skip

    assert result.exit_code == 0
    assert "task: next\n" in result.stdout
    assert "violations: 0\n" in result.stdout
    assert "Learning …" in result.stderr


def test_as_many_queries_are_asked_as_wanted(command, tmp_path, history):
    (tmp_path / "lines.csv").write_text(history)

    answer = answer_of(
        command("matrix", "evaluate", tmp_path / "lines.csv", "--task", "complete", "--queries", 7, "--json")
    )

    assert answer["queries"] == 7


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("order_id,customer_id,product_id\n1,2,3\n", "no column ordered_at"),
        ("order_id,ts,product_id,qty\n1,5,3,many\n", "quantity is many in row 1, not a number"),
        ("", "no order lines"),
    ],
)
def test_bad_columns_end_with_one_line(command, tmp_path, text, complaint):
    (tmp_path / "lines.csv").write_text(text)

    result = command("matrix", "evaluate", tmp_path / "lines.csv", "--task", "complete", "--json")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"shopify-upsell: {tmp_path / 'lines.csv'}: {complaint}\n"


def test_a_history_too_short_for_the_horizon_is_refused_for_next(command, tmp_path):
    (tmp_path / "lines.csv").write_text("order_id,customer_id,ts,product_id\n1,1,0,5\n2,1,864000,6\n")

    result = command("matrix", "evaluate", tmp_path / "lines.csv", "--task", "next", "--json")

    assert result.exit_code == 2
    assert "the history spans 10 days, and `next` needs twice --horizon-days and --query-days (208)" in result.stderr


def test_a_history_that_leaves_nothing_to_ask_is_refused(command, tmp_path):
    (tmp_path / "lines.csv").write_text("order_id,customer_id,ts,product_id\n1,1,0,5\n2,1,864000,6\n")

    result = command("matrix", "evaluate", tmp_path / "lines.csv", "--task", "complete", "--json")

    assert result.exit_code == 2
    assert "nothing to ask" in result.stderr
