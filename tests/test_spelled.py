"""Spelled statements say and read what SQLAlchemy would, on both databases, inside the session's transaction."""

import math
import random
import struct
from datetime import UTC, datetime, timedelta, timezone

import pytest
from builders_database import NOW, add_shop, on_postgres
from sqlalchemy import Column, Double, MetaData, Table, Text, bindparam, insert, literal, select, union_all, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from shopify_upsell.customers.courtesy_store import SWAP, CourtesyRow
from shopify_upsell.database import ExternalId, UtcDateTime
from shopify_upsell.spelled import MOST_ROWS, ONE_OF, Spelled, SpelledInsert

TABLE = CourtesyRow.__table__
INSERT = Spelled(insert(TABLE))
READ = Spelled(
    select(TABLE.c.subject, TABLE.c.version, TABLE.c.touched_at, literal(0.5, Double).label("half"))
    .where(TABLE.c.shop_id == bindparam("shop", type_=ExternalId))
    .order_by(TABLE.c.subject),
    {"subject": Text, "version": ExternalId, "touched_at": UtcDateTime, "half": Double},
)
RAISE = Spelled(
    update(TABLE)
    .where(TABLE.c.shop_id == bindparam("shop"), TABLE.c.version >= bindparam("least"))
    .values(version=TABLE.c.version + 10)
)
PUT = SpelledInsert(TABLE)

SAMPLE = Table(
    "sample_of_kinds",
    MetaData(),
    Column("place", ExternalId, primary_key=True, autoincrement=False),
    Column("words", Text),
    Column("number", ExternalId),
    Column("share", Double),
    Column("at", UtcDateTime),
)
KINDS = {"place": ExternalId, "words": Text, "number": ExternalId, "share": Double, "at": UtcDateTime}
SAMPLES = select(SAMPLE).order_by(SAMPLE.c.place.desc())

TEXTS = (
    "", " ", "plain", "it's", '"said"', "back\\slash", "a\nb\tc\r", "{}", "[1, null]", "null", "0.5", "100 %",
    "%s :x ?", "Größe ß", "日本語", "👟🏽", "e\u0301", "\u2028\x7f\x01", "';DROP TABLE shop;--",
)  # fmt: skip
"""Texts that a careless writer or reader would change."""

FRACTIONS = (
    0.0, 1.0, -1.0, 0.1, 0.1 + 0.2, 1 / 3, -2 / 3, 5e-324, 2.2250738585072014e-308, 1e-300, 1.7976931348623157e308,
    1e22, 1e23, 123456789.123456789, 9007199254740993.0, 2.0**63, math.pi, 100.0, 1e16, 4.35, 2.675,
)  # fmt: skip


def a_row(shop_id, subject, version=1):
    return {"shop_id": shop_id, "subject": subject, "version": version, "state": "{}", "touched_at": NOW}


def subjects(session, shop_id):
    return [(row.subject, row.version) for row in READ.rows(session, {"shop": shop_id})]


def test_values_and_columns_are_converted_and_what_the_statement_brought_need_not_be_given(session, shop_id):
    there = NOW.astimezone(timezone(timedelta(hours=2)))
    INSERT.change_each(session, [a_row(shop_id, "c:1") | {"touched_at": there}, a_row(shop_id, "c:2", 7)])
    INSERT.change_each(session, [a_row(add_shop(session, "two.myshopify.com"), "c:3")])

    found = READ.rows(session, {"shop": shop_id})

    assert [tuple(row) for row in found] == [("c:1", 1, NOW, 0.5), ("c:2", 7, NOW, 0.5)]
    assert {row.touched_at.tzinfo for row in found} == {UTC}
    with pytest.raises(Exception, match="naive"):
        INSERT.change_each(session, [a_row(shop_id, "c:4") | {"touched_at": datetime(2026, 1, 1)}])  # noqa: DTZ001


def test_each_run_tells_how_many_rows_it_changed(session, shop_id):
    INSERT.change_each(session, [a_row(shop_id, f"c:{n}", n) for n in (1, 2, 3)])

    counts = RAISE.changes(session, [{"shop": shop_id, "least": 2}, {"shop": shop_id, "least": 99}])

    assert counts == [2, 0]
    assert subjects(session, shop_id) == [("c:1", 1), ("c:2", 12), ("c:3", 13)]
    assert RAISE.changes(session, []) == []


def test_a_parameter_that_is_missing_is_an_error(session, shop_id):
    with pytest.raises(Exception, match="least"):
        RAISE.changes(session, [{"shop": shop_id}])


def test_errors_of_the_driver_come_as_sqlalchemys_and_name_no_value(database):
    with database.write() as session:
        shop_id = add_shop(session)
        INSERT.change_each(session, [a_row(shop_id, "c:secret")])

    with pytest.raises(IntegrityError) as refused, database.write() as session:
        INSERT.change_each(session, [a_row(shop_id, "c:other"), a_row(shop_id, "c:secret")])

    assert refused.value.params in ({}, None)
    with database.read() as session:
        assert subjects(session, shop_id) == [("c:secret", 1)]


# --- an INSERT of many rows


@pytest.mark.parametrize("count", [0, 1, 2, MOST_ROWS, MOST_ROWS + 1, 40])
def test_any_number_of_rows_is_inserted_and_counted(session, shop_id, count):
    rows = [a_row(shop_id, f"c:{number:02}", number) for number in range(count)]

    assert PUT.put(session, rows) == count

    assert subjects(session, shop_id) == [(f"c:{number:02}", number) for number in range(count)]
    assert {row.touched_at for row in READ.rows(session, {"shop": shop_id})} == ({NOW} if count else set())


def test_the_order_of_keys_in_a_row_means_nothing_and_more_of_them_are_left_out(session, shop_id):
    row = a_row(shop_id, "c:1", 4) | {"not_a_column": 1}
    assert PUT.put(session, [dict(reversed(row.items())), a_row(shop_id, "c:2")]) == 2

    assert subjects(session, shop_id) == [("c:1", 4), ("c:2", 1)]


@pytest.mark.parametrize("count", [1, 2, MOST_ROWS, MOST_ROWS + 1, 40])
def test_rows_that_a_conflict_leaves_as_they_are_are_not_counted(session, shop_id, count):
    names = [f"c:{number:02}" for number in range(count)]
    assert SWAP.put(session, [a_row(shop_id, name) for name in names]) == count
    held = range(0, count, 3)  # these are at version 1 still, the others are given the version that follows

    changed = SWAP.put(session, [a_row(shop_id, name, 9 if n in held else 2) for n, name in enumerate(names)])

    assert changed == count - len(held)
    assert subjects(session, shop_id) == [(name, 1 if n in held else 2) for n, name in enumerate(names)]


def test_rows_of_a_conflict_that_is_settled_by_doing_nothing_are_not_counted(session, shop_id):
    put = SpelledInsert(TABLE, lambda statement: statement.on_conflict_do_nothing())

    assert put.put(session, [a_row(shop_id, "c:1"), a_row(shop_id, "c:2")]) == 2
    assert put.put(session, [a_row(shop_id, "c:2", 9), a_row(shop_id, "c:3")]) == 1

    assert subjects(session, shop_id) == [("c:1", 1), ("c:2", 1), ("c:3", 1)]


@pytest.mark.parametrize("count", [1, 2, MOST_ROWS + 2])
def test_a_row_without_one_of_the_columns_is_an_error(session, shop_id, count):
    rows = [a_row(shop_id, f"c:{number}") for number in range(count)]
    del rows[-1]["state"]

    with pytest.raises(KeyError, match="state"):
        PUT.put(session, rows)


def test_a_naive_time_is_refused_in_an_insert_too(session, shop_id):
    with pytest.raises(ValueError, match="naive"):
        PUT.put(session, [a_row(shop_id, "c:1") | {"touched_at": datetime(2026, 1, 1)}])  # noqa: DTZ001


def test_a_finish_that_brings_a_parameter_of_its_own_is_refused(session, shop_id):
    put = SpelledInsert(
        TABLE,
        lambda statement: statement.on_conflict_do_update(index_elements=["shop_id", "subject"], set_={"version": 7}),
    )

    with pytest.raises(DBAPIError if on_postgres() else ValueError):
        put.put(session, [a_row(shop_id, "c:1")])


@pytest.mark.parametrize("before", [0, MOST_ROWS + 3])
def test_errors_of_an_insert_come_as_sqlalchemys_name_no_value_and_undo_everything(database, before):
    with database.write() as session:
        shop_id = add_shop(session)
        PUT.put(session, [a_row(shop_id, "c:secret")])
    others = [a_row(shop_id, f"c:other-{number}") for number in range(before)]

    with pytest.raises(IntegrityError) as refused, database.write() as session:
        PUT.put(session, [*others, a_row(shop_id, "c:secret", 2)])

    assert refused.value.params in ({}, None)
    assert "other" not in str(refused.value)
    with database.read() as session:
        assert subjects(session, shop_id) == [("c:secret", 1)]


# --- rows that come as one


@pytest.fixture
def samples(session):
    """A table with a column of each kind, gone after the test."""
    SAMPLE.create(session.connection())
    return SpelledInsert(SAMPLE)


def a_sample(place, words=None, number=None, share=None, at=None):
    return {"place": place, "words": words, "number": number, "share": share, "at": at}


def both_ways(session, statement=SAMPLES, columns=KINDS, **values):
    """The rows as they come one by one; those that come as one must be the same, and of the same types."""
    singly, gathered = (Spelled(statement, columns, gathered=way).rows(session, values) for way in (False, True))
    assert [tuple(row) for row in gathered] == [tuple(row) for row in singly]
    assert [[type(cell) for cell in row] for row in gathered] == [[type(cell) for cell in row] for row in singly]
    assert [row._fields for row in gathered] == [tuple(columns)] * len(singly)
    return gathered


def test_gathered_rows_that_are_not_there_are_an_empty_list(session, samples):
    assert both_ways(session) == []


def test_gathered_cells_without_a_value_stay_without_one(session, samples):
    samples.put(session, [a_sample(1), a_sample(2, "", 0, 0.0, NOW), a_sample(3, share=1.5), a_sample(4, words="x")])

    assert [tuple(row) for row in both_ways(session)] == [
        (4, "x", None, None, None),
        (3, None, None, 1.5, None),
        (2, "", 0, 0.0, NOW),
        (1, None, None, None, None),
    ]


def test_gathered_texts_come_as_they_were_written(session, samples):
    samples.put(session, [a_sample(place, words) for place, words in enumerate(TEXTS)])

    assert [row.words for row in both_ways(session)] == list(reversed(TEXTS))


def test_gathered_whole_numbers_keep_all_their_bits(session, samples):
    numbers = [0, 1, -1, 2**53 + 1, -(2**53) - 1, 2**62 + 1, 2**63 - 1, -(2**63)]
    samples.put(session, [a_sample(place, number=number) for place, number in enumerate(numbers)])

    assert [row.number for row in both_ways(session)] == numbers[::-1]


def test_gathered_fractions_keep_all_their_digits(session, samples):
    samples.put(session, [a_sample(place, share=share) for place, share in enumerate(FRACTIONS)])

    assert [row.share for row in both_ways(session)] == list(reversed(FRACTIONS))


def test_gathered_fractions_of_any_bits_are_the_very_same(session, samples):
    """A third over all sizes that there are, a third as rates are, a third as prices are."""
    chance = random.Random(11)
    anything = (struct.unpack("<d", struct.pack("<Q", chance.getrandbits(64)))[0] for _ in range(700))
    shares = [share for share in anything if math.isfinite(share) and share != 0]
    shares += [chance.random() for _ in range(600)] + [chance.uniform(-1e6, 1e6) for _ in range(600)]
    samples.put(session, [a_sample(place, share=share) for place, share in enumerate(shares)])

    assert [row.share for row in both_ways(session)] == shares[::-1]


def test_gathered_moments_are_the_same_moments_in_utc(session, samples):
    there = NOW.astimezone(timezone(timedelta(hours=-9, minutes=-30)))
    moments = [
        NOW, there, NOW + timedelta(microseconds=1), NOW.replace(microsecond=999_999), datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2038, 1, 20, 3, 4, 5, 60, tzinfo=UTC),
    ]  # fmt: skip
    samples.put(session, [a_sample(place, at=at) for place, at in enumerate(moments)])

    found = [row.at for row in both_ways(session)]

    assert found == moments[::-1]
    assert {at.tzinfo for at in found} == {UTC}


def test_gathered_rows_of_a_union_with_parameters_are_the_same(session, samples):
    samples.put(session, [a_sample(place, f"word {place}", place, place / 7, NOW) for place in range(50)])
    least = bindparam("least", type_=ExternalId)
    low = select(SAMPLE).where(SAMPLE.c.place < least)
    other = select(SAMPLE.c.place, literal("it's 5 %", Text), SAMPLE.c.number, SAMPLE.c.share, SAMPLE.c.at)
    statement = union_all(low, other.where(SAMPLE.c.place >= least))

    found = both_ways(session, statement, least=10)

    assert {row.place for row in found} == set(range(50))
    assert {row.words for row in found if row.place >= 10} == {"it's 5 %"}


# --- a list of texts as one parameter


@pytest.mark.parametrize("gathered", [False, True])
def test_a_text_is_looked_for_in_a_list_of_any_length(session, samples, gathered):
    many = [f"{TEXTS[number % len(TEXTS)]} {number}" for number in range(1000)]
    known = [*TEXTS, *many[::2]]
    samples.put(session, [a_sample(place, words) for place, words in enumerate(known)])
    listed = {
        name: select(SAMPLE.c.words).where(is_one_of(SAMPLE.c.words, "any")) for name, is_one_of in ONE_OF.items()
    }
    statement = Spelled(listed, {"words": Text}, gathered=gathered)

    def found(words):
        return sorted(row.words for row in statement.rows(session, {"any": words}))

    assert found([]) == []
    assert found(["nobody"]) == []
    for words in TEXTS:
        assert found([words]) == [words]
    assert found([*TEXTS, "nobody"]) == sorted(TEXTS)
    assert found((TEXTS[5], TEXTS[5])) == [TEXTS[5]]
    assert found(many) == sorted(many[::2])
