"""The measured calls, one a file."""
