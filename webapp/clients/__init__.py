"""The owner's application: who is signed in here, told to it in the ways that it may ask.

Nothing in `accounts` knows of this room.
"""
