"""The ports in memory, with real rollback, locks and refusals: for tests, for simulation, for trying out."""
