"""Bytes to typed messages and back: tokens, REST, signalling, the router link. It knows no service."""
