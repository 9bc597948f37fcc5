"""The domain of Style License. It knows no database, broker or web framework."""
