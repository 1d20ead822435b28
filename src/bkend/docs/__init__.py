"""The product's documentation, served under ``/docs/``."""

from bkend.docs.site import routes

__all__ = ["routes"]
