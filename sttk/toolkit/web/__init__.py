"""Pages that run a style in a browser: a folder, served."""
