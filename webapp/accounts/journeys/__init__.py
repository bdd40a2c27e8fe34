"""The verbs: what happens to a person, in the order in which it happens."""
