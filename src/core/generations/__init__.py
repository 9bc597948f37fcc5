"""Images made in a style, each paid for once and only if it was made."""
