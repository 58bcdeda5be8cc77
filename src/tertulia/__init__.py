"""Tertulia: a self-hosted live video platform that speaks the OpenTok API."""

__all__ = ["__version__"]

__version__ = "0.1.0"
