"""Results as reports: one file a format."""
