"""What goes out: the outbox, and the words of our texts."""
