"""What is measured, one call a file."""
