"""The table of 51 §4, written out: which role may do what."""

from __future__ import annotations

import pytest

from bkend.manage.rights import MAY_GIVE, MAY_INVITE, MAY_REMOVE, RIGHTS, ROLES

# The columns are Owner, Admin, Member, Billing.
TABLE = {
    "organization:read": "✓ ✓ ✓ ✓",
    "member:read": "✓ ✓ ✓ ✓",
    "organization:update": "✓ ✓ – –",
    "activity:read": "✓ ✓ – –",
    "project:create": "✓ ✓ – –",
    "project:delete": "✓ ✓ – –",
    "project:update": "✓ ✓ – –",
    "project:read": "✓ ✓ ✓ –",
    "environment:read": "✓ ✓ ✓ –",
    "environment:create": "✓ ✓ – –",
    "environment:update": "✓ ✓ – –",
    "environment:delete": "✓ ✓ – –",
    "table:read": "✓ ✓ ✓ –",
    "table:create": "✓ ✓ ✓ –",
    "table:update": "✓ ✓ ✓ –",
    "table:delete": "✓ ✓ ✓ –",
    "table:data:read": "✓ ✓ ✓ –",
    "table:data:create": "✓ ✓ ✓ –",
    "table:data:update": "✓ ✓ ✓ –",
    "table:data:delete": "✓ ✓ ✓ –",
    "file:read": "✓ ✓ ✓ –",
    "file:update": "✓ ✓ ✓ –",
    "file:delete": "✓ ✓ ✓ –",
    "user:read": "✓ ✓ ✓ –",
    "user:update": "✓ ✓ – –",
    "user:delete": "✓ ✓ – –",
    "auth-config:read": "✓ ✓ ✓ –",
    "auth-config:update": "✓ ✓ – –",
    "access-token:read": "✓ ✓ ✓ –",
    "access-token:create": "✓ ✓ – –",
    "access-token:update": "✓ ✓ – –",
    "access-token:delete": "✓ ✓ – –",
    "member:create": "✓ ✓ – –",
    "member:update": "✓ ✓ – –",
    "member:delete": "✓ ✓ – –",
    "own-token:read": "✓ ✓ ✓ –",
    "own-token:create": "✓ ✓ ✓ –",
    "own-token:delete": "✓ ✓ ✓ –",
    "backup:read": "✓ ✓ – –",
    "backup:create": "✓ ✓ – –",
    "backup:restore": "✓ ✓ – –",
    "dashboard:read": "✓ ✓ ✓ ✓",
    "organization:transfer": "✓ – – –",
    "organization:delete": "✓ – – –",
    "organization:leave": "– ✓ ✓ ✓",
}


@pytest.mark.parametrize("right", TABLE)
def test_a_line_of_the_table(right: str) -> None:
    for role, cell in zip(ROLES, TABLE[right].split(), strict=True):
        assert (right in RIGHTS[role]) == (cell == "✓"), role


def test_no_role_has_a_right_that_the_table_does_not_know() -> None:
    assert set().union(*RIGHTS.values()) == set(TABLE)
    assert RIGHTS.keys() == set(ROLES)


def test_who_invites_changes_and_removes_whom() -> None:
    everybody_else = {"admin", "member", "billing"}
    assert {"owner": everybody_else, "admin": {"member"}} == MAY_INVITE
    assert {"owner": everybody_else, "admin": {"member", "billing"}} == MAY_GIVE
    assert {"owner": everybody_else, "admin": {"member", "billing"}} == MAY_REMOVE
