"""An artifact or a model file, opened: what it holds, runs under and must equal."""
