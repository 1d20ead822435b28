"""Users and what they keep about themselves: `/v1/users` (11)."""
