"""A shop with a planted truth, grown from a seed: what is found can be counted against what was put in.

Comes in: a seed and a number of customers. Goes out: order lines, a catalogue, and the truth: bundles bought together,
sequences with the day they peak, pairs that never expand, and upgrades. Lines (product families) share patterns as real
ranges do, with their own strength and rhythm.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from shopify_upsell.matrix.lines import OrderLines
from shopify_upsell.matrix.products import Products, products_from_table

DAY = 86_400
SPAN_DAYS = 700
START = 1_600_000_000
LINE_COUNT, STEP_COUNT, TIERS, EXTRA_COUNT = 7, 5, 2, 30
STEPS = ("Beans", "Grinder", "Filter", "Kettle", "Scale")
EXTRAS = ("Mug", "Poster", "Syrup")
FOLLOWS = ((0, 2), (1, 3))
"""Steps that follow one another within a line, in most lines."""


@dataclass
class Truth:
    """What was planted, as product ids. Units: peak in days after the first purchase."""

    bundles: list[tuple[int, int]] = field(default_factory=list)
    sequences: list[tuple[int, int, float]] = field(default_factory=list)
    never: set[tuple[int, int]] = field(default_factory=set)


@dataclass(frozen=True)
class PlantedShop:
    """Lines, catalogue, truth, and the moment the data end (unix seconds)."""

    lines: OrderLines
    products: Products
    truth: Truth
    now: int


def planted_shop(*, customer_count: int, seed: int) -> PlantedShop:
    """Grow a shop: customers come at random times, buy by taste, and follow what was planted."""
    random = np.random.default_rng(seed)
    products, price = _catalogue(random)
    truth, chance = _truth(random)
    taste = random.gamma(1.0, 1.0, len(price)) + 0.1
    # What starts a routine is what shops advertise: every planted pair starts from a product that people buy.
    taste[sorted({pair[0] for pair in chance})] += 2.5
    rows: list[tuple[int, int, int, int]] = []
    order = 0
    for customer in range(customer_count):
        for moment, basket in _visits(random, truth, chance, taste):
            order += 1
            rows.extend((order, customer, moment, product) for product in basket)
    table = np.array(rows, dtype=np.int64)
    table = table[random.permutation(len(table))]
    lines = OrderLines(*(table[:, column] for column in range(4)), np.ones(len(table), np.int64), price[table[:, 3]])
    return PlantedShop(lines, products, truth, START + SPAN_DAYS * DAY)


def _catalogue(random: np.random.Generator) -> tuple[Products, np.ndarray]:
    titles, types, brands, families = [], [], [], []
    for line in range(LINE_COUNT):
        for step in range(STEP_COUNT):
            for tier in range(TIERS):
                titles.append(f"Line {line} {STEPS[step]} {(tier + 1) * 250} g")
                types.append(STEPS[step])
                brands.append(f"Line {line}")
                families.append(f"Line {line} {STEPS[step]}")
    for extra in range(EXTRA_COUNT):
        titles.append(f"Extra {extra}")
        types.append(EXTRAS[extra % len(EXTRAS)])
        brands.append("")
        families.append(f"Extra {extra}")
    price = random.integers(500, 6000, len(titles))
    table = {
        "id": np.arange(len(titles)),
        "title": titles,
        "subcategory": types,
        "brand": brands,
        "family": families,
    }
    return products_from_table({**table, "price": price, "cost": price // 2}), price


def _truth(random: np.random.Generator) -> tuple[Truth, dict[tuple[int, int], float]]:
    truth, chance = Truth(), {}
    for line in range(LINE_COUNT):
        for first, second in FOLLOWS:
            if random.random() < 0.8:
                pair = (_product(line, first, 0), _product(line, second, int(random.integers(0, TIERS))))
                chance[pair] = float(random.uniform(0.18, 0.35))
                truth.sequences.append((*pair, float(random.choice([21, 45, 75]))))
        pair = (_product(line, 3, 1), _product(line, 4, int(random.integers(0, TIERS))))
        chance[pair] = float(random.uniform(0.1, 0.28))
        truth.bundles.append(pair)
    for anchor in range(LINE_COUNT * STEP_COUNT * TIERS):
        step = anchor // TIERS % STEP_COUNT
        first_extra = LINE_COUNT * STEP_COUNT * TIERS
        if step == 0:
            truth.never.update((anchor, first_extra + e) for e in range(EXTRA_COUNT) if e % len(EXTRAS) == 1)
    return truth, chance


def _product(line: int, step: int, tier: int) -> int:
    return (line * STEP_COUNT + step) * TIERS + tier


def _visits(
    random: np.random.Generator, truth: Truth, chance: dict[tuple[int, int], float], taste: np.ndarray
) -> list[tuple[int, list[int]]]:
    """Give one customer's orders as (unix seconds, products)."""
    day = float(random.uniform(0, SPAN_DAYS))
    planned: list[tuple[float, int]] = [(day, -1)]
    while random.random() < 0.42:
        day += float(random.gamma(2.0, 40.0))
        planned.append((day, -1))
    owned: set[int] = set()
    orders: list[tuple[int, list[int]]] = []
    while planned:
        planned.sort()
        day, product = planned.pop(0)
        if day >= SPAN_DAYS:
            break
        basket = {product} if product >= 0 else _picked(random, taste, owned, truth)
        for first, second in truth.bundles:
            if first in basket and random.random() < chance[first, second]:
                basket.add(second)
        for first, second, peak in truth.sequences:
            if first in basket - owned and second not in owned and random.random() < chance[first, second]:
                planned.append((day + float(peak * np.exp(random.normal(0, 0.18))), second))
        owned |= basket
        orders.append((START + int(day * DAY), sorted(basket)))
    return orders


def _picked(random: np.random.Generator, taste: np.ndarray, owned: set[int], truth: Truth) -> set[int]:
    weight = taste.copy()
    for anchor, companion in truth.never:
        if anchor in owned:
            weight[companion] = 0.0
    size = 1 + int(random.poisson(0.6))
    basket = {int(p) for p in random.choice(len(weight), size, p=weight / weight.sum())}
    return {p for p in basket if not any((anchor, p) in truth.never for anchor in basket)} or basket


@dataclass(frozen=True)
class Recall:
    """Shares of what was planted that was found, and the share of good pairs wrongly suppressed. Units: 0 to 1."""

    bundle: float
    sequence: float
    never: float
    wrongly_suppressed: float


def planted_recall(shop: PlantedShop, *, seed: int = 0) -> Recall:
    """Learn the shop and look each planted pair up: bundles and next steps in the top six, peaks in the window."""
    from shopify_upsell.matrix.learning import learn

    matrix = learn(shop.lines, shop.products, now=shop.now, seed=seed)
    truth = shop.truth
    bundles = matrix.complete([[a] for a, _ in truth.bundles])
    found_bundles = [b in {c.product_id for c in row} for (_, b), row in zip(truth.bundles, bundles, strict=True)]
    steps = matrix.next([[a] for a, _, _ in truth.sequences], [[] for _ in truth.sequences], at=shop.now)
    found_steps = []
    for (anchor, companion, peak), row in zip(truth.sequences, steps, strict=True):
        window = matrix.timing(anchor, companion).window
        is_timed = window is not None and window[0] <= peak <= window[1] + 1
        found_steps.append(is_timed and companion in {c.product_id for c in row})
    edges = {(edge.anchor_id, edge.companion_id) for edge in matrix.negative_edges()}
    good = truth.bundles + [(a, b) for a, b, _ in truth.sequences]
    return Recall(
        float(np.mean(found_bundles)),
        float(np.mean(found_steps)),
        len(edges & truth.never) / max(len(truth.never), 1),
        sum(pair in edges for pair in good) / len(good),
    )
