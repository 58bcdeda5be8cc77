"""The sole reader of configuration: defaults, a TOML file, `TERTULIA_…` variables, flags; the last one named wins.

Everybody else gets frozen `Settings` passed down as values.
"""

from __future__ import annotations

import ipaddress
import itertools
import os
import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote

import msgspec

from tertulia.config_sources import (
    ConfigurationError,
    Secret,
    check_names,
    merge,
    read_file,
    resolve_secret_files,
)
from tertulia.passwords import is_password_hash
from tertulia.supervisor.orphan import GRACE_S

__all__ = [
    "LOOPBACK",
    "ConfigurationError",
    "ConfiguredProject",
    "HttpSettings",
    "MediaSettings",
    "MetricsSettings",
    "OperatorSettings",
    "SessionSettings",
    "Settings",
    "dump",
    "is_weak_secret",
    "load",
    "restore",
]

LOOPBACK = ("127.0.0.1", "::1")
# Nobody turns a production server into one for development by accident.
_WITHOUT_VARIABLE = ("development", "impair")
# What sample configurations have, ours and other people's.
_DEFAULT_PASSWORDS = frozenset({"changeme", "password", "postgres", "postgresql", "tertulia", "12345678", "secret"})

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Shards = Annotated[int, msgspec.Meta(ge=1, le=64)]
Age = Annotated[float, msgspec.Meta(gt=0, le=2_592_000)]
AudioSlots = Annotated[int, msgspec.Meta(ge=1, le=8)]
IdleSeconds = Annotated[float, msgspec.Meta(ge=0, le=31_536_000)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=3600)]
LogLevel = Literal["debug", "info", "warning", "error"]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of settings; an unknown key in it is refused."""


class HttpSettings(_Section, frozen=True):
    """Where REST, signalling and pages are served.

    `addresses` are IP addresses to listen on; `port` 0 lets the system choose. `certificate` and `private_key` are PEM
    files for TLS, read again when they change; leave both out behind a proxy. `trusted_proxies` are the addresses or
    networks whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed, and nobody else's. `public_url` is what users
    type, if it differs. A request must have come whole within `request_s` seconds. `pending` connections may have
    proven nothing yet, `pending_per_address` of them from one address (behind a proxy: from the proxy); above that the
    oldest give way. A server that is told to stop lets its clients go within `drain_s` seconds, then it cuts the rest.
    """

    addresses: tuple[str, ...] = LOOPBACK
    port: Port = 8080
    certificate: str | None = None
    private_key: str | None = None
    public_url: str | None = None
    request_s: Seconds = 10.0
    pending: Count = 4_096
    pending_per_address: Count = 1_024
    trusted_proxies: tuple[str, ...] = ()
    drain_s: Annotated[float, msgspec.Meta(ge=1, le=300)] = 6.0

    def __post_init__(self) -> None:
        """Refuses half a TLS configuration, and proxies that are anybody."""
        if (self.certificate is None) != (self.private_key is None):
            raise ValueError("http.certificate and http.private_key go together; set both or none")
        for proxy in self.trusted_proxies:
            try:
                network = ipaddress.ip_network(proxy)
            except ValueError as error:
                raise ValueError(f"http.trusted_proxies has {proxy!r}, which is no IP address or network") from error
            if network.prefixlen == 0:
                raise ValueError("http.trusted_proxies trusts everybody; name the proxy's own address")


class MetricsSettings(_Section, frozen=True):
    """Who may read `/metrics` and `/statistics`: whoever sends this token, or without one programs of this machine."""

    token: Secret | None = None

    def __post_init__(self) -> None:
        """Refuses a token that can be guessed."""
        if self.token is not None and len(self.token) < 20:
            raise ValueError("metrics.token has at least 20 characters, as printed by `openssl rand -hex 20`")


class OperatorSettings(_Section, frozen=True):
    """Who may use the projects page: whoever knows the password, of which `tertulia password` makes this hash.

    Without one nobody may, but in development whoever sits at this machine. Who signs in stays so for `signed_in_s`
    seconds.
    """

    password_hash: Secret | None = None
    signed_in_s: Annotated[float, msgspec.Meta(ge=60, le=2_592_000)] = 43_200.0

    def __post_init__(self) -> None:
        """Refuses what is no hash: above all the password itself."""
        if self.password_hash is not None and not is_password_hash(self.password_hash):
            raise ValueError("operator.password_hash is no hash of a password; make one with `tertulia password`")


class MediaSettings(_Section, frozen=True):
    """Where the router takes media.

    `addresses` are this machine's IP addresses to receive on (0.0.0.0: all but loopback), `port` the UDP and TCP port
    (0: the system chooses), and `public_addresses` are what clients are told instead when a 1:1 NAT stands in between.
    With `local_only` packets from other machines are dropped. `shards` are the threads that move packets (none: one per
    core); a thread that has `group_share` clients leaves further ones of a session to the emptiest thread.
    """

    addresses: tuple[str, ...] = ("127.0.0.1",)
    port: Port = 8081
    public_addresses: tuple[str, ...] = ()
    local_only: bool = False
    shards: Shards | None = None
    group_share: Count = 16


class SessionSettings(_Section, frozen=True):
    """Time limits of signalling, in seconds, and what a session may hold; defaults as in `contract/signalling.yaml`.

    Who neither publishes nor subscribes for `media_idle_s` is disconnected with `mediaIdle`; 0 for never. `connections`
    (error 1027), `streams` and `streams_per_connection` (1605) bound a session.
    Above `loudest_above` live audio streams the `loudest_streams` loudest are forwarded to each subscriber.
    `orphan_grace_s` is how long control and router go on when the supervisor was killed and no other took over.
    """

    reconnect_window_s: Seconds = 60.0
    reconnect_grace_s: Seconds = 15.0
    heartbeat_s: Seconds = 10.0
    authentication_s: Seconds = 5.0
    orphan_grace_s: Seconds = GRACE_S
    media_idle_s: IdleSeconds = 14_400.0
    connections: Count = 10_000
    streams: Count = 2_000
    streams_per_connection: Count = 16
    loudest_above: Count = 16
    loudest_streams: AudioSlots = 3


class TokenSettings(_Section, frozen=True):
    """How strict tokens are taken.

    With `single_use` a client token opens one connection; with `max_age_s` it is too old after that many seconds,
    whatever its maker said. A REST token may live `rest_max_lifetime_s` seconds. `partner_auth` takes the header
    `X-TB-PARTNER-AUTH` of SDKs from before 2017 as well, which carries the secret itself.
    """

    single_use: bool = False
    max_age_s: Age | None = None
    rest_max_lifetime_s: Age = 300.0
    partner_auth: bool = False


class AccountSettings(_Section, frozen=True):
    """The account whose tokens may make, change and delete projects over REST: a key and a secret as a project's."""

    api_key: str | None = None
    api_secret: Secret | None = None

    def __post_init__(self) -> None:
        """Refuses half an account, and one that can be guessed."""
        if (self.api_key is None) != (self.api_secret is None):
            raise ValueError("account.api_key and account.api_secret go together; set both or none")
        if self.api_key is not None and self.api_secret is not None:
            _check_key(self.api_key)
            _check_secret("account.api_secret", self.api_secret)


class StoreSettings(_Section, frozen=True):
    """Where projects and sessions are kept: without `url` in a file of SQLite in the data folder.

    `url` is the address of a PostgreSQL database, as libpq has it: `postgresql://user:password@host/database`.
    """

    url: Secret | None = None

    def __post_init__(self) -> None:
        """Refuses the addresses of other databases, and passwords that everybody tries first."""
        if self.url is None:
            return
        if not re.match(r"postgres(ql)?://", self.url):
            raise ValueError("store.url begins with postgresql://; leave it out for the embedded store")
        login = self.url.partition("://")[2].partition("/")[0].rpartition("@")[0]
        user, has_password, password = login.partition(":")
        if has_password and (len(password) < 8 or unquote(password).lower() in {*_DEFAULT_PASSWORDS, user.lower()}):
            raise ValueError("store.url has a weak password; use one as printed by `openssl rand -hex 20`")

    @property
    def driver_url(self) -> str:
        """The address for SQLAlchemy; only for a store that is set."""
        assert self.url is not None, "the embedded store has another address"
        return "postgresql+asyncpg://" + self.url.partition("://")[2]


class CallbackSettings(_Section, frozen=True):
    """How callbacks are delivered.

    They go to addresses of the public internet, and besides to the networks in `allow`, for example `10.1.0.0/16`. A
    receiver may take `attempt_s` seconds for each attempt.
    """

    allow: tuple[str, ...] = ()
    attempt_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 10.0

    def __post_init__(self) -> None:
        """Refuses what is no network."""
        for text in self.allow:
            try:
                ipaddress.ip_network(text)
            except ValueError as error:
                raise ValueError(f"callbacks.allow: {text} is no network such as 10.1.0.0/16") from error


class ConfiguredProject(_Section, frozen=True):
    """A project that the operator brings along: an API key of 8 to 10 digits, a secret of 40 hexadecimal digits.

    With `accept_known_keys` session ids that another server made with this key are taken in on their first use.
    """

    api_key: str
    api_secret: Secret
    name: str = ""
    accept_known_keys: bool = False

    def __post_init__(self) -> None:
        """Refuses keys that SDKs cannot hold and secrets that can be guessed."""
        _check_key(self.api_key)
        _check_secret(f"the secret of project {self.api_key}", self.api_secret)


class Settings(_Section, frozen=True):
    """Everything that can be set.

    The programs `tertulia-router` and `tertulia-load` are looked for in `programs_folder` alone, if it is set, else
    where they were installed or built with this package.
    """

    data_folder: Path = msgspec.field(default_factory=lambda: Path("var").absolute())
    programs_folder: Path | None = None
    log_level: LogLevel = "info"
    http: HttpSettings = HttpSettings()
    media: MediaSettings = MediaSettings()
    sessions: SessionSettings = SessionSettings()
    metrics: MetricsSettings = MetricsSettings()
    tokens: TokenSettings = TokenSettings()
    account: AccountSettings = AccountSettings()
    store: StoreSettings = StoreSettings()
    operator: OperatorSettings = OperatorSettings()
    callbacks: CallbackSettings = CallbackSettings()
    projects: tuple[ConfiguredProject, ...] = ()
    # True for `tertulia dev`: a project and a session are made, and the playground may join by itself.
    development: bool = False
    # How bad `tertulia dev` makes the network, as the router reads it: `loss=20,delay=150`.
    impair: str | None = None

    def __post_init__(self) -> None:
        """Refuses a bad network for anything but development."""
        if self.impair is not None and not self.development:
            raise ValueError("impair makes the network bad, which only `tertulia dev --impair` does")

    @property
    def callback_networks(self) -> tuple[str, ...]:
        """Networks that callbacks may go to; in development this machine as well."""
        return (*self.callbacks.allow, *(("127.0.0.0/8", "::1/128") if self.development else ()))

    @property
    def run_folder(self) -> Path:
        """Sockets, locks and process ids of the running server."""
        return self.data_folder / "run"

    @property
    def log_folder(self) -> Path:
        """Log files of `tertulia dev`."""
        return self.data_folder / "log"

    @property
    def database_url(self) -> str:
        """The store, for SQLAlchemy."""
        if self.store.url is not None:
            return self.store.driver_url
        return f"sqlite:///{self.data_folder / 'tertulia.db'}"

    @property
    def playground_file(self) -> Path:
        """Which project and session the playground of `tertulia dev` uses."""
        return self.data_folder / "playground.json"

    @property
    def router_link(self) -> Path:
        """The Unix socket on which the router listens."""
        return self.run_folder / "router.sock"


def _check_key(api_key: str) -> None:
    if not re.fullmatch(r"[1-9][0-9]{7,9}", api_key) or int(api_key) > 2**31 - 1:
        raise ValueError("an API key has 8 to 10 digits and is at most 2147483647")


def _check_secret(what: str, api_secret: str) -> None:
    if is_weak_secret(api_secret):
        raise ValueError(f"{what} is weak; use 40 random hexadecimal digits, as printed by `openssl rand -hex 20`")


def is_weak_secret(secret: str) -> bool:
    """True unless `secret` has the shape of an API secret (40 lower-case hex digits) and looks random."""
    if not re.fullmatch(r"[a-f0-9]{40}", secret):
        return True
    digits = [int(digit, 16) for digit in secret]
    steps = {(after - before) % 16 for before, after in itertools.pairwise(digits)}
    return len(set(digits)) < 8 or len(steps) < 6


def load(
    file: Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Settings from `file` (TOML), `environment` (the process's own unless given) and `flags`, in rising precedence.

    `flags` are dotted names such as `http.port`; a value of None means that the flag was not given. Raises
    ConfigurationError, in one sentence, for a file that cannot be read, an unknown key or a value out of range.
    """
    written: dict[str, Any] = {}
    if file is not None:
        written = read_file(file)
        check_names(written, Settings)
        # By itself first: TOML knows numbers from texts, variables do not.
        _convert(resolve_secret_files(deepcopy(written), Settings), strict=True)
    variables = os.environ if environment is None else environment
    values = merge(written, Settings, variables, flags or {}, _WITHOUT_VARIABLE)
    return _convert(resolve_secret_files(values, Settings), strict=False)


def _convert(values: dict[str, Any], *, strict: bool) -> Settings:
    try:
        return msgspec.convert(values, Settings, strict=strict, dec_hook=_to_path)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"The configuration is not valid: {error}.") from error


def dump(settings: Settings) -> bytes:
    """`settings` as JSON, for the process that `restore` reads it in."""
    return msgspec.json.encode(settings, enc_hook=str)


def restore(file: Path) -> Settings:
    """The settings that another process wrote to `file` with `dump`."""
    return msgspec.json.decode(file.read_bytes(), type=Settings, dec_hook=_to_path)


def _to_path(_: type, text: str) -> Path:
    return Path(text).expanduser().absolute()
