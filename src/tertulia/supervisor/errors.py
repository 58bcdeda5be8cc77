"""Why a server cannot start."""


class CannotStartError(Exception):
    """The server cannot start; the message is one sentence that names cause and remedy, fit for standard error."""
