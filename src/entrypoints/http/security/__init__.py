"""Access control: guards, sessions and cookies, signatures, rate limits."""
