"""Styles: an artist's training images, the model trained on them, and the terms of use."""
