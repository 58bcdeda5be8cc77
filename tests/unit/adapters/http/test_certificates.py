"""The certificate of the server, read again when it changes."""

from __future__ import annotations

import datetime
import os
import shutil
import ssl
from pathlib import Path

import pytest

from tertulia.adapters.http.certificates import LOOK_EVERY_S, Certificate
from tertulia.cli.lan import self_signed_certificate
from tests.fakes.clock import FakeClock

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture
def pairs(tmp_path: Path) -> list[tuple[Path, Path]]:
    """Two certificates with their keys."""
    return [self_signed_certificate(tmp_path / name, "127.0.0.1", NOW) for name in ("first", "second")]


@pytest.fixture
def served(tmp_path: Path, pairs: list[tuple[Path, Path]]) -> tuple[Path, Path]:
    """The files that the server reads."""
    put(pairs[0], tmp_path)
    return tmp_path / "certificate.pem", tmp_path / "private-key.pem"


def put(pair: tuple[Path, Path], folder: Path) -> None:
    """Replace the served files as certbot does: a new file under the old name."""
    for file in pair:
        shutil.copy(file, folder / f"{file.name}.new")
        os.replace(folder / f"{file.name}.new", folder / file.name)


def shown(context: ssl.SSLContext) -> bytes:
    """The certificate that a client of this context is shown, over memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    client = trusting.wrap_bio(to_client, to_server)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    found = client.getpeercert(binary_form=True)
    assert found is not None
    return found


def der(pair: tuple[Path, Path]) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pair[0].read_text())


def serving(served: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*served)
    return context


def test_a_replaced_certificate_is_shown_to_the_next_client(
    served: tuple[Path, Path], pairs: list[tuple[Path, Path]], tmp_path: Path
) -> None:
    clock, context = FakeClock(), serving(served)
    certificate = Certificate(context, *served, clock)
    certificate.watch()
    clock.advance(LOOK_EVERY_S)
    assert shown(context) == der(pairs[0])
    put(pairs[1], tmp_path)
    assert shown(context) == der(pairs[0])
    clock.advance(LOOK_EVERY_S)
    assert shown(context) == der(pairs[1])
    certificate.close()
    put(pairs[0], tmp_path)
    clock.advance(10 * LOOK_EVERY_S)
    assert shown(context) == der(pairs[1])
    assert clock.next_timer() is None


def test_a_certificate_without_its_key_leaves_the_former_one_whole(
    served: tuple[Path, Path], pairs: list[tuple[Path, Path]], tmp_path: Path
) -> None:
    context = serving(served)
    certificate = Certificate(context, *served, FakeClock())
    shutil.copy(pairs[1][0], served[0])
    assert not certificate.reload()
    assert shown(context) == der(pairs[0])
    served[0].unlink()
    assert not certificate.reload()
    assert shown(context) == der(pairs[0])
    put(pairs[1], tmp_path)
    assert certificate.reload()
    assert shown(context) == der(pairs[1])
