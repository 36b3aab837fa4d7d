"""Stored features of a gallery: written once, searched often."""
