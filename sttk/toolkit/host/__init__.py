"""This machine: processor, memory, installed packages, signals."""
