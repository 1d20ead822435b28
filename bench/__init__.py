"""Measurements of bkend beside PocketBase and a bare endpoint: `python -m bench`."""
