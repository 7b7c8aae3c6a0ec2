"""Use case: everything that a decision reads of a person, in one query: wishes, word, budget, signals, profile.

Five small tables, each found by shop and name. One after the other they would cost five round trips on the shopper's
path; together they cost one.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import (
    BindParameter,
    Double,
    Integer,
    Select,
    Text,
    bindparam,
    cast,
    literal_column,
    null,
    or_,
    select,
)
from sqlalchemy import union_all as union_of
from sqlalchemy.orm import Session

from shopify_upsell.core import OfferId, ProductId, ShopId
from shopify_upsell.customers.courtesy import NOTHING_SHOWN, CourtesyState, merged_state, read_state
from shopify_upsell.customers.courtesy_store import CourtesyRow
from shopify_upsell.customers.dismissals import Dismissal, Scope
from shopify_upsell.customers.dismissals_store import DismissalRow
from shopify_upsell.customers.preferences import ALL, Preference, preference_in_force
from shopify_upsell.customers.preferences_store import PreferenceRow
from shopify_upsell.customers.shopper import ANONYMOUS, Profile, Shopper, shopper_of
from shopify_upsell.customers.signal import Signal
from shopify_upsell.customers.signal_tables import ProfileRow, SignalRow
from shopify_upsell.customers.signals import REMEMBERED, STANDING
from shopify_upsell.customers.stage import History
from shopify_upsell.customers.store import SuppressionRow
from shopify_upsell.customers.suppression import Suppression
from shopify_upsell.database import ExternalId, UtcDateTime
from shopify_upsell.spelled import ONE_OF, IsOneOf, Spelled

Told = Any
"""A row of the one query: its part, whose it is, and the columns of NAMES."""

Known = dict[str, list[Told]]
"""Rows by part."""

WISH, DISMISSAL, WORD, BUDGET, SIGNAL, PROFILE = "wish", "dismissal", "word", "budget", "signal", "profile"
PARTS = frozenset({WISH, DISMISSAL, WORD, BUDGET, SIGNAL, PROFILE})


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a person at a moment. `own` is the budget that is charged, `courtesy` the one judged by."""

    shopper: Shopper
    suppressions: tuple[Suppression, ...]
    dismissals: tuple[Dismissal, ...]
    preference: str
    own: CourtesyState
    courtesy: CourtesyState
    more: tuple[Any, ...] = ()


NOBODY = Standing(ANONYMOUS, (), (), ALL, NOTHING_SHOWN, NOTHING_SHOWN)
"""Somebody without a name: nothing is known and nothing can be remembered."""


def read_standing(
    session: Session, shop_id: ShopId, subjects: Sequence[str], *, now: datetime, statement: Spelled | None = None
) -> Standing:
    """Read what is known of a shopper under all their names (one or two, the best known first).

    `statement`: one of `standing_statement`, whose further parts come back as `more`.
    """
    return read_standings(session, shop_id, [subjects], now=now, statement=statement)[0]


def read_standings(
    session: Session,
    shop_id: ShopId,
    people: Sequence[Sequence[str]],
    *,
    now: datetime,
    statement: Spelled | None = None,
) -> list[Standing]:
    """Read what is known of several shoppers, each by their names as in `read_standing`, in one query."""
    subjects = sorted({subject for names in people for subject in names})
    if not subjects:
        return [NOBODY] * len(people)
    asked = {"shop": shop_id, "subjects": subjects, "now": now, "past": now - REMEMBERED}
    found: dict[str, Known] = {}
    for row in (STANDING_OF if statement is None else statement).rows(session, asked):
        found.setdefault(row.subject, {}).setdefault(row.part, []).append(row)
    return [_standing(_joined(found, names), names, now) if names else NOBODY for names in people]


def _joined(found: Mapping[str, Known], names: Sequence[str]) -> Known:
    """What is known under all names of one person, by part."""
    known: Known = {}
    for name in dict.fromkeys(names):
        for part, rows in found.get(name, {}).items():
            known.setdefault(part, []).extend(rows)
    return known


def _standing(found: Known, subjects: Sequence[str], now: datetime) -> Standing:
    budgets = {row.subject: read_state(row.text_a, row.id_a) for row in found.get(BUDGET, ())}
    states = [budgets.get(subject, NOTHING_SHOWN) for subject in subjects]
    return Standing(
        shopper=_shopper(found, subjects, now),
        suppressions=tuple(sorted(map(_wish, found.get(WISH, ())), key=lambda one: (one.subject, one.product_id))),
        dismissals=tuple(sorted(map(_dismissal, found.get(DISMISSAL, ())), key=_place)),
        preference=preference_in_force(Preference(row.text_a, row.time_a) for row in found.get(WORD, ())),
        own=states[0],
        courtesy=merged_state(states) if budgets else NOTHING_SHOWN,
        more=tuple(row for part, rows in found.items() if part not in PARTS for row in rows),
    )


def _shopper(found: Known, subjects: Sequence[str], now: datetime) -> Shopper:
    is_known = subjects[0].startswith("c:")
    if not is_known and SIGNAL not in found:
        return ANONYMOUS
    profiles = [_profile(row) for row in found.get(PROFILE, ()) if row.subject == subjects[0]]
    signals = [_signal(row) for row in found.get(SIGNAL, ())]
    return shopper_of(profiles[0] if profiles else None, signals, is_known=is_known, now=now)


def _wish(row: Told) -> Suppression:
    return Suppression(row.subject, ProductId(row.id_a), row.text_a, row.time_a)


def _dismissal(row: Told) -> Dismissal:
    scope = Scope(OfferId(row.id_a), ProductId(row.id_b), ProductId(row.id_c))
    return Dismissal(row.subject, scope, int(row.number), row.time_a, row.time_b)


def _place(one: Dismissal) -> tuple[str, int, int, int]:
    return one.subject, one.scope.offer_id, one.scope.anchor_product_id, one.scope.product_id


def _signal(row: Told) -> Signal:
    return Signal(
        kind=row.text_a,
        subject=row.subject,
        occurred_at=row.time_a,
        source=row.text_b,
        external_id=row.text_c,
        value=row.number,
        order_id=row.id_a,
        product_id=row.id_b,
        reason=row.text_d,
    )


def _profile(row: Told) -> Profile:
    history = History(
        order_count=row.id_a,
        first_ordered_at=row.time_a,
        last_ordered_at=row.time_b,
        delivered_count=row.id_b,
        last_delivered_at=row.time_c,
        subscription=row.text_a,
    )
    consent = None if row.number is None else bool(row.number)
    return Profile(history, consent, json.loads(row.text_b), json.loads(row.text_c))


NAMES = {
    "id_a": ExternalId, "id_b": ExternalId, "id_c": ExternalId,
    "text_a": Text, "text_b": Text, "text_c": Text, "text_d": Text,
    "number": Double,
    "time_a": UtcDateTime, "time_b": UtcDateTime, "time_c": UtcDateTime,
}  # fmt: skip
"""The columns that all parts share, each part in its own way."""


Among = Callable[[Any], Any]
"""The condition that a name is one of those asked about, in one of the databases."""


def standing_statement(*more: Callable[[Among], Any]) -> Spelled:
    """The one query, with further parts of other stations: selects that `part_columns` shaped.

    Every row tells as `subject` the name that was asked about.
    """
    spelled = {}
    for name, is_one_of in ONE_OF.items():
        among = partial(_among, is_one_of)
        spelled[name] = union_of(*_parts(among), *(part(among) for part in more))
    return Spelled(spelled, {"part": Text, "subject": Text, **NAMES}, gathered=True)


def _among(is_one_of: IsOneOf, subject: Any) -> Any:
    return is_one_of(subject, "subjects")


def part_columns(name: str, subject: Any, **columns: Any) -> list[Any]:
    """The columns of one part: its name, whose it is, and what it tells in the columns that all parts share."""
    told = [columns.get(column, cast(null(), kind)).label(column) for column, kind in NAMES.items()]
    return [literal_column(f"'{name}'", Text).label("part"), subject.label("subject"), *told]


def _parts(among: Among) -> tuple[Select[Any], ...]:
    def part(name: str, row: Any, more: Sequence[Any] = (), **columns: Any) -> Select[Any]:
        shop: BindParameter[int] = bindparam("shop", type_=ExternalId)
        return select(*part_columns(name, row.subject, **columns)).where(row.shop_id == shop, among(row.subject), *more)

    now = bindparam("now", type_=UtcDateTime)
    past = bindparam("past", type_=UtcDateTime)
    wish, away, word, budget, signal, profile = (
        SuppressionRow, DismissalRow, PreferenceRow, CourtesyRow, SignalRow, ProfileRow,
    )  # fmt: skip
    away_ids = {"id_a": away.offer_id, "id_b": away.anchor_product_id, "id_c": away.product_id}
    standing = (signal.kind == literal_column(f"'{kind}'", Text) for kind in sorted(STANDING))
    remembered = or_(signal.occurred_at > past, *standing)
    return (
        part(WISH, wish, [wish.until > now], id_a=wish.product_id, text_a=wish.reason, time_a=wish.until),
        part(
            DISMISSAL, away, [away.until > now], **away_ids,
            number=cast(away.times, Double), time_a=away.last_at, time_b=away.until,
        ),
        part(WORD, word, text_a=word.level, time_a=word.said_at),
        part(BUDGET, budget, id_a=cast(budget.version, ExternalId), text_a=budget.state),
        part(
            SIGNAL, signal, [remembered], id_a=signal.order_id, id_b=signal.product_id, text_a=signal.kind,
            text_b=signal.source, text_c=signal.external_id, text_d=signal.reason, number=signal.value,
            time_a=signal.occurred_at,
        ),
        part(
            PROFILE, profile, id_a=profile.order_count, id_b=profile.delivered_count, text_a=profile.subscription,
            text_b=profile.attributes, text_c=profile.affinities, number=_as_number(profile.marketing_consent),
            time_a=profile.first_ordered_at, time_b=profile.last_ordered_at, time_c=profile.last_delivered_at,
        ),
    )  # fmt: skip


def _as_number(claim: Any) -> Any:
    """A boolean as 1.0 or 0.0: PostgreSQL casts it by way of an integer."""
    return cast(cast(claim, Integer), Double)


STANDING_OF = standing_statement()
"""Spelled out once: working out its text takes longer than running it."""
