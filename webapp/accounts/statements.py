"""Runs SQL without Tortoise's query builder, which takes 0.2 to 0.4 ms of CPU for a statement.

That is five times the cost of running it. So the statements of every sign-up are written in SQL,
beside their model; rarer ones are left to Tortoise.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from tortoise.connection import get_connection
from tortoise.models import Model

Row = Mapping[str, Any]
SomeModel = TypeVar("SomeModel", bound=Model)


async def run(sql: str, *values: object) -> Sequence[Row]:
    """Run one statement, in the transaction that is open here if one is, and return its rows.

    ``values`` stand in it as ``$1`` and on. A write has rows by ``RETURNING``, which tells whether
    its condition was met. Values come as the database has them: on SQLite a time is text, until
    ``moment`` reads it or ``loaded`` makes a model of the row.
    """
    connection = get_connection("default")
    if connection.capabilities.dialect == "sqlite":
        sql = _for_sqlite(sql)
    return await connection.execute_query_dict(sql, list(values))


async def write_many(sql: str, rows: Sequence[Sequence[object]]) -> None:
    """Run a write once for each of ``rows``, in one round trip on PostgreSQL."""
    connection = get_connection("default")
    if connection.capabilities.dialect == "sqlite":
        sql = _for_sqlite(sql)
    if rows:
        await connection.execute_many(sql, [list(row) for row in rows])


async def add(model: Model) -> None:
    """Save a new row. Where the database numbers its rows, the model has its number afterwards."""
    columns, sql = _insert(type(model))
    await _save(model, sql, *(getattr(model, column) for column in columns))


async def add_for(user_id: int, model: Model) -> bool:
    """Save a new row if there is a user with this id. Returns whether it did.

    It is one statement either way, so that its time does not tell whether the user exists.
    """
    columns, sql = _insert(type(model))
    user = f"${len(columns) + 1}"
    before, values, after = re.split(r"VALUES \((.*)\)", sql)
    sql = f"{before}SELECT {values} WHERE EXISTS (SELECT 1 FROM users WHERE id = {user}){after}"  # noqa: S608
    return await _save(model, sql, *(getattr(model, column) for column in columns), user_id)


async def add_unless_there(model: Model) -> bool:
    """Save a new row, unless one like it, by a unique column, is there: whether it did."""
    columns, sql = _insert(type(model))
    sql = sql.replace(" RETURNING", " ON CONFLICT DO NOTHING RETURNING")
    return await _save(model, sql, *(getattr(model, column) for column in columns))


async def _save(model: Model, sql: str, *values: object) -> bool:
    rows = await run(sql, *values)
    if rows:
        model.pk = rows[0][model._meta.pk_attr]  # noqa: SLF001
        model._saved_in_db = True  # noqa: SLF001 - without it Tortoise does not delete it
    return bool(rows)


def loaded(model: type[SomeModel], row: Row, prefix: str = "") -> SomeModel:
    """The model of a row that has all of its columns, their names behind ``prefix``."""
    if prefix:
        row = {name.removeprefix(prefix): row[name] for name in row if name.startswith(prefix)}
    return model._init_from_db(**row)  # noqa: SLF001


def moment(value: Any) -> datetime | None:
    """A time out of a row, which SQLite gives as text."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


@cache
def columns_of(model: type[Model], alias: str) -> str:
    """What selects every column of the table ``alias``, for ``loaded`` with the prefix "alias_"."""
    columns = model._meta.fields_db_projection.values()  # noqa: SLF001
    return ", ".join(f'{alias}."{column}" AS {alias}_{column}' for column in columns)


@cache
def _for_sqlite(sql: str) -> str:
    """SQLite's placeholders are ``?1`` and on; with one writer at a time it needs no row locks."""
    return sql.replace("$", "?").replace("FOR UPDATE SKIP LOCKED", "")


@cache
def _insert(model: type[Model]) -> tuple[list[str], str]:
    """The columns to give values to, and the statement."""
    meta = model._meta  # noqa: SLF001
    columns = [
        column
        for column in meta.fields_db_projection.values()
        if column not in meta.generated_db_fields
    ]
    names = ", ".join(f'"{column}"' for column in columns)
    places = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
    table, key = meta.db_table, meta.db_pk_column
    return columns, f"INSERT INTO {table} ({names}) VALUES ({places}) RETURNING {key}"  # noqa: S608
