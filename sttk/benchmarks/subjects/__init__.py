"""What a stopwatch can hold: one file a kind."""
