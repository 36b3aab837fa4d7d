"""Scores as tables, Markdown and figures."""
