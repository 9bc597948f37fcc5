"""Search for styles and artists by any part of their names or tags."""
