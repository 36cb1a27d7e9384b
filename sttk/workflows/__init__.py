"""What joins export, parity, bench and tune into the work of a command."""
