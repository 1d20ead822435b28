"""Checks of an installation, for `bkend doctor` (00 §8)."""
