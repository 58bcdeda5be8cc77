"""A project: who owns sessions, and the secret that signs its tokens."""

from dataclasses import dataclass, field
from enum import StrEnum

from tertulia.ids import ApiKey

__all__ = ["Project", "ProjectStatus"]


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
    """

    api_key: ApiKey
    api_secret: str = field(repr=False)
    name: str = ""
    status: ProjectStatus = ProjectStatus.ACTIVE
