"""Who: users, their sessions, and how names, numbers and passwords are read and compared."""
