"""What both ways of speaking to clients raise."""

from __future__ import annotations


class Disconnected(Exception):
    """The client went away before its body, or its answer, was complete."""
