"""Accounts of the people who build: apart from the users of their apps (51 §3.1, §7)."""
