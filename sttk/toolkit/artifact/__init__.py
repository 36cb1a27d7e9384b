"""Artifacts on disk: the manifest, the files that it names, and how they are written and found."""
