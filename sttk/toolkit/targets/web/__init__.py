"""The web target."""
