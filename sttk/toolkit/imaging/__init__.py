"""Pictures: reading, degrading, arranging and writing them."""
