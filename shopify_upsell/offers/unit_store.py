"""Who is who: names of one shopper (visitor, customer, cart) that were seen together belong to one person.

A person keeps the arm of its earliest exposure, so a decision asks under which name its shopper was first met. The
number of a person says nothing about it; it is the least of its names' digests, so the order of arrival plays no part.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Select, Text, bindparam, delete, select, text, update
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from shopify_upsell.core import CustomerId, ShopId
from shopify_upsell.customers.standing import Among, part_columns, standing_statement
from shopify_upsell.customers.subjects import customer_subject
from shopify_upsell.database import Base, UtcDateTime, is_postgresql
from shopify_upsell.ledger.tables import batches, put_rows

CUSTOMER, CART = "c:", "t:"
MET = "met"


class UnitLinkRow(Base):
    """One name of a person. `met_at`: when a decision was first made under this very name; null for others."""

    __tablename__ = "unit_link"
    __table_args__ = (Index("ix_unit_link_person", "shop_id", "person_id"),)

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    person_id: Mapped[int] = mapped_column(BigInteger)
    met_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class Sighting:
    """Names seen together. `unit`: the one under which a decision was made at `at`; None when there was none."""

    subjects: tuple[str, ...]
    unit: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Linked:
    """What linking found: the person of every name given, persons that became part of another, names that are new."""

    person_by_subject: dict[str, int]
    moved: dict[int, int]
    new_subjects: frozenset[str]


def cart_subject(cart_token: str) -> str:
    """Name a cart."""
    return CART + cart_token


def _met(among: Among) -> Select[Any]:
    """Every name that a person was met under, and when."""
    link, other = aliased(UnitLinkRow), aliased(UnitLinkRow)
    same = (other.shop_id == link.shop_id) & (other.person_id == link.person_id)
    return (
        select(*part_columns(MET, link.subject, text_a=other.subject, time_a=other.met_at))
        .select_from(link)
        .join(other, same)
        .where(link.shop_id == bindparam("shop", type_=BigInteger), among(link.subject), other.met_at.is_not(None))
    )


def unit_among(met: Iterable[Any], subjects: Sequence[str]) -> str | None:
    """Name the unit that a decision counts for: the name under which the person was first met, else the best known.

    Shape: `met` are the rows that came with a standing (`STANDING_WITH_UNIT`); `subjects` best known first.
    """
    first = min(((row.time_a, row.text_a) for row in met if row.part == MET), default=None)
    return first[1] if first is not None else next(iter(subjects), None)


STANDING_WITH_UNIT = standing_statement(_met)
"""The query of people's standing that also tells every name they were met under, and when."""


def person_names(session: Session, shop_id: ShopId, subject: str) -> tuple[str, ...]:
    """Every name that the person with this name is known by, this one included."""
    people = people_of(session, shop_id, [subject])
    found = {name for names in subjects_by_person(session, shop_id, people.values()).values() for name in names}
    return tuple(sorted(found | {subject}))


def hold_units(session: Session, shop_id: ShopId) -> None:
    """Hold the shop's persons and everything counted of them until the transaction ends; one writer at a time."""
    if is_postgresql(session):
        key = int.from_bytes(hashlib.sha256(f"units|{shop_id}".encode()).digest()[:8], "big", signed=True)
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def link_subjects(session: Session, shop_id: ShopId, sightings: Iterable[Sighting]) -> Linked:
    """Join persons whose names were seen together. The caller holds the units (`hold_units`)."""
    seen = [each for each in sightings if each.subjects]
    names = sorted({name for each in seen for name in each.subjects})
    held = _links(session, shop_id, names)
    parent = {person: person for person, _ in held.values()}
    person_of = {name: held[name][0] if name in held else _person_id(shop_id, name) for name in names}
    for person in person_of.values():
        parent.setdefault(person, person)
    for each in seen:
        first, *rest = each.subjects
        for name in rest:
            _unite(parent, person_of[first], person_of[name])
    met = {name: held[name][1] if name in held else None for name in names}
    for each in seen:
        if each.unit in met and each.at is not None:
            before = met[each.unit]
            met[each.unit] = each.at if before is None else min(before, each.at)
    final = {name: _root(parent, person) for name, person in person_of.items()}
    moved = {person: root for person, _ in held.values() if (root := _root(parent, person)) != person}
    for old, new in sorted(moved.items()):
        mine = update(UnitLinkRow).where(UnitLinkRow.shop_id == shop_id, UnitLinkRow.person_id == old)
        session.execute(mine.values(person_id=new).execution_options(synchronize_session=False))
    changed = [name for name in names if name not in held or held[name] != (final[name], met[name])]
    rows = [{"shop_id": shop_id, "subject": name, "person_id": final[name], "met_at": met[name]} for name in changed]
    put_rows(session, shop_id, UnitLinkRow, rows)
    return Linked(final, moved, frozenset(names) - held.keys())


def people_of(session: Session, shop_id: ShopId, subjects: Collection[str]) -> dict[str, int]:
    """Persons by name. Names never seen are absent."""
    return {name: person for name, (person, _) in _links(session, shop_id, sorted(set(subjects))).items()}


def subjects_by_person(session: Session, shop_id: ShopId, person_ids: Collection[int]) -> dict[int, tuple[str, ...]]:
    """Every name of some persons, sorted."""
    found: dict[int, list[str]] = {}
    for batch in batches(sorted(set(person_ids))):
        rows = select(UnitLinkRow.person_id, UnitLinkRow.subject).where(
            UnitLinkRow.shop_id == shop_id, UnitLinkRow.person_id.in_(batch)
        )
        for row in session.execute(rows.order_by(UnitLinkRow.subject)):
            found.setdefault(row.person_id, []).append(row.subject)
    return {person: tuple(names) for person, names in found.items()}


def forget_unit(session: Session, shop_id: ShopId, customer_id: CustomerId) -> None:
    """Forget a customer's name. What was counted of the person stays under a number that names nobody."""
    name = customer_subject(customer_id)
    session.execute(delete(UnitLinkRow).where(UnitLinkRow.shop_id == shop_id, UnitLinkRow.subject == name))


def _links(session: Session, shop_id: ShopId, names: Sequence[str]) -> dict[str, tuple[int, datetime | None]]:
    found: dict[str, tuple[int, datetime | None]] = {}
    for batch in batches(names):
        rows = select(UnitLinkRow.subject, UnitLinkRow.person_id, UnitLinkRow.met_at).where(
            UnitLinkRow.shop_id == shop_id, UnitLinkRow.subject.in_(batch)
        )
        found |= {row.subject: (row.person_id, row.met_at) for row in session.execute(rows)}
    return found


def _person_id(shop_id: ShopId, name: str) -> int:
    """63 bits of a digest: two of a billion names meet once in twenty shops of that size."""
    return int.from_bytes(hashlib.sha256(f"{shop_id}|{name}".encode()).digest()[:8], "big") >> 1


def _root(parent: dict[int, int], person: int) -> int:
    while parent[person] != person:
        person = parent[person]
    return person


def _unite(parent: dict[int, int], one: int, other: int) -> None:
    low, high = sorted((_root(parent, one), _root(parent, other)))
    parent[high] = low
