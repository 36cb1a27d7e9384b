"""Training of style nets on perceptual losses."""
