"""How pictures are read, degraded, arranged and written."""
