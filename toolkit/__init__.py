"""sttk, the Style Transfer ToolKit: style nets from PyTorch to phones, edge boxes and GPUs."""

__version__ = "0.1.0"
