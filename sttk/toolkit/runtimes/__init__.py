"""What runs a model on arrays, and a picture through it."""
