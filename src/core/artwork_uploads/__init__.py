"""Artworks that artists send straight to the store, until a style is made of them."""
