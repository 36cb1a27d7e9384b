"""The TensorRT target."""
