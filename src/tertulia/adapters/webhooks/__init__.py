"""Callbacks over HTTP: one attempt at a time, to an address that was checked."""

from tertulia.adapters.webhooks.sender import HttpSender

__all__ = ["HttpSender"]
