"""What stops a measurement."""


class BenchError(Exception):
    """Something the figures depend on is missing or answered wrongly; the message says what."""
