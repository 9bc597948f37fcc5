"""Finding styles and artists by any part of what they are called."""
