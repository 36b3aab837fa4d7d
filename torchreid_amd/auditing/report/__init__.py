"""An audit written down: sentences, a page, a figure, a notebook cell."""
