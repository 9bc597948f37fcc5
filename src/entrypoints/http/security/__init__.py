"""Who calls and what they may do: guards, sessions and cookies, signatures, rate limits."""
