"""Styles: an artist's pictures, the model trained on them, and the terms of its use."""
