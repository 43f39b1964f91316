"""What a model does."""
