"""What a model relies on, where it fails and how it compares with another one, over a whole test set."""
