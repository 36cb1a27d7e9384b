"""Report formats for results, one file each."""
