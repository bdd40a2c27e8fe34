"""An operator's commands: what happened to a number, what it cost, and what to do about it."""


class CommandError(ValueError):
    """A command cannot do what it is told; its text says why, in a line."""
