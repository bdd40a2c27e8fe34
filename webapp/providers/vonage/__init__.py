"""Vonage: its SMS API for plain texts."""

from webapp.providers.vonage.callbacks import VonageCallbacks
from webapp.providers.vonage.messages import KINDS, VonageMessages

__all__ = ["KINDS", "VonageCallbacks", "VonageMessages"]
