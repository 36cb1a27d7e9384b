"""How files, streams and terminals are read and written."""
