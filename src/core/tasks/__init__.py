"""Tasks for the AI servers, from the outbox to the broker."""
