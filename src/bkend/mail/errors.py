"""What the mail part refuses with a code of its own (10 §14)."""

from __future__ import annotations

from bkend.errors import ApiError


class TemplateNotFound(ApiError):
    """There is no such category of mail."""

    status, code = 404, "auth/template-not-found"

    def __init__(self, category: str) -> None:
        super().__init__(f"There is no e-mail template {category[:64]!r}")
