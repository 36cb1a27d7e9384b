"""Commands that export or need an exporter."""
