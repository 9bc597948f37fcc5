"""Dead-lettered messages and their redrive."""
