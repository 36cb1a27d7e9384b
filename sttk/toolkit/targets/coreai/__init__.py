"""The Core AI target."""
