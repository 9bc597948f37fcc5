"""Deletion of an account and export of the personal data held about it. The only noun that imports all others."""
