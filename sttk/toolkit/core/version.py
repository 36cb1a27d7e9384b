"""The version of this package; no import."""

VERSION = "0.1.0"
