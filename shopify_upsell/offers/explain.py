"""A decision in words: what was shown and on what evidence, what was not and why, and when it may be.

Pure. For merchants and the command line; shoppers read `texts`.
"""

from collections import Counter
from collections.abc import Iterator

from shopify_upsell.matrix.said import APART, MERCHANT, PairWord
from shopify_upsell.offers.candidate import ChosenOffer, Decision, Rejection
from shopify_upsell.offers.codes import EMPTY_REASONS, REASONS, REJECTIONS

MOST_REASONS = 3
MOST_EXAMPLES = 5
MOST_REFUSED = 10


def reasons_of(decision: Decision) -> tuple[str, ...]:
    """One to three codes that sum the decision up: why these offers, or why nothing."""
    if decision.chosen:
        return tuple(dict.fromkeys(offer.reason_code for offer in decision.chosen))[:MOST_REASONS]
    if decision.is_holdout:
        return ("holdout",)
    counted = Counter(rejection.code for rejection in decision.rejections)
    frequent = sorted(counted, key=lambda code: (-counted[code], code))
    return tuple(frequent[:MOST_REASONS]) or ("no_offers",)


def sentence_of(code: str) -> str:
    """The sentence of any code of the vocabulary."""
    return (REASONS | EMPTY_REASONS | REJECTIONS)[code]


def explain_decision(decision: Decision) -> str:
    """Explain a decision as plain text, one fact a line."""
    return "\n".join(_lines(decision)) + "\n"


def _lines(decision: Decision) -> Iterator[str]:
    request = decision.inputs.request
    yield f"Decision {decision.decision_id} at {decision.decided_at.isoformat()}"
    anchors = ", ".join(str(anchor) for anchor in request.anchor_product_ids) or "none"
    yield f"  placement {decision.placement}, anchors {anchors}, matrix version {decision.inputs.matrix_version}"
    yield f"  {'; '.join(sentence_of(code) for code in reasons_of(decision))}"
    if decision.is_holdout:
        yield "Would have been shown:" if decision.would_have_shown else "Nothing would have been shown."
    else:
        yield "Shown:" if decision.chosen else "Nothing is shown."
    for offer in decision.chosen or decision.would_have_shown:
        yield from _offer_lines(offer)
    yield from _rejection_lines(decision)
    yield from _refused_pair_lines(decision)


def _offer_lines(offer: ChosenOffer) -> Iterator[str]:
    total = f"{offer.total.to_decimal_string()} {offer.total.currency}"
    yield f"  offer {offer.offer_id} ({offer.kind}), {total}: {REASONS[offer.reason_code]}"
    for item in offer.items:
        variant = f" / {item.variant_title}" if item.variant_title else ""
        price = f"{item.price.to_decimal_string()} {item.price.currency}"
        yield f"    {item.quantity} x {item.title}{variant} [{item.product_id}] at {price}"
    if offer.replaces_variant_id is not None:
        yield f"    replaces variant {offer.replaces_variant_id}"
    if offer.evidence:
        yield "    " + _evidence_line(offer)


def _evidence_line(offer: ChosenOffer) -> str:
    known = offer.evidence
    return (
        f"{known['pair_count']} of {known['anchor_count']} orders with {known['anchor_product_id']} also had "
        f"{known['companion_product_id']} (confidence {float(known['confidence']):.3f}), "
        f"{float(known['association_lift']):.2f} times what chance explains; score {float(known['score']):.4f}"
    )


def _rejection_lines(decision: Decision) -> Iterator[str]:
    by_code: dict[str, list[Rejection]] = {}
    for rejection in decision.rejections:
        by_code.setdefault(rejection.code, []).append(rejection)
    if by_code:
        yield "Not shown:"
    for code, rejections in sorted(by_code.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        yield f"  {code} ({len(rejections)}): {REJECTIONS[code]}"
        for rejection in rejections[:MOST_EXAMPLES]:
            yield "    " + _rejection_line(rejection)
        if len(rejections) > MOST_EXAMPLES:
            yield f"    and {len(rejections) - MOST_EXAMPLES} more"


def _refused_pair_lines(decision: Decision) -> Iterator[str]:
    """Pairs that are not even looked at: buyers of the one do not go on to the other, or the merchant said so."""
    edges = decision.inputs.negative_edges
    if edges:
        yield "Never offered beside what is there:"
    for edge in edges[:MOST_REFUSED]:
        yield "  " + _refused_pair_line(edge)
    if len(edges) > MOST_REFUSED:
        yield f"  and {len(edges) - MOST_REFUSED} more"


def _refused_pair_line(edge: PairWord) -> str:
    pair = f"{edge.companion_product_id} beside {edge.anchor_product_id}"
    if edge.source == MERCHANT:
        return f"{pair}: the merchant's word" + (f" ({edge.note})" if edge.note else "")
    if edge.reason == APART:
        return (
            f"{pair}: in {edge.observed:g} orders together where {edge.expected:g} were expected by chance, "
            f"at most {edge.upper_bound:.2f} times as often"
        )
    whose = "this pair" if edge.reason == "pair" else "pairs of their kind"
    until = f"; looked at again from {edge.review_at.date().isoformat()}" if edge.review_at else ""
    return (
        f"{pair}: {edge.observed:g} later purchases by owners where {edge.expected:g} were expected of {whose}, "
        f"at most {edge.upper_bound:.2f} of the norm, on {edge.n} orders{until}"
    )


def _rejection_line(rejection: Rejection) -> str:
    product = f", product {rejection.product_id}" if rejection.product_id is not None else ""
    detail = "".join(f", {key} {value}" for key, value in sorted(rejection.detail.items()) if key != "until")
    when = f"; next from {rejection.detail['until']}" if "until" in rejection.detail else ""
    return f"offer {rejection.offer_id}{product}{detail}{when}"
