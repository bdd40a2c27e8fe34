"""Proofs: one-time codes."""
