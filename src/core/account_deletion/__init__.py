"""Deleting a person, and exporting what is held about them: the only noun that knows all others."""
