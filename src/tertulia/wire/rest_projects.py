"""Bodies of the account's part of the REST API: projects with their secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tertulia.domain.project import Project, ProjectStatus
from tertulia.errors import InvalidParameterError
from tertulia.wire.rest_fields import fields_of, needed, text

__all__ = ["owned_project", "owned_project_list", "parse_new_project", "parse_status"]


def parse_new_project(content_type: str, body: bytes) -> str:
    """Read `POST /v2/project`; returns the name, empty if none is given."""
    return text(fields_of(content_type, body), "name") or ""


def parse_status(content_type: str, body: bytes) -> ProjectStatus:
    """Read `PUT /v2/project/{key}`."""
    status = needed(fields_of(content_type, body), "status")
    try:
        return ProjectStatus(status.upper())
    except ValueError as error:
        raise InvalidParameterError("status is neither ACTIVE nor SUSPENDED.") from error


def owned_project(project: Project) -> bytes:
    """A project as its account sees it."""
    return msgspec.json.encode(_owned(project))


def owned_project_list(projects: Sequence[Project]) -> bytes:
    """Projects as their account sees them: a bare array."""
    return msgspec.json.encode([_owned(project) for project in projects])


def _owned(project: Project) -> Mapping[str, Any]:
    return {
        "id": project.api_key,
        "secret": project.api_secret,
        "status": project.status.value,
        "name": project.name,
        "createdAt": project.created_at_ms,
        # Clients read one or the other.
        "environment": "standard",
        "environmentName": "default",
        "environmentDescription": "Standard Environment",
    }
