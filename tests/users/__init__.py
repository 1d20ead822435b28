"""Users: the API, removal, avatars, objects."""
