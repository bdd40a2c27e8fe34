"""Tortoise's connections, giving back what they took where a later step of the taking fails.

Tortoise 1.1.9 opens a transaction in steps: take a lock or a pooled connection, connect, BEGIN.
Where a later one fails (the database went away, the disk is full, the request was cancelled) it
keeps what the earlier ones took. On SQLite that is the only connection there is, and the process
would hang from then on; on PostgreSQL a cancelled BEGIN would cost the pool a connection.

When a release of Tortoise mends both, delete this folder, name Tortoise's own engines in
``database.py`` and lift the bound in ``pyproject.toml``.

Each module is an engine of Tortoise's configuration. Tortoise's migrations know the dialect by the
module's name.
"""
