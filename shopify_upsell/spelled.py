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

from sqlalchemy import ARRAY, Dialect, Text, any_, bindparam, func, select
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

    def __init__(self, statement: Any, columns: Mapping[str, Any] | None = None) -> None:
        """`columns`: the name and type of each column that comes back, in order."""
        self._statement, self._columns = statement, dict(columns or {})
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
        compiled = statement.compile(dialect=dialect)
        given = {key: bind.type.dialect_impl(dialect).bind_processor(dialect) for key, bind in compiled.binds.items()}
        names = compiled.positiontup
        constants = {key: bind.effective_value for key, bind in compiled.binds.items() if not bind.required}
        return _Text(
            sql=compiled.string,
            names=tuple(names) if names is not None else None,
            constants=constants,
            given={key: convert for key, convert in given.items() if convert is not None},
        )

    def _reading(self, dialect: Dialect, description: Sequence[Any]) -> tuple[tuple[int, Convert], ...]:
        """How columns are read that do not come as they are; some types want to know what the driver calls them."""
        kinds = [kind() if isinstance(kind, type) else kind for kind in self._columns.values()]
        told = zip(kinds, description, strict=True)
        readers = [kind.dialect_impl(dialect).result_processor(dialect, column[1]) for kind, column in told]
        return tuple((place, convert) for place, convert in enumerate(readers) if convert is not None)


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


def _row_of(columns: Iterable[str]) -> Any:
    return namedtuple("Row", columns)


def _converted(row: Sequence[Any], read: Sequence[tuple[int, Convert]]) -> list[Any]:
    told = list(row)
    for place, convert in read:
        if told[place] is not None:
            told[place] = convert(told[place])
    return told
