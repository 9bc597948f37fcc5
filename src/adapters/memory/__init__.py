"""In-memory adapters with real rollback, locks and refusals: for tests, simulation and trying out."""
