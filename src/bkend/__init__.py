"""bkend: a self-hosted backend server."""

__version__ = "0.1.0"
