"""What an exported folder holds, and whether it is still what was exported."""
