"""Refusals of images that no other part has (30 §8)."""

from __future__ import annotations

from bkend.errors import ApiError


class ImagesBusy(ApiError):
    """More images are to be made than may wait for it, or none can be made at all."""

    status, code = 503, "common/unavailable"
    default_message = "The server is busy with other images; try again"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message, headers={"Retry-After": "2"})
