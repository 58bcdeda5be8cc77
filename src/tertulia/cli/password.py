"""`tertulia password`: a hash of the operator's password, for the configuration."""

from __future__ import annotations

import getpass
import sys

from tertulia.errors import InvalidParameterError
from tertulia.passwords import MAX_PASSWORD_CHARACTERS, hash_password


def password() -> None:
    """Ask for the operator's password, or read it from standard input, and print its hash for the configuration."""
    if sys.stdin.isatty():
        given = getpass.getpass("Password for the projects page: ")
        if getpass.getpass("The same again: ") != given:
            raise InvalidParameterError("The two are not the same.")
    else:
        given = sys.stdin.readline(MAX_PASSWORD_CHARACTERS + 2).rstrip("\r\n")
    try:
        sys.stdout.write(hash_password(given) + "\n")
    except ValueError as error:
        raise InvalidParameterError(str(error)) from error
