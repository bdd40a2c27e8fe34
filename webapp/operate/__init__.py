"""An operator's commands: what happened to a number, what it cost, and what to do about it."""


class CommandError(ValueError):
    """A command cannot be carried out; the text says why."""
