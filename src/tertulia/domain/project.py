"""A project: who owns sessions, and the secret that signs its tokens."""

from dataclasses import dataclass, field
from enum import StrEnum

from tertulia.ids import ApiKey

__all__ = ["Account", "Project", "ProjectStatus"]


class ProjectStatus(StrEnum):
    """Whether calls with the project's key are served."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"


@dataclass(frozen=True, slots=True)
class Project:
    """One customer of this server.

    Attributes:
        api_key: 8 to 10 decimal digits, at most 2147483647 (some SDKs read it as a 32-bit integer).
        api_secret: 40 lower-case hexadecimal characters; never printed by `repr`.
        name: For people.
        status: Calls with a suspended key are refused.
        created_at_ms: Time of creation, milliseconds since the epoch; 0 if it is not known.
        accept_known_keys: Whether a session id that is not known here, but names this key, is taken in on its first
            use: for teams that bring old ids along.
    """

    api_key: ApiKey
    api_secret: str = field(repr=False)
    name: str = ""
    status: ProjectStatus = ProjectStatus.ACTIVE
    created_at_ms: int = 0
    accept_known_keys: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """Who may make, change and delete projects through the REST API: this server's operator.

    Attributes:
        api_key: Of the shape of a project's, in a space of its own.
        api_secret: 40 lower-case hexadecimal characters; never printed by `repr`.
    """

    api_key: ApiKey
    api_secret: str = field(repr=False)
