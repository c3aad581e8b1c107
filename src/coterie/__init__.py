"""Coterie: parties train a model together and keep their data."""

__version__ = "0.1.0"
