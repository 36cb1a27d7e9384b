"""One readable file per net."""
