"""Style transfer without a net: the pixels of one picture are optimised."""
