"""What may happen: limits, and what was spent against them."""
