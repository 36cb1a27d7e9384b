"""The parity gate: it decides whether two models are the same function."""
