"""What a card may claim: every number in it is computed from the prices of this very decision, or it is not said.

Pure. Comes in: a merchant's lines, with places such as `{saving}` for numbers. Goes out: the problems that keep a line
from being published, and the numbers that fill its places. A place that cannot be filled now drops its line: a claim
from yesterday's price is no claim.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from shopify_upsell.core import InvalidInput
from shopify_upsell.money import Money

MOST_BENEFITS = 3
LONGEST_BENEFIT = 90
"""Source: our choice; three lines are read, a fourth hides the first."""

WHOLE = 10_000

PLACES = ("saving", "saving_rate", "total", "unit_price", "days_of_supply", "threshold")
"""What may stand in braces: the names of `Claims`."""

_PLACE = re.compile(r"\{(\w*)\}")
_NUMBER = re.compile(r"\d|[%‰€$£¥₹½¼¾²³]")
_VALUE = re.compile(
    r"\b(save|saves|saved|saving|savings|cheaper|cheapest|discount\w*|spare|sparen|spart|sparst|sparpreis|billiger|"
    r"günstiger|rabatt\w*|gratis|kostenlos|umsonst|for free|free (shipping|delivery|gift|of charge))\b",
    re.IGNORECASE,
)
_BARGAIN = re.compile(
    r"half[- ](the )?(price|off)|\b(two|three|four|five) for (one|two|three|four)\b|\b(twice|double|triple) (the|as)\b|"
    r"\b(ten|twenty|thirty|fifty|hundred) (dollars?|euros?|pounds?|percent|per cent)\b|zum halben preis|"
    r"\b(doppelt|dreifach)e?\b|\b(zehn|zwanzig|dreißig|fünfzig|hundert) (euro|prozent)\b",
    re.IGNORECASE,
)
_SHAME = (
    r"no,? thanks?,? (but )?(i|we)\b",
    r"\b(i|we)('d| would)? (rather|prefer to|like to) (pay|miss|waste|lose|stay|keep paying)",
    r"\b(i|we) (don't|do not|hate|never) (want|like|need|care|saving|good|deals?|discounts?)",
    r"\bi('m| am) (not interested in|fine with) (saving|paying|missing)",
    r"nein,? (danke,? )?ich\b",
    r"ich (zahle|bezahle|verzichte|verpasse|möchte nicht|will nicht|mag keine|brauche keine)",
)
_SHAMING = re.compile("|".join(_SHAME), re.IGNORECASE)
_PRESSURE = re.compile(
    r"\b(hurry|last chance|act fast|ends soon|only .{0,20}left|selling fast|almost gone|don't miss|limited time|"
    r"beeil\w*|letzte chance|nur noch|nur kurze zeit|fast ausverkauft|nicht verpassen)",
    re.IGNORECASE,
)
_RESERVED = re.compile(
    r"\b(exclusive\w*|only for|reserved for|members only|just for you|exklusiv\w*|nur für|vorbehalten)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Content:
    """How much is in one piece. Units: `amount` of `unit`, e.g. 250 "g"; `per` is what a unit price is told for."""

    amount: Fraction
    unit: str
    per: int = 100


@dataclass(frozen=True, slots=True)
class Claims:
    """Numbers that may be told of one shown offer; None: not known, or nothing to tell.

    Units: `saving_rate` in whole per cent, rounded down, so that nothing is claimed that is not given.
    """

    total: Money
    saving: Money | None = None
    saving_rate: int | None = None
    unit_price: Money | None = None
    days_of_supply: int | None = None
    threshold: Money | None = None


def saving_of(list_total: Money, charged_total: Money) -> Money | None:
    """What the shopper does not pay: list less charged, exactly; None when nothing is saved.

    Raises: InvalidInput for two currencies.
    """
    saving = list_total - charged_total
    return saving if saving.minor_units > 0 else None


def saving_rate_of(list_total: Money, charged_total: Money) -> int | None:
    """The saving in whole per cent of the list price, rounded down; None below one per cent."""
    saving = saving_of(list_total, charged_total)
    rate = 100 * saving.minor_units // list_total.minor_units if saving is not None else 0
    return rate or None


def unit_price_of(total: Money, content: Content, quantity: int) -> Money:
    """Price per `content.per` units of content, rounded half up to the minor unit.

    Raises: InvalidInput for no content.
    Source: unit pricing as the EU's Directive 98/6/EC asks for it: per kilogram, litre or a stated amount.
    """
    if content.amount <= 0 or quantity <= 0:
        raise InvalidInput("a unit price needs content")
    exact = Fraction(total.minor_units * content.per) / (content.amount * quantity)
    return Money((2 * exact.numerator + exact.denominator) // (2 * exact.denominator), total.currency)


def days_of_supply_of(days_a_piece: float | None, quantity: int) -> int | None:
    """How long the pieces last, in whole days rounded down; None where no rhythm is known."""
    if days_a_piece is None or days_a_piece <= 0 or quantity <= 0:
        return None
    return int(days_a_piece * quantity) or None


def benefit_problems(benefits: Iterable[str], *, is_reserved: bool) -> tuple[str, ...]:
    """List why these lines may not be published; empty when they may.

    `is_reserved`: the offer is really kept to an audience, so it may say so.
    """
    lines = tuple(benefits)
    problems = [f"at most {MOST_BENEFITS} lines"] if len(lines) > MOST_BENEFITS else []
    for line in lines:
        problems += [f"{line[:30]!r} {problem}" for problem in _problems(line, is_reserved)]
    return tuple(problems)


def decline_problems(text: str) -> tuple[str, ...]:
    """List why a text may not stand on the button that says no: it says no, and nothing about who presses it."""
    return tuple(f"{text[:30]!r} {problem}" for problem in _tone_problems(text))


def filled(benefit: str, claims: Claims) -> str | None:
    """Put this decision's numbers into a line; None when one of them cannot be computed, so that nothing is claimed.

    Units: money is written with its currency's own digits and code; surfaces may format it for the reader.
    """
    places = _PLACE.findall(benefit)
    known = {place: getattr(claims, place, None) for place in places}
    values = {place: value for place, value in known.items() if value is not None}
    if len(values) < len(known):
        return None
    return _PLACE.sub(lambda match: _written(values[match.group(1)]), benefit)


def _written(value: Money | int) -> str:
    return f"{value.to_decimal_string()} {value.currency}" if isinstance(value, Money) else str(value)


def _problems(line: str, is_reserved: bool) -> Iterator[str]:
    if not line.strip() or len(line) > LONGEST_BENEFIT or "\n" in line:
        yield f"is not one line of at most {LONGEST_BENEFIT} characters"
    places = _PLACE.findall(line)
    if any(place not in PLACES for place in places):
        yield f"has a place that is none of {', '.join(PLACES)}"
    said = _PLACE.sub(" ", line)
    if _NUMBER.search(said) or "{" in said or "}" in said:
        yield "has a number that is not computed"
    if _BARGAIN.search(said) or (_VALUE.search(said) and not places):
        yield "claims a value that is not computed"
    if _RESERVED.search(said) and not is_reserved:
        yield "claims to be reserved, and the offer is for everybody"
    yield from _tone_problems(said)


def _tone_problems(text: str) -> Iterator[str]:
    plain = text.replace("’", "'")
    if _SHAMING.search(plain):
        yield "shames those who decline"
    if _PRESSURE.search(plain):
        yield "presses for time"
