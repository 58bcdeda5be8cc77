"""What stands in deploy/: each file is read by the program that it is for, as far as the machine has it.

The container and compose files name images of public registries, which tests do not fetch: they are read, not built.
"""

from __future__ import annotations

import asyncio
import datetime
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tertulia.cli.lan import self_signed_certificate
from tertulia.config import load
from tertulia.passwords import hash_password
from tests.member import Member
from tests.production import ProductionServer, free_port, until
from tests.servers import stop

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PASSWORD = "correct horse battery staple"


def run(*command: str) -> str:
    """What a checking program says; it must be content."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def site(folder: Path, *, server_port: int, port: int) -> Path:
    """The sample site with ports and certificate of this test, in a configuration that needs nothing of the machine."""
    now = datetime.datetime.now(datetime.UTC)
    certificate, key = self_signed_certificate(folder / "tls", "127.0.0.1", now)
    text = (DEPLOY / "nginx.conf").read_text()
    for sample, ours in (
        ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
        ("listen [::]:80;", ""),
        ("listen 443 ssl http2;", f"listen 127.0.0.1:{port} ssl http2;"),
        ("listen [::]:443 ssl http2;", ""),
        ("/etc/letsencrypt/live/video.example.org/fullchain.pem", str(certificate)),
        ("/etc/letsencrypt/live/video.example.org/privkey.pem", str(key)),
        ("server 127.0.0.1:8080;", f"server 127.0.0.1:{server_port};"),
    ):
        assert text.count(sample) == 1, sample
        text = text.replace(sample, ours)
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "site.conf").write_text(text)
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}include {folder}/site.conf;\n}}\n"
    )
    return config


@contextmanager
def nginx(config: Path, port: int) -> Iterator[None]:
    """A running nginx."""
    process = subprocess.Popen(["nginx", "-c", str(config), "-p", str(config.parent)])

    def answers() -> bool:
        assert process.poll() is None, (config.parent / "nginx.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(answers, lambda: (config.parent / "nginx.log").read_text())
        yield
    finally:
        stop(process, 10)


@pytest.mark.parametrize("is_named", [True, False])
async def test_a_call_goes_through_nginx_which_is_believed_if_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_named: bool
) -> None:
    port = free_port()
    server = ProductionServer(
        tmp_path,
        'trusted_proxies = ["127.0.0.1"]' if is_named else "",
        environment={"TERTULIA_OPERATOR_PASSWORD_HASH": hash_password(PASSWORD)},
    )
    config = site(tmp_path, server_port=server.port, port=port)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "tls" / "certificate.pem"))
    await asyncio.to_thread(server.start)
    try:
        with nginx(config, port):
            public = f"https://127.0.0.1:{port}"
            # Whether the page's cookie is for TLS alone shows what the server believes of its clients.
            async with httpx.AsyncClient(base_url=public, headers={"Origin": public}) as browser:
                answer = await browser.post("/projects/api/sign-in", json={"password": PASSWORD})
            if not is_named:
                assert answer.status_code == 403
                assert "http.trusted_proxies" in answer.json()["message"]
                return
            assert answer.status_code == 200
            assert answer.headers["set-cookie"].startswith("__Host-tertulia=")
            assert "secure" in answer.headers["set-cookie"].lower()
            server.url = public
            session_id = await asyncio.to_thread(server.create_session)
            ana, ben = (Member(server, session_id, public) for _ in range(2))
            try:
                await ana.arrive()
                await ben.arrive()
                await ana.session.signal("3")
                await ben.until(lambda: ben.heard.get(ana.id) == [3])
            finally:
                await ana.session.disconnect()
                await ben.session.disconnect()
    finally:
        await asyncio.to_thread(server.stop)
    log = server.log_file.read_text()
    for secret in (PASSWORD, "scrypt:", "eyJ", server.api_secret):
        assert secret not in log


def test_nginx_takes_its_sample_whole(tmp_path: Path) -> None:
    config = site(tmp_path, server_port=8080, port=free_port())
    assert "successful" in run("nginx", "-t", "-c", str(config), "-p", str(tmp_path))


@pytest.mark.skipif(shutil.which("caddy") is None, reason="Caddy is not installed: it is 36 MB that only this needs")
def test_caddy_takes_its_sample(tmp_path: Path) -> None:
    copy = tmp_path / "Caddyfile"
    copy.write_text((DEPLOY / "Caddyfile").read_text())
    run("caddy", "validate", "--adapter", "caddyfile", "--config", str(copy))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = (DEPLOY / "tertulia.service").read_text()
    [program] = re.findall(r"^ExecStart=(\S+)", unit, re.MULTILINE)
    copy = tmp_path / "tertulia.service"
    # Neither the program nor its user is on the machine that tests.
    copy.write_text(unit.replace(program, shutil.which("true") or "/bin/true").replace("User=tertulia", "User=root"))
    said = run("systemd-analyze", "verify", "--man=no", str(copy))
    assert "tertulia.service" not in said, said
    assert f"TimeoutStopSec={30}" in unit
    assert load(environment={}).http.drain_s < 30


def container_steps() -> list[tuple[str, str]]:
    """Instruction and argument of each step of the container file, continued lines joined."""
    text = re.sub(r"\\\n", " ", (DEPLOY / "Containerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1].strip()) for line in lines]


def test_the_container_file_is_whole() -> None:
    steps = container_steps()
    known = {"FROM", "RUN", "COPY", "WORKDIR", "USER", "ENV", "VOLUME", "HEALTHCHECK", "EXPOSE", "ENTRYPOINT", "CMD"}
    assert {instruction for instruction, _ in steps} <= known
    stages = {
        argument.split(" AS ")[1] for instruction, argument in steps if instruction == "FROM" and " AS " in argument
    }
    for instruction, argument in steps:
        if instruction == "COPY" and argument.startswith("--from="):
            source = argument.removeprefix("--from=").split()[0]
            assert source in stages or "/" in source, source
        if instruction in ("ENTRYPOINT", "CMD"):
            assert argument.startswith("["), "without a shell, which would keep signals from the server"
    # It does not run as root, and every setting is one.
    assert [argument for instruction, argument in steps if instruction == "USER"] == ["tertulia"]
    [environment] = [argument for instruction, argument in steps if instruction == "ENV"]
    settings = load(environment=dict(one.split("=", 1) for one in environment.split()))
    [exposed] = [argument.split() for instruction, argument in steps if instruction == "EXPOSE"]
    assert exposed == [f"{settings.http.port}/tcp", f"{settings.media.port}/udp", f"{settings.media.port}/tcp"]


def test_the_services_of_the_compose_file_fit_together() -> None:
    compose: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert set(compose) == {"services", "secrets", "volumes"}
    tertulia = compose["services"]["tertulia"]
    assert (DEPLOY / tertulia["build"]["context"] / tertulia["build"]["dockerfile"]).exists()
    for name, service in compose["services"].items():
        assert service["restart"] == "always", name
        for secret in service.get("secrets", ()):
            assert secret in compose["secrets"]
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in compose["volumes"], source
        for depended in service.get("depends_on", {}):
            assert "healthcheck" in compose["services"][depended]
    # The database is for this machine alone, and no password stands in the file.
    assert compose["services"]["database"]["ports"] == ["127.0.0.1:5432:5432"]
    assert not re.search(r"PASSWORD: *[^/]*$", (DEPLOY / "compose.yaml").read_text(), re.MULTILINE)


def test_the_server_of_the_compose_file_starts_with_its_secrets(tmp_path: Path) -> None:
    compose: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    (tmp_path / "store_url").write_text("postgresql://tertulia:5f1d0c9e7a3b2468@127.0.0.1/tertulia\n")
    (tmp_path / "operator_password_hash").write_text(hash_password(PASSWORD) + "\n")
    given = {
        name: str(value).replace("/run/secrets", str(tmp_path))
        for name, value in compose["services"]["tertulia"]["environment"].items()
    }
    assert given["TERTULIA_HTTP_PUBLIC_URL"].startswith("${TERTULIA_PUBLIC_URL:?")
    settings = load(environment={**given, "TERTULIA_HTTP_PUBLIC_URL": "https://video.example.org"})
    assert settings.database_url == "postgresql+asyncpg://tertulia:5f1d0c9e7a3b2468@127.0.0.1/tertulia"
    assert settings.operator.password_hash is not None
    assert settings.http.trusted_proxies == ("127.0.0.1",)
