"""Users signing up, signing in and staying signed in (10)."""
