import gzip
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from shopify_upsell.devstore.config import DevstoreRefused
from shopify_upsell.devstore.order_file import read_world
from shopify_upsell.devstore.world import World, history_csv, make_world

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(seed=7, order_count=2500, now=NOW)


def baskets(world: World) -> list[frozenset[int]]:
    return [frozenset(line.product_id for line in order.lines) for order in world.orders]


def orders_with(world: World, *products: int) -> int:
    return sum(basket.issuperset(products) for basket in baskets(world))


def test_the_same_seed_gives_the_same_bytes(world: World) -> None:
    again = make_world(seed=7, order_count=2500, now=NOW)

    assert again.truth_json() == world.truth_json()
    assert history_csv(list(again.orders)) == history_csv(list(world.orders))


def test_another_seed_gives_another_history(world: World) -> None:
    other = make_world(seed=8, order_count=2500, now=NOW)

    assert history_csv(list(other.orders)) != history_csv(list(world.orders))


def test_the_history_has_the_orders_asked_for_within_twelve_months(world: World) -> None:
    days = [(NOW - order.ordered_at).days for order in world.orders]

    assert len(world.orders) == 2500
    assert min(days) >= 0
    assert max(days) <= 365
    assert all(earlier.ordered_at <= later.ordered_at for earlier, later in pairwise(world.orders))


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_planted_pairs_are_found_by_counting(seed: int) -> None:
    world = make_world(seed=seed, order_count=2500, now=NOW)

    for pair in world.truth()["pairs"]:  # type: ignore[attr-defined]
        confidence = orders_with(world, pair["a"], pair["b"]) / orders_with(world, pair["a"])
        base_rate = orders_with(world, pair["b"]) / len(world.orders)
        assert confidence == pytest.approx(pair["p"], abs=0.13)
        assert confidence > 4 * base_rate


def test_the_bestseller_goes_with_everything_at_its_base_rate(world: World) -> None:
    planted = world.truth()["popularity"][0]  # type: ignore[index]
    share = orders_with(world, planted["product"]) / len(world.orders)
    anchors = [pair["a"] for pair in world.truth()["pairs"]]  # type: ignore[attr-defined]
    beside = sum(orders_with(world, anchor, planted["product"]) for anchor in anchors)
    lift = beside / sum(orders_with(world, anchor) for anchor in anchors) / share

    assert share == pytest.approx(planted["p"], abs=0.03)
    assert lift == pytest.approx(1.0, abs=0.2)


def test_sequences_come_back_around_their_peak(world: World) -> None:
    for row in world.truth()["sequences"]:  # type: ignore[attr-defined]
        first: dict[int, datetime] = {}
        gaps = []
        for order in world.orders:
            bought = {line.product_id for line in order.lines}
            if order.customer_id is None:
                continue
            if row["a"] in bought:
                first.setdefault(order.customer_id, order.ordered_at)
            elif row["b"] in bought and order.customer_id in first:
                gaps.append((order.ordered_at - first[order.customer_id]).days)
        near = sum(0.6 * row["peak"] <= gap <= 1.6 * row["peak"] for gap in gaps)
        assert near >= 10
        assert near / len(gaps) > 0.5


def test_never_expanding_pairs_never_meet_in_a_customer(world: World) -> None:
    owned: dict[int, set[int]] = {}
    for order in world.orders:
        owned.setdefault(order.customer_id or -order.order_id, set()).update(line.product_id for line in order.lines)

    for pair in world.truth()["never_expanding"]:  # type: ignore[attr-defined]
        assert orders_with(world, pair["a"]) >= 15
        assert orders_with(world, pair["b"]) >= 15
        assert not [customer for customer, products in owned.items() if {pair["a"], pair["b"]} <= products]


def test_exceptional_products_are_what_the_truth_says(world: World) -> None:
    truth = world.truth()
    products = {product.product_id: product for product in world.products}
    (discontinued,), (unlisted,), (sold_out,) = truth["discontinued"], truth["unlisted"], truth["out_of_stock"]  # type: ignore[misc]
    last_sold = max(o.ordered_at for o in world.orders if any(line.product_id == discontinued for line in o.lines))

    assert len(products) == 60
    assert products[discontinued].status == "ARCHIVED"
    assert (NOW - last_sold).days >= 90
    assert products[unlisted].status == "UNLISTED"
    assert {variant.stock for variant in products[sold_out].variants} == {0}


def test_refunds_guests_and_late_orders_are_there(world: World) -> None:
    truth = world.truth()
    prone = truth["refund_prone"][0]["product"]  # type: ignore[index]
    sold = Counter(line.product_id for order in world.orders for line in order.lines)
    returned = Counter(
        line.product_id for order in world.orders for line in order.lines if line.refunded_quantity == line.quantity
    )

    assert returned[prone] / sold[prone] > 3 * returned.total() / sold.total()
    assert 500 < truth["guest_order_count"] < 750  # type: ignore[operator]
    assert len(truth["late_orders"]) >= 20  # type: ignore[arg-type]
    assert {order.financial_status for order in world.orders} == {"paid", "refunded", "partially_refunded", "voided"}


def test_a_history_file_read_back_gives_the_same_lines(world: World, tmp_path: Path) -> None:
    text = history_csv(list(world.orders)[:200])
    path = tmp_path / "orders.csv.gz"
    path.write_bytes(gzip.compress(text.encode(), mtime=0))

    imported = read_world(path, currency="USD", now=NOW)

    again = history_csv(list(imported.orders))
    columns = slice(0, -1)  # the status of an imported order knows nothing of its refunds
    assert sorted(row.split(",")[columns] for row in again.splitlines()) == sorted(
        row.split(",")[columns] for row in text.splitlines()
    )
    assert imported.truth()["order_count"] == 200
    assert "pairs" not in imported.truth()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("7,2026-01-01T00:00:00,,1,2,1.00", "has no time zone"),
        ("7,2026-01-01T00:00:00Z,,1,0,1.00", "quantity must be at least 1"),
        ("7,2026-01-01T00:00:00Z,,x,1,1.00", "invalid literal"),
        ("7,2026-01-01T00:00:00Z,,1,1,cheap", "line 2"),
    ],
)
def test_a_bad_row_is_refused_with_its_line(tmp_path: Path, row: str, reason: str) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(f"order_id,ordered_at,customer_id,product_id,quantity,unit_price\n{row}\n")

    with pytest.raises(DevstoreRefused, match=r"orders\.csv line 2") as refused:
        read_world(path, currency="USD", now=NOW)

    assert reason in str(refused.value)
