"""A decision in words: the gate first, what was shown and on what it rests, what was not and why, and when it may be.

Pure. Plain text, one fact a line, for merchants and the command line; shoppers read `texts`. The facts are `findings`'.
"""

from collections.abc import Iterator, Mapping

from shopify_upsell.matrix.said import APART, MERCHANT
from shopify_upsell.matrix.timed import LEARNED_TIME, MERCHANT_TIME, PRIOR_TIME
from shopify_upsell.money import Money
from shopify_upsell.offers.candidate import Decision
from shopify_upsell.offers.findings import Fields, explanation_fields, reasons_of, sentence_of
from shopify_upsell.offers.worth import MIDDLE, NOTHING_KNOWN, OWN

__all__ = ["explain_decision", "explanation_fields", "reasons_of", "sentence_of"]

SOURCES = {LEARNED_TIME: "learned", PRIOR_TIME: "assumed (prior)", MERCHANT_TIME: "the merchant's word"}
MARGINS = {
    OWN: "{}",
    MIDDLE: "{} (assumed: the middle of the other candidates)",
    NOTHING_KNOWN: "1, because no cost of goods is known and acceptance alone decides",
}
LEVELS = {"shop": "of any pair", "kind": "of pairs of this kind", "pair": "of this pair"}


def explain_decision(decision: Decision) -> str:
    """Explain a decision as plain text, one fact a line."""
    return "\n".join(_lines(explanation_fields(decision))) + "\n"


def _lines(told: Fields) -> Iterator[str]:
    yield f"Decision {told['decision_id']} at {told['decided_at']}"
    anchors = ", ".join(str(anchor) for anchor in told["anchors"]) or "none"
    yield f"  placement {told['placement']}, anchors {anchors}, matrix version {told['matrix_version']}"
    if told["gate"] is not None:
        yield _gate_line(told["gate"])
    else:
        yield f"  {'; '.join(one['sentence'] for one in told['summary'])}"
    yield from _person_lines(told)
    if told["is_holdout"]:
        yield "Would have been shown:" if told["would_have_shown"] else "Nothing would have been shown."
    else:
        yield "Shown:" if told["shown"] else "Nothing is shown."
    for card in told["shown"] or told["would_have_shown"]:
        yield from _card_lines(card)
    yield from _rejection_lines(told["rejected"])
    yield from _refused_pair_lines(told)
    if told["next_at"] is not None:
        yield f"Worth asking again from {told['next_at']}"


def _gate_line(gate: Fields) -> str:
    until = f"; not before {gate['until']}" if gate["until"] is not None else ""
    return f"  closed: {gate['code']}: {gate['sentence']}{until}"


def _person_lines(told: Fields) -> Iterator[str]:
    """How the person stands, and how many cards they were shown."""
    found = told["readiness"]
    if found is not None:
        until = f", until {found['until']}" if found["until"] is not None else ""
        yield f"  readiness {found['state']}, score {found['score']:.2f}, stage {found['stage']}{until}"
        for reason in found["reasons"]:
            yield f"    {reason['code']}: {reason['sentence']}"
    caps = told["caps"]
    counts = ", ".join(f"{_of(caps[name])} {words}" for name, words in _SPANS)
    yield f"  cards shown: {counts}; {caps['left']} left"
    for one in caps["offers"]:
        yield f"    offer {one['offer_id']}: {_of(one['day'])} in 24 hours, {_of(one['month'])} in 30 days"


_SPANS = (("session", "in this session"), ("day", "in 24 hours"), ("month", "in 30 days"))


def _of(count: Mapping[str, int]) -> str:
    return f"{count['shown']} of {count['cap']}"


def _card_lines(card: Fields) -> Iterator[str]:
    currency = card["currency"]
    total = f"{_decimal(card['total_minor_units'], currency)} {currency}"
    yield f"  offer {card['offer_id']} ({card['kind']}), {total}: {card['reason']['sentence']}"
    for item in card["items"]:
        variant = f" / {item['variant_title']}" if item["variant_title"] else ""
        price = f"{_decimal(item['price_minor_units'], currency)} {currency}"
        yield f"    {item['quantity']} x {item['title']}{variant} [{item['product_id']}] at {price}"
    if card["replaces_variant_id"] is not None:
        yield f"    replaces variant {card['replaces_variant_id']}"
    if card["evidence"]:
        yield "    " + _evidence_line(card["evidence"])
    if card["exploration"] is not None:
        chance = card["exploration"]["propensity"]
        yield f"    assumed from the catalogue alone: no order tells; tried by lot, with a chance of {chance:.2%}"
    for moment in card["moments"]:
        yield "    " + _moment_line(moment)
    if card["due"] is not None:
        begins, ends = card["due"]
        yield f"    due from {begins} until {ends}"
    if card["expected"] is not None:
        yield from _value_lines(card)


def _evidence_line(known: Fields) -> str:
    return (
        f"{known['pair_count']} of {known['anchor_count']} orders with {known['anchor_product_id']} also had "
        f"{known['companion_product_id']} (confidence {float(known['confidence']):.3f}), "
        f"{float(known['association_lift']):.2f} times what chance explains; score {float(known['score']):.4f}"
    )


def _moment_line(moment: Fields) -> str:
    window = moment["window_days"]
    days = f"days {window[0]} to {window[1]} after delivery" if window is not None else "any day"
    whose = f"{SOURCES.get(moment['source'], moment['source'])} {LEVELS.get(moment['level'], '')}".rstrip()
    since, estimate = moment["days_since"], " (estimated)" if moment["is_estimate"] else ""
    now = f"; it is day {since}{estimate}" if since is not None else "; it is being bought"
    return f"moment of {moment['product_id']} after {moment['anchor_product_id']}: {days}, {whose}{now}"


def _value_lines(card: Fields) -> Iterator[str]:
    """What the card is expected to bring, out of what, and what of that is assumed."""
    expected, currency = card["expected"], card["currency"]
    margin = f"{_decimal(expected['margin_minor_units'], currency)} {currency} left"
    margin = MARGINS[expected["margin_basis"]].format(margin)
    weight = f" x {expected['personal_weight']:.2f} for this customer" if expected["personal_weight"] != 1 else ""
    yield (
        f"    expected {expected['minor_units_a_card']:.4f} minor units a card: "
        f"taken {expected['acceptance']:.2%} of the time x {margin}{weight}"
    )
    if expected["cards_shown"]:
        anyway = f", {expected['expected_anyway']:g} of them anyway" if expected["expected_anyway"] else ""
        yield f"    acceptance: {expected['cards_taken']} of {expected['cards_shown']} cards taken{anyway}"
    else:
        yield "    acceptance: assumed from the score, no card was shown yet"
    left = card["contribution"]
    if left is not None:
        yield f"    leaves {_decimal(left['minor_units'], currency)} {currency}: {_parts(left, currency)}"


def _parts(left: Fields, currency: str) -> str:
    told = (
        f"{name} {_decimal(part, currency)}{' (assumed)' if name in left['assumed'] else ''}"
        for name, part in left["parts"].items()
    )
    return ", ".join(told)


def _decimal(minor_units: int, currency: str) -> str:
    sign = "-" if minor_units < 0 else ""
    return sign + Money(abs(minor_units), currency).to_decimal_string()


def _rejection_lines(rejected: list[Fields]) -> Iterator[str]:
    if rejected:
        yield "Not shown:"
    for group in rejected:
        yield f"  {group['code']} ({group['count']}): {group['sentence']}"
        for one in group["examples"]:
            yield "    " + _rejection_line(one)
        if group["count"] > len(group["examples"]):
            yield f"    and {group['count'] - len(group['examples'])} more"


def _rejection_line(one: Fields) -> str:
    product = f", product {one['product_id']}" if one["product_id"] is not None else ""
    detail = "".join(f", {key} {value}" for key, value in sorted(one["detail"].items()) if key != "until")
    when = f"; next from {one['detail']['until']}" if "until" in one["detail"] else ""
    return f"offer {one['offer_id']}{product}{detail}{when}"


def _refused_pair_lines(told: Fields) -> Iterator[str]:
    """Pairs that are not even looked at: buyers of the one do not go on to the other, or the merchant said so."""
    edges = told["never_offered"]
    if edges:
        yield "Never offered beside what is there:"
    for edge in edges:
        yield "  " + _refused_pair_line(edge)
    if told["never_offered_count"] > len(edges):
        yield f"  and {told['never_offered_count'] - len(edges)} more"


def _refused_pair_line(edge: Fields) -> str:
    pair = f"{edge['companion_product_id']} beside {edge['anchor_product_id']}"
    if edge["source"] == MERCHANT:
        return f"{pair}: the merchant's word" + (f" ({edge['note']})" if edge["note"] else "")
    if edge["reason"] == APART:
        return (
            f"{pair}: in {edge['observed']:g} orders together where {edge['expected']:g} were expected by chance, "
            f"at most {edge['upper_bound']:.2f} times as often"
        )
    whose = "this pair" if edge["reason"] == "pair" else "pairs of their kind"
    until = f"; looked at again from {edge['review_at'][:10]}" if edge["review_at"] else ""
    return (
        f"{pair}: {edge['observed']:g} later purchases by owners where {edge['expected']:g} were expected of {whose}, "
        f"at most {edge['upper_bound']:.2f} of the norm, on {edge['n']} orders{until}"
    )
