"""The LiteRT target."""
