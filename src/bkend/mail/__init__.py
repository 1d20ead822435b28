"""Mail to the users of an environment: templates, a durable outbox, delivery (10 §14)."""
