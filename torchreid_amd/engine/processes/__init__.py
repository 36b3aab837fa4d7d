"""A training that several processes share, as if one process had the whole batch."""
