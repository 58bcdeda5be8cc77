"""The media router behind its link: requests with deadlines, reconnection, and events for the sessions."""

from tertulia.adapters.router.link import RouterLink

__all__ = ["RouterLink"]
