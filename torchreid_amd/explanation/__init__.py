"""Photographs to explanations, and explanations to figures, pages and files."""
