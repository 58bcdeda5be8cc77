"""A production server: what keeps it from starting, its certificate, its proxy, and how it ends."""

from __future__ import annotations

import asyncio
import datetime
import json
import shutil
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tertulia.cli.lan import self_signed_certificate
from tests.member import Member
from tests.production import API_SECRET, ProductionServer, until


def refusal(config: Path) -> str:
    """What `tertulia serve` says when it does not start."""
    ended = subprocess.run(
        [sys.executable, "-m", "tertulia", "serve", "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=30,
        stdin=subprocess.DEVNULL,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    return ended.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"[[projects]]\napi_key = '40012345'\napi_secret = '{'deadbeef' * 5}'", "weak"),
        ("[http]\ncertificate = 'none.pem'\nprivate_key = 'none.pem'", "none.pem"),
    ],
)
def test_a_server_with_a_mistake_in_its_configuration_does_not_start(tmp_path: Path, text: str, words: str) -> None:
    config = tmp_path / "tertulia.toml"
    config.write_text(f"data_folder = '{tmp_path / 'data'}'\n{text}\n")
    said = refusal(config)
    assert words in said
    assert len(said.strip().splitlines()) == 1
    assert "deadbeef" not in said


def certificates(folder: Path) -> list[tuple[Path, Path]]:
    now = datetime.datetime.now(datetime.UTC)
    return [self_signed_certificate(folder / name, "127.0.0.1", now) for name in ("first", "second")]


def shown(server: ProductionServer) -> bytes:
    """The certificate that a new client is shown."""
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", server.port), timeout=10))


async def test_a_renewed_certificate_is_shown_to_new_clients_and_cuts_no_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = certificates(tmp_path)
    for file in first:
        shutil.copy(file, tmp_path / file.name)
    # What the clients of this test trust.
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    tls = f'certificate = "{tmp_path / "certificate.pem"}"\nprivate_key = "{tmp_path / "private-key.pem"}"'
    with ProductionServer(tmp_path, tls, scheme="https") as server:
        assert shown(server) == ssl.PEM_cert_to_DER_cert(first[0].read_text())
        session_id = server.create_session()
        ana, ben = (Member(server, session_id, server.url) for _ in range(2))
        await ana.arrive()
        await ben.arrive()
        try:
            for file in second:
                shutil.copy(file, tmp_path / file.name)
            server.hang_up()
            until(
                lambda: shown(server) == ssl.PEM_cert_to_DER_cert(second[0].read_text()),
                lambda: f"the first certificate is still shown: {server.log_file.read_text()}",
            )
            # Half a renewal changes nothing.
            shutil.copy(first[0], tmp_path / "certificate.pem")
            server.hang_up()
            until(
                lambda: "the former one stays" in server.log_file.read_text(),
                lambda: f"the broken pair was not noticed: {server.log_file.read_text()}",
            )
            assert shown(server) == ssl.PEM_cert_to_DER_cert(second[0].read_text())
            await ana.session.signal("7", to=ben.session.connection)
            await ben.until(lambda: ben.heard.get(ana.id) == [7])
            assert ana.told == ben.told == []
        finally:
            await ana.session.disconnect()
            await ben.session.disconnect()


async def test_a_server_that_is_told_to_stop_sends_its_clients_to_the_next_one(tmp_path: Path) -> None:
    server = ProductionServer(tmp_path, "drain_s = 20")
    await asyncio.to_thread(server.start)
    try:
        session_id = server.create_session()
        ana, ben = (Member(server, session_id, server.url) for _ in range(2))
        await ana.arrive()
        await ben.arrive()
        began = time.monotonic()
        await asyncio.to_thread(server.stop)
        assert server.process.returncode == 0
        # Nobody has anything open, so nothing has to wait for the deadline.
        assert time.monotonic() - began < 20
        await asyncio.to_thread(server.start)
        await ana.until(lambda: len(ana.times("sessionReconnected")) == 1)
        await ben.until(lambda: len(ben.times("sessionReconnected")) == 1)
        assert [member.session.connection.connection_id for member in (ana, ben)] == [ana.id, ben.id]  # type: ignore[union-attr]  # they are connected
        await ana.session.signal("1")
        await ben.until(lambda: ben.heard.get(ana.id) == [1])
        assert ana.ends == ben.ends == []
        await ana.session.disconnect()
        await ben.session.disconnect()
    finally:
        await asyncio.to_thread(server.stop)
    log = server.log_file.read_text()
    records = [json.loads(line) for line in log.splitlines()]
    assert any(record.get("event") == "session created" and record["session_id"] == session_id for record in records)
    for secret in (API_SECRET, "eyJ", "T1=="):
        assert secret not in log
