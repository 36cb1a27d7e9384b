"""The version of this package. This module imports nothing."""

VERSION = "0.1.0"
