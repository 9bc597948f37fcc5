class CommandFailed(Exception):
    """A command cannot do its work; the message is for its user."""
