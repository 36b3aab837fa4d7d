"""Figures, pages and words of explanations."""
