"""Every pair of a test set: its decomposition, scored in blocks."""
