"""Ways to cut a model into stem, body and tail."""
