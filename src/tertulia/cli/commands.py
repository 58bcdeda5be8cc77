"""Every command of `tertulia`, and how their failures are told."""

from __future__ import annotations

import sys

from cyclopts import App, CycloptsError, Parameter

from tertulia import __version__
from tertulia.config import ConfigurationError
from tertulia.errors import TertuliaError
from tertulia.supervisor.errors import CannotStartError

app = App(
    name="tertulia",
    help="Live video sessions on your own machines.",
    version=__version__,
    default_parameter=Parameter(negative=()),
)
# Loaded when they are called: a server should not wait for what only administration needs.
for _module, _name, _help in (
    ("serving", "dev", "Start everything on this machine for development."),
    ("serving", "serve", "Start a production server."),
    ("project", "project", "Make, list, suspend, rotate and delete projects."),
    ("session", "session", "Make, list and import sessions, and see who is in one."),
    ("token", "token", "Make tokens for clients, and find out why one is refused."),
    ("callback", "callback", "Have events sent to your application, and see what became of them."),
    ("password", "password", "Make a hash of the operator's password for the projects page."),
    ("issue", "issue", "Read what pages reported."),
    ("load", "load", "Load a server with clients and count what arrives."),
):
    app.command(f"tertulia.cli.{_module}:{_name}", name=_name, help=_help)


def run(arguments: list[str] | None = None) -> int:
    """Run one command line; returns the exit status: 0, 1 for a failure told in one sentence, 2 for misuse."""
    try:
        status = app(arguments, exit_on_error=False, print_error=True, result_action="return_value")
    except CycloptsError:
        return 2
    except (CannotStartError, ConfigurationError, TertuliaError) as error:
        sys.stderr.write(f"tertulia: {error}\n")
        return 1
    # A command says no by returning 1; --help and --version return what they printed.
    return status if isinstance(status, int) else 0
