"""The product matrix as its callers see it: ask it what completes a basket, what comes next, when, and why.

Comes in: learned parts. Goes out: plain values with evidence. Stock, ownership, negative edges, the merchant's word and
margin are applied here, when asked, never when learning.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shopify_upsell.matrix.backoff import cold_start_scores
from shopify_upsell.matrix.choosing import (
    Choice,
    MerchantWord,
    basket_table,
    blocked_table,
    choose,
    margin_factors,
)
from shopify_upsell.matrix.curves import TimingCurve, preferred_days, timing_curve
from shopify_upsell.matrix.evidence import Companion, Evidence, PairCount, strongest_anchors
from shopify_upsell.matrix.exploring import COLD_START
from shopify_upsell.matrix.kinship import Kinship
from shopify_upsell.matrix.ladders import Rung, available_rungs, ladders_of
from shopify_upsell.matrix.negative import REVIEW_DAYS, NegativeEdge, edges_of
from shopify_upsell.matrix.nextsteps import next_scores
from shopify_upsell.matrix.parts import BundlePart, NextPart, WhenPart
from shopify_upsell.matrix.products import Products

Reals = NDArray[np.float64]
QUERIES_AT_ONCE = 256
DAY = 86_400
COLD_START_WORTH = 1e-6
"""Weight of the catalogue prior: it orders what has no evidence and never outranks what has."""


class Parts(Protocol):
    """Where a matrix finds its parts: computed when first asked, or loaded from a file."""

    @property
    def now(self) -> int:
        """Give the moment learned from, in unix seconds."""
        ...

    @property
    def products(self) -> Products:
        """Give the catalogue."""
        ...

    @property
    def kinship(self) -> Kinship:
        """Give types and lines."""
        ...

    @property
    def bundle(self) -> BundlePart:
        """Give what completes a basket."""
        ...

    @property
    def next_step(self) -> NextPart:
        """Give what comes next."""
        ...

    @property
    def when(self) -> WhenPart:
        """Give timing and negative edges."""
        ...


@dataclass(frozen=True)
class PairExplanation:
    """All that is known of one ordered pair of product ids."""

    anchor_id: int
    companion_id: int
    counts: PairCount
    ridge_weight: float
    sequence_lift: float
    timing: TimingCurve
    negative: NegativeEdge | None


@dataclass(frozen=True)
class Matrix:
    """Which product goes with which, for what purpose, and when."""

    parts: Parts
    merchant: MerchantWord = field(default_factory=MerchantWord)

    def complete(
        self, baskets: Sequence[Iterable[int]], *, limit: int = 6, margin_exponent: float = 0.0
    ) -> list[list[Companion]]:
        """Name the products that best complete each basket.

        Never a product of the basket, an unavailable or a suppressed one. Unknown ids are passed over; an empty basket
        gets what sells.

        Shape: a list of lists of product ids in; per basket at most `limit` companions out, best first.
        """
        table = basket_table(baskets, self.parts.products.id)
        answers: list[list[Companion]] = []
        for start in range(0, table.shape[0], QUERIES_AT_ONCE):
            bought = table[start : start + QUERIES_AT_ONCE]
            scores = self._bundle_scores(bought)
            factor = margin_factors(self.parts.products.price, self.parts.products.cost, margin_exponent)
            scores = np.where(scores > 0, scores * factor, scores / factor)
            answers.extend(self._answers(scores, bought, bought, limit, self.parts.now, "complete"))
        return answers

    def next(
        self,
        baskets: Sequence[Iterable[int]],
        histories: Sequence[Iterable[int]],
        *,
        at: int,
        limit: int = 6,
        margin_exponent: float = 0.0,
    ) -> list[list[Companion]]:
        """Name the products that each customer is likeliest to buy for the first time in the coming weeks.

        Never a product of the basket or the history, an unavailable or a suppressed one.

        Shape: two lists of one length, of lists of product ids; per query at most `limit` companions.
        Units: `at`, the moment of the offer, in unix seconds; negative edges past their review day do not block.
        Raises: ValueError if the lists differ in length.
        """
        if len(baskets) != len(histories):
            raise ValueError(f"{len(baskets)} baskets but {len(histories)} histories")
        bought_table = basket_table(baskets, self.parts.products.id)
        owned_table = basket_table(histories, self.parts.products.id)
        part = self.parts.next_step
        factor = np.log(margin_factors(self.parts.products.price, self.parts.products.cost, margin_exponent))
        answers: list[list[Companion]] = []
        for start in range(0, bought_table.shape[0], QUERIES_AT_ONCE):
            rows = slice(start, start + QUERIES_AT_ONCE)
            bought, owned = bought_table[rows], owned_table[rows]
            known = (bought + owned).tocsr()
            scores = np.full(bought.shape, -np.inf)
            scores[:, part.sold] = next_scores(part.signals, part.weights, bought[:, part.sold], owned[:, part.sold])
            scores += factor
            answers.extend(self._answers(scores, bought, known, limit, at, "next"))
        return answers

    def timing(self, anchor_id: int, companion_id: int) -> TimingCurve:
        """Tell when owners of the anchor buy the companion; the shop's own curve where no better is proved."""
        when = self.parts.when
        return timing_curve(when.timing, self._known_place(anchor_id), self._known_place(companion_id))

    def negative_edges(self) -> list[NegativeEdge]:
        """List the pairs that are not offered, learned ones less those lifted, plus the merchant's own."""
        when = self.parts.when
        learned = edges_of(when.verdicts, self.parts.products.id, now=self.parts.now)
        kept = [edge for edge in learned if (edge.anchor_id, edge.companion_id) not in self._overruled]
        never = np.iinfo(np.int64).max
        return kept + [
            NegativeEdge(anchor, companion, "merchant", 0.0, 0.0, 0.0, 0.0, int(never))
            for anchor, companion in sorted(self.merchant.blocked)
        ]

    def explain(self, anchor_id: int, companion_id: int) -> PairExplanation:
        """Gather everything known of a pair.

        Raises: KeyError if one of the ids is in neither the orders nor the catalogue.
        """
        anchor, companion = self._place(anchor_id), self._place(companion_id)
        edges = [e for e in self.negative_edges() if (e.anchor_id, e.companion_id) == (anchor_id, companion_id)]
        return PairExplanation(
            anchor_id,
            companion_id,
            self._pair_count(anchor, companion),
            float(self.parts.bundle.ridge[anchor, companion]),
            self._sequence_lift(anchor, companion),
            self.timing(anchor_id, companion_id),
            edges[-1] if edges else None,
        )

    def upgrades(self, product_id: int) -> list[Rung]:
        """List the available steps up from a product, nearest first; positions are into `parts.products`."""
        place = self._place(product_id)
        rungs = available_rungs(self._ladders, self.parts.products.available)
        return [rung for rung in rungs if rung.product == place]

    def with_merchant(self, merchant: MerchantWord) -> Matrix:
        """Give the same matrix under the merchant's word."""
        return Matrix(self.parts, merchant)

    @cached_property
    def _ladders(self) -> list[Rung]:
        return ladders_of(self.parts.products)

    @property
    def _overruled(self) -> frozenset[tuple[int, int]]:
        return self.merchant.lifted | self.merchant.pinned | self.merchant.blocked

    @cached_property
    def _blocked(self) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
        """Blocked pairs by position: learned, and the merchant's; only the learned ones come up for review."""
        learned = [e for e in self.negative_edges() if e.level != "merchant"]
        return self._pair_table([(e.anchor_id, e.companion_id) for e in learned]), self._pair_table(
            self.merchant.blocked
        )

    def _pair_table(self, pairs: Iterable[tuple[int, int]]) -> sparse.csr_matrix:
        ids = self.parts.products.id
        known = np.array([pair for pair in sorted(pairs) if np.isin(pair, ids).all()], dtype=np.int64).reshape(-1, 2)
        return blocked_table(np.searchsorted(ids, known[:, 0]), np.searchsorted(ids, known[:, 1]), len(ids))

    def _bundle_scores(self, bought: sparse.csr_matrix) -> Reals:
        bundle = self.parts.bundle
        scores = bundle.lending.scores(bought, bundle.ridge)
        scores += bundle.settings.popularity_weight * bundle.recent_share
        for row in np.flatnonzero(np.diff(bought.indptr)):
            held = bought.indices[bought.indptr[row] : bought.indptr[row + 1]]
            if not bundle.orders_per_product[held].any():
                scores[row] += COLD_START_WORTH * cold_start_scores(self.parts.products, held)
        return scores

    def _answers(
        self,
        scores: Reals,
        bought: sparse.csr_matrix,
        known: sparse.csr_matrix,
        limit: int,
        at: int,
        task: str,
    ) -> list[list[Companion]]:
        excluded = known.toarray() > 0
        excluded |= ~self.parts.products.available[None, :]
        excluded |= self._suppressed(known, at)
        scores = self._with_pins(scores, bought)
        choice = choose(scores, excluded, self.parts.bundle.recent_share, limit=limit)
        return self._explained(choice, bought, task)

    def _suppressed(self, anchors: sparse.csr_matrix, at: int) -> NDArray[np.bool_]:
        learned, said = self._blocked
        blocked = (anchors @ said).toarray() > 0
        if at <= self.parts.now + REVIEW_DAYS * DAY:
            blocked |= (anchors @ learned).toarray() > 0
        return np.asarray(blocked)

    def _with_pins(self, scores: Reals, bought: sparse.csr_matrix) -> Reals:
        if not self.merchant.pinned:
            return scores
        pins = (bought @ self._pair_table(self.merchant.pinned)).toarray() > 0
        return np.where(pins, scores + 1e6, scores)

    def _explained(self, choice: Choice, bought: sparse.csr_matrix, task: str) -> list[list[Companion]]:
        bundle, ids = self.parts.bundle, self.parts.products.id
        best, support = strongest_anchors(choice.product, bought, bundle.counts, bundle.orders_per_product)
        windows = self._windows(best, choice.product, task)
        return [
            [
                Companion(
                    int(ids[product]),
                    float(choice.score[row, place]),
                    replace(
                        self._evidence(int(product), int(best[row, place]), int(support[row, place]), task),
                        window=windows.get((row, place)),
                    ),
                )
                for place, product in enumerate(products)
                if product >= 0
            ]
            for row, products in enumerate(choice.product)
        ]

    def _evidence(self, product: int, anchor: int, support: int, task: str) -> Evidence:
        ids, orders = self.parts.products.id, self.parts.bundle.orders_per_product
        if anchor < 0:
            return Evidence(None, 0, 0.0, None, ("popularity",) if orders[product] else (COLD_START,))
        count = PairCount(int(orders[anchor]), int(orders[product]), support, self.parts.bundle.order_count)
        sources = ["bought_together"] if count.association > 1 else []
        if task == "next" and self._sequence_lift(anchor, product) > 1:
            sources.append("bought_next")
        return Evidence(int(ids[anchor]), support, count.association, None, (*sources, "popularity"))

    def _windows(
        self, anchors: NDArray[np.int64], products: NDArray[np.int64], task: str
    ) -> dict[tuple[int, int], tuple[int, int] | None]:
        """Find the days to prefer of all answers at once, by query and place."""
        if task != "next":
            return {}
        row, place = np.nonzero((products >= 0) & (anchors >= 0))
        days = preferred_days(self.parts.when.timing, anchors[row, place], products[row, place])
        return dict(zip(zip(row.tolist(), place.tolist(), strict=True), days, strict=True))

    def _sequence_lift(self, anchor: int, companion: int) -> float:
        part = self.parts.next_step
        places = [int(np.searchsorted(part.sold, place)) for place in (anchor, companion)]
        if any(at >= len(part.sold) for at in places) or [*part.sold[places]] != [anchor, companion]:
            return 1.0
        return float(np.exp(part.signals.sequence[places[0], places[1]]))

    def _pair_count(self, anchor: int, companion: int) -> PairCount:
        bundle = self.parts.bundle
        orders = bundle.orders_per_product
        together = int(bundle.counts[anchor, companion])
        return PairCount(int(orders[anchor]), int(orders[companion]), together, bundle.order_count)

    def _place(self, product_id: int) -> int:
        ids = self.parts.products.id
        place = int(np.searchsorted(ids, product_id))
        if place >= len(ids) or ids[place] != product_id:
            raise KeyError(product_id)
        return place

    def _known_place(self, product_id: int) -> int | None:
        try:
            return self._place(product_id)
        except KeyError:
            return None
