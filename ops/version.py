"""Version of the operators' package."""

__version__ = "0.1.0"
