"""What is around every route: tracing, CORS, idempotency keys."""
