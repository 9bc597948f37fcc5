"""Middleware of all routes: tracing, CORS, idempotency keys, bodies, headers."""
