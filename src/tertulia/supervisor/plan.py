"""What the supervisor is to run: handed over as one JSON file by the command that the user typed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """Everything the supervisor needs to know.

    Attributes:
        run_folder: Absolute path of the folder for locks, process ids and the readiness file; exists already.
        log_folder: Where each child's output is written; None leaves it on the supervisor's standard error.
        http_addresses: IP addresses to listen on for control.
        http_port: TCP port; 0 lets the system choose one, the same for every address.
        router: The router's command line.
        control: Control's command line, to which the supervisor adds `--ready FILE` and, for each listening socket,
            `--http-socket NUMBER`.
        announce: `json`, `text` or `none`: what to print on standard output once ready.
        fingerprint: Of all that decides how the children behave. Processes that a killed supervisor left are taken over
            if theirs is the same, and else ended.
        router_link: The router's socket, on which it is asked whether it answers.
        drain_s: How long control has to let its clients go, in seconds.
        reloads: Whether SIGHUP makes control read its certificate again; else it stops everything, as when a terminal
            is closed.
    """

    run_folder: str
    log_folder: str | None
    http_addresses: tuple[str, ...]
    http_port: int
    router: tuple[str, ...]
    control: tuple[str, ...]
    announce: str
    fingerprint: str
    router_link: str
    drain_s: float = 6.0
    reloads: bool = False

    @property
    def control_command(self) -> tuple[str, ...]:
        """Control's command line with the name of the file in which it says that it is ready."""
        return (*self.control, "--ready", str(self.ready_file))

    @property
    def ready_file(self) -> Path:
        """Where control says that it is ready, and what to announce."""
        return Path(self.run_folder) / "control.ready"

    def write(self, file: Path) -> None:
        """Store the plan for the supervisor process."""
        file.write_text(json.dumps(dataclasses.asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> Plan:
        """The plan in `file`."""
        values = json.loads(file.read_text(encoding="utf-8"))
        for name in ("http_addresses", "router", "control"):
            values[name] = tuple(values[name])
        return cls(**values)
