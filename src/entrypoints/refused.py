class Refused(Exception):
    """A command cannot do its work; the message is for the person who gave it."""
