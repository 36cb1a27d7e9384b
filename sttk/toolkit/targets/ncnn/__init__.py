"""The ncnn target."""
