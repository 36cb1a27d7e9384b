"""What this machine has: processor, memory, installed packages, signals."""
