"""Sign-in through other services: Google, GitHub, any OpenID Connect provider (10 §7, §11)."""
