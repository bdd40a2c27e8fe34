"""How we connect: a PostgreSQL URL as libpq reads it, poolers, and two faults of Tortoise mended.

``libpq`` reads the URL. ``asyncpg`` and ``sqlite`` are engines of Tortoise's configuration; its
migrations know the dialect by the module's name.

Tortoise 1.1.9 opens a transaction in steps: take a lock or a pooled connection, connect, BEGIN.
Where a later one fails (the database went away, the disk is full, the request was cancelled) it
keeps what the earlier ones took. On SQLite that is the only connection there is, and the process
would hang from then on; on PostgreSQL a cancelled BEGIN would cost the pool a connection.

When a release of Tortoise mends both, delete ``sqlite`` and ``PooledTransaction``, name Tortoise's
own engine for SQLite in ``database/config.py`` and lift the bound in ``pyproject.toml``.
"""
