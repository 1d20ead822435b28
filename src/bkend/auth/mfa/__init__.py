"""The second factor of sign-in: one-time passwords and backup codes (10 §10)."""
