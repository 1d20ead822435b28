from __future__ import annotations

import pytest

from bkend.auth import shapes

USER = {
    "id": "u1",
    "email": "ada@example.com",
    "name": "Ada",
    "role": "user",
    "createdAt": "2027-01-15T08:00:00.000Z",
    "updatedAt": "2027-01-15T08:00:00.000Z",
}


def test_user_shows_what_is_allowed_and_nothing_else() -> None:
    shown = shapes.auth_user(
        {**USER, "passwordHash": "h", "emailKey": "k", "deletedAt": None, "anything": 1}
    )
    assert shown == {
        **USER,
        "nickname": None,
        "image": None,
        "emailVerified": None,
        "onboardingStatus": "pending",
        "mfaEnabled": False,
    }


@pytest.mark.parametrize(
    ("total", "page", "pages", "has_next", "has_prev"),
    [
        (0, 1, 0, False, False),
        (10, 1, 1, False, False),
        (11, 1, 2, True, False),
        (11, 2, 2, False, True),
        (11, 9, 2, False, True),
    ],
)
def test_list_tells_where_it_stands(
    total: int, page: int, pages: int, has_next: bool, has_prev: bool
) -> None:
    assert shapes.session_list([], total, page, 10)["pagination"] == {
        "total": total,
        "page": page,
        "limit": 10,
        "totalPages": pages,
        "hasNext": has_next,
        "hasPrev": has_prev,
        "hasNextPage": has_next,
        "hasPrevPage": has_prev,
    }
