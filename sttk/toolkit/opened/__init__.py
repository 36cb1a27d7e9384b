"""Opened artifacts and model files: their contents, runners and references."""
