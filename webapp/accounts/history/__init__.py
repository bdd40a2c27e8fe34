"""The outcome of every request for a code: events by phone, and totals by day."""
