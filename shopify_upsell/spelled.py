"""Statements spelled out once for each database, for the few paths where SQLAlchemy's own work exceeds the database's.

Built like every other statement; what is skipped is finding out again, at every call, what its text is, how each value
is written and how each column is read. They run inside the session's transaction, on its connection.
"""

import json
import logging
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ARRAY, Dialect, Float, Table, Text, any_, bindparam, case, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator

log = logging.getLogger(__name__)

Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class _Text:
    """A statement as one driver takes it.

    `names`: parameters in the driver's order where it takes them by place, else None. `constants`: those that the
    statement brought along. `given`: how values are written that the driver does not take as they are.
    """

    sql: str
    names: tuple[str, ...] | None
    constants: Mapping[str, Any]
    given: Mapping[str, Convert]
    is_one_row: bool = False

    def values(self, row: Mapping[str, Any]) -> Any:
        """The parameters of one run. Raises: KeyError for one that is missing."""
        given = self.given
        if self.constants:
            row = {**self.constants, **row}
        if self.names is None:
            return {name: given[name](value) if name in given else value for name, value in row.items()}
        return [given[name](row[name]) if name in given else row[name] for name in self.names]


class TextList(TypeDecorator[Sequence[str]]):
    """A list of texts as one parameter, of any length: an array, or JSON where the database has no arrays."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """The database's own type."""
        return dialect.type_descriptor(ARRAY(Text()) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """The list as the database takes it."""
        return list(value) if dialect.name == "postgresql" else json.dumps(list(value))


def _in_array(column: Any, name: str) -> Any:
    return column == any_(bindparam(name, type_=TextList()))


def _in_json(column: Any, name: str) -> Any:
    listed = func.json_each(bindparam(name, type_=TextList())).table_valued("value")
    return column.in_(select(listed.c.value))


IsOneOf = Callable[[Any, str], Any]

ONE_OF: dict[str, IsOneOf] = {"postgresql": _in_array, "sqlite": _in_json}
"""By database: the condition that a text column is one of the list given as the named parameter."""


class Spelled:
    """A statement and its text for each database. Every parameter is named and given."""

    def __init__(self, statement: Any, columns: Mapping[str, Any] | None = None, *, gathered: bool = False) -> None:
        """`columns`: the name and type of each column that comes back, in order.

        `gathered`: rows come as one, where the driver would give other threads the turn at every row.
        """
        self._statement, self._columns, self._is_gathered = statement, dict(columns or {}), gathered
        self._row: Any = _row_of(self._columns)
        self._texts: dict[str, _Text] = {}
        self._readers: dict[str, tuple[tuple[int, Convert], ...]] = {}

    def rows(self, session: Session, values: Mapping[str, Any]) -> list[Any]:
        """Run it and read everything; columns by name."""
        dialect = session.get_bind().dialect
        text = self._text(dialect)
        with _cursor(session, dialect, text.sql) as cursor:
            cursor.execute(text.sql, text.values(values))
            found = cursor.fetchall()
            readers = self._readers.get(dialect.name)
            if readers is None:
                readers = self._readers[dialect.name] = self._reading(dialect, cursor.description)
        if text.is_one_row:
            found = orjson.loads(found[0][0])
        if not readers:
            return [self._row._make(one) for one in found]
        return [self._row._make(_converted(one, readers)) for one in found]

    def changes(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """Run it once a row, one after the other, and tell how many rows each run changed."""
        if not rows:
            return []
        dialect = session.get_bind().dialect
        text = self._text(dialect)
        counts: list[int] = []
        with _cursor(session, dialect, text.sql) as cursor:
            for row in rows:
                cursor.execute(text.sql, text.values(row))
                counts.append(int(cursor.rowcount))
        return counts

    def change_each(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run it once a row, in as few round trips as the driver can."""
        dialect = session.get_bind().dialect
        text = self._text(dialect)
        with _cursor(session, dialect, text.sql) as cursor:
            cursor.executemany(text.sql, [text.values(row) for row in rows])

    def _text(self, dialect: Dialect) -> _Text:
        if dialect.name not in self._texts:
            self._texts[dialect.name] = self._spelled(dialect)
        return self._texts[dialect.name]

    def _spelled(self, dialect: Dialect) -> _Text:
        statement = self._statement[dialect.name] if isinstance(self._statement, Mapping) else self._statement
        is_one_row = self._is_gathered and dialect.name == "sqlite"
        compiled = (self._in_one_row(statement) if is_one_row else statement).compile(dialect=dialect)
        given = {key: bind.type.dialect_impl(dialect).bind_processor(dialect) for key, bind in compiled.binds.items()}
        names = compiled.positiontup
        constants = {key: bind.effective_value for key, bind in compiled.binds.items() if not bind.required}
        return _Text(
            sql=compiled.string,
            names=tuple(names) if names is not None else None,
            constants=constants,
            given={key: convert for key, convert in given.items() if convert is not None},
            is_one_row=is_one_row,
        )

    def _in_one_row(self, statement: Any) -> Any:
        """The same rows as one JSON text. Fractions stand as text with all their digits; SQLite's JSON has fewer."""
        rows = statement.subquery()
        kinds = zip(rows.c, self._columns.values(), strict=True)
        cells = [
            case((cell.is_not(None), func.format("%!.17g", cell))) if _is_fraction(kind) else cell
            for cell, kind in kinds
        ]
        return select(func.json_group_array(func.json_array(*cells)))

    def _reading(self, dialect: Dialect, description: Sequence[Any]) -> tuple[tuple[int, Convert], ...]:
        """How columns are read that do not come as they are; some types want to know what the driver calls them."""
        kinds = [kind() if isinstance(kind, type) else kind for kind in self._columns.values()]
        if self._texts[dialect.name].is_one_row:
            readers = [float if _is_fraction(kind) else _reader(kind, dialect, None) for kind in kinds]
        else:
            told = zip(kinds, description, strict=True)
            readers = [_reader(kind, dialect, column[1]) for kind, column in told]
        return tuple((place, convert) for place, convert in enumerate(readers) if convert is not None)


MOST_ROWS = 16
"""Rows of one INSERT. Our choice: some hundred parameters, and a statement for each number of rows."""

INSERTS = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
"""The INSERT that knows ON CONFLICT, by database."""


class SpelledInsert:
    """An INSERT of many rows in few statements, spelled out for every number of rows.

    Each statement is one round trip, and to a thread of ours one turn, however many rows it brings.
    """

    def __init__(self, table: Table, finish: Callable[[Any], Any] = lambda statement: statement) -> None:
        """`finish`: adds what follows the rows, as ON CONFLICT does. Every column of the table is given."""
        self._table, self._finish = table, finish
        self._texts: dict[tuple[str, int], _Rows] = {}

    def put(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> int:
        """Insert the rows in their order; how many the database says it changed. Raises: KeyError for a column missing.

        No two rows may be about the same key where conflicts are updates.
        """
        dialect, changed, start = session.get_bind().dialect, 0, 0
        while start < len(rows):
            count = min(MOST_ROWS, len(rows) - start)
            text = self._text(dialect, count)
            with _cursor(session, dialect, text.sql) as cursor:
                cursor.execute(text.sql, text.values(rows[start : start + count]))
                changed += int(cursor.rowcount)
            start += count
        return changed

    def _text(self, dialect: Dialect, count: int) -> "_Rows":
        key = (dialect.name, count)
        if key not in self._texts:
            self._texts[key] = self._spelled(dialect, count)
        return self._texts[key]

    def _spelled(self, dialect: Dialect, count: int) -> "_Rows":
        columns = tuple(self._table.c)
        rows = [
            {column.name: bindparam(f"{column.name}__{place}", type_=column.type) for column in columns}
            for place in range(count)
        ]
        compiled = self._finish(INSERTS[dialect.name](self._table).values(rows)).compile(dialect=dialect)
        given = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in columns]
        readers = tuple((column.name, convert) for column, convert in zip(columns, given, strict=True))
        names = tuple(name for row in rows for name in (bind.key for bind in row.values()))
        is_positional = compiled.positiontup is not None
        if is_positional and tuple(compiled.positiontup) != names:
            raise ValueError("the rows of an INSERT are its only parameters")
        return _Rows(compiled.string, readers, None if is_positional else names)


@dataclass(frozen=True)
class _Rows:
    """An INSERT as one driver takes it. `names`: of all parameters in order, where it takes them by name."""

    sql: str
    columns: tuple[tuple[str, Convert | None], ...]
    names: tuple[str, ...] | None

    def values(self, rows: Sequence[Mapping[str, Any]]) -> Any:
        """The parameters of one run."""
        columns = self.columns
        told = [convert(row[name]) if convert else row[name] for row in rows for name, convert in columns]
        return told if self.names is None else dict(zip(self.names, told, strict=True))


@contextmanager
def driver_errors(dialect: Dialect, sql: str) -> Iterator[None]:
    """Raise the driver's errors as SQLAlchemy's, without any value, as if SQLAlchemy had run the statement."""
    driver: Any = dialect.dbapi
    try:
        yield
    except driver.Error as error:
        wrapped: Any = DBAPIError.instance(sql, {}, error, driver.Error, hide_parameters=True, dialect=dialect)
        raise wrapped from error


@contextmanager
def _cursor(session: Session, dialect: Dialect, sql: str) -> Iterator[Any]:
    connection = session.connection().connection
    log.debug("statement_run", extra={"sql": sql})
    with driver_errors(dialect, sql):
        cursor = connection.cursor()
        try:
            yield cursor
        finally:
            cursor.close()


def _is_fraction(kind: Any) -> bool:
    return isinstance(kind() if isinstance(kind, type) else kind, Float)


def _reader(kind: Any, dialect: Dialect, driver_type: Any) -> Convert | None:
    convert: Convert | None = kind.dialect_impl(dialect).result_processor(dialect, driver_type)
    return convert


def _row_of(columns: Iterable[str]) -> Any:
    return namedtuple("Row", columns)


def _converted(row: Sequence[Any], read: Sequence[tuple[int, Convert]]) -> list[Any]:
    told = list(row)
    for place, convert in read:
        if told[place] is not None:
            told[place] = convert(told[place])
    return told
