"""The domain of Style License: what is true, whatever database, broker or web framework serves it."""
