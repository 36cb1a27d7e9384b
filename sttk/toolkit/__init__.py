"""What everything else stands on: a folder for each question."""
