"""AI servers for development: they speak the real ones' wire, and paint instead of inferring."""
