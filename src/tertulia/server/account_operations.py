"""The operations of an account: projects made, suspended, given another secret, and deleted."""

from __future__ import annotations

from typing import Literal

import msgspec

from tertulia.server import arguments
from tertulia.server.calls import Call, nothing, reading
from tertulia.server.values import OwnedProject

__all__ = ["AccountOperations"]

ALL = "/v2/project"


class AccountOperations:
    """Makes calls of arguments. Arguments that cannot be right raise InvalidParameterError before anything is sent."""

    def create_project(self, name: str = "") -> Call[OwnedProject]:
        """Make a project.

        Args:
            name: For people, at most 200 characters.

        Raises:
            AuthenticationError: If the account's key or secret is not the server's.
            ApiError: Any other of the tree.
        """
        return Call("POST", ALL, reading(OwnedProject), json={"name": arguments.text(name, "name")})

    def list_projects(self) -> Call[tuple[OwnedProject, ...]]:
        """Find out which projects the server has.

        Raises:
            ApiError: Any of the tree.
        """
        return Call("GET", ALL, msgspec.json.Decoder(tuple[OwnedProject, ...]).decode, repeatable=True)

    def get_project(self, api_key: str) -> Call[OwnedProject]:
        """Find out about one project.

        Args:
            api_key: Its key.

        Raises:
            NotFoundError: If there is no such project.
            ApiError: Any other of the tree.
        """
        return Call("GET", _one(api_key), reading(OwnedProject), repeatable=True)

    def set_project_status(self, api_key: str, status: Literal["ACTIVE", "SUSPENDED"]) -> Call[OwnedProject]:
        """Suspend a project, so that every token of its key is refused, or make it active again.

        Args:
            api_key: Its key.
            status: What it shall be.

        Raises:
            NotFoundError: If there is no such project.
            ApiError: Any other of the tree.
        """
        return Call("PUT", _one(api_key), reading(OwnedProject), repeatable=True, json={"status": status})

    def refresh_secret(self, api_key: str) -> Call[OwnedProject]:
        """Give a project another secret; what the old one signed is refused from now on.

        Args:
            api_key: Its key.

        Raises:
            NotFoundError: If there is no such project.
            InvalidParameterError: If its secret stands in the server's configuration.
            ApiError: Any other of the tree.
        """
        return Call("POST", f"{_one(api_key)}/refreshSecret", reading(OwnedProject))

    def delete_project(self, api_key: str) -> Call[None]:
        """Delete a project; everybody in its sessions is disconnected.

        Args:
            api_key: Its key.

        Raises:
            NotFoundError: If there is no such project.
            InvalidParameterError: If it stands in the server's configuration.
            ApiError: Any other of the tree.
        """
        return Call("DELETE", _one(api_key), nothing)


def _one(api_key: str) -> str:
    return f"{ALL}/{arguments.part(api_key, 'api_key')}"
