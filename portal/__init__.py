"""Osteon: a portal for multi-reader imaging studies."""

__version__ = "0.1.0"
