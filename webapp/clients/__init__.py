"""Integrations of the owner's applications: `/session`, OpenID Connect and webhooks.

Nothing in `accounts` knows of this room.
"""
