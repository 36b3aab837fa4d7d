"""timm's models as targets."""
