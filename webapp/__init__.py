"""Account sign-up with phone verification."""
