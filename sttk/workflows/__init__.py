"""The work behind the commands, which joins export, parity, bench and tune."""
