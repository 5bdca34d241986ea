"""The version of layerdoit."""

__version__ = "0.1.0"
