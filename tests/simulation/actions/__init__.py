"""Actions of users, each from several sessions at once, so that they race for their own tokens."""
