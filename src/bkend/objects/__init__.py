"""Stored objects: bytes under a key, outside the database (00 §2, 30)."""
