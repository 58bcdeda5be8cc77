"""The guide to production says what the programs take."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tertulia.cli.commands import app
from tertulia.config import load
from tertulia.passwords import hash_password
from tests.docs.examples import ROOT

GUIDE = (ROOT / "docs" / "guides" / "production.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", blocks("toml"))
def test_every_configuration_of_the_guide_is_taken(tmp_path: Path, text: str) -> None:
    (tmp_path / "store_url").write_text("postgresql://tertulia:5f1d0c9e7a3b2468@127.0.0.1/tertulia\n")
    (tmp_path / "operator_password_hash").write_text(hash_password("correct horse battery staple"))
    file = tmp_path / "tertulia.toml"
    file.write_text(re.sub(r'(_file = ")/etc/tertulia/', rf"\1{tmp_path}/", text))
    settings = load(file, environment={})
    assert settings.development is False


def commands() -> list[list[str]]:
    """Every `tertulia …` of the guide, without its options."""
    code = "\n".join([*blocks("sh"), *re.findall(r"`(tertulia [a-z][^`]*)`", GUIDE)])
    found = re.findall(r"(?:^|/bin/|\s)tertulia ((?:project|session|token|password|serve)[^\n\"|>`]*)", code)
    return [[word for word in shlex.split(one) if re.fullmatch(r"[a-z]+", word)][:2] for one in found]


def test_every_command_of_the_guide_is_one() -> None:
    assert len(commands()) >= 4
    for words in commands():
        # Raises for a command that there is not.
        app.parse_args([*words, "--help"], exit_on_error=False, print_error=False)
        assert words[0] in {"project", "token", "password"}
        if words[0] != "password":
            group, _, _ = app.parse_commands(words)
            assert list(group) == words


def test_the_shell_of_the_guide_is_shell() -> None:
    for text in blocks("sh"):
        done = subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True, timeout=10)
        assert done.returncode == 0, done.stderr


def test_what_the_guide_says_of_ports_and_files_is_so() -> None:
    settings = load(environment={})
    assert f"{settings.media.port} UDP and TCP" in GUIDE
    assert "127.0.0.1:8080" in (ROOT / "deploy" / "Caddyfile").read_text()
    assert settings.http.port == 8080
    seconds = settings.sessions.reconnect_window_s + settings.sessions.reconnect_grace_s
    assert f"{seconds:.0f} seconds" in GUIDE
    unit = (ROOT / "deploy" / "tertulia.service").read_text()
    for path in ("/opt/tertulia/bin/tertulia", "/etc/tertulia/tertulia.toml"):
        assert path in unit
        assert path in GUIDE
