"""An operator's commands: what happened to a number, and what to do about it."""
