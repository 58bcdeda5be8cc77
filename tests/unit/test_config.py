"""Configuration: where it may come from, which wins, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tertulia.config import ConfigurationError, Settings, dump, is_weak_secret, load, restore

SECRET = "9f2c4e6a8b0d1f3a5c7e9b1d3f5a7c9e0b2d4f68"


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "tertulia.toml"
    file.write_text(text, encoding="utf-8")
    return file


def vars_of(section: msgspec.Struct) -> list[Any]:
    return [getattr(section, name) for name in section.__struct_fields__]


def refused(file: Path | None = None, **given: Any) -> str:
    with pytest.raises(ConfigurationError) as error:
        load(file, **{"environment": {}, **given})
    assert "\n" not in str(error.value)
    return str(error.value)


def test_nothing_given_is_a_server_for_this_machine_alone() -> None:
    settings = load(environment={})

    assert settings.http.addresses == ("127.0.0.1", "::1")
    assert settings.media.addresses == ("127.0.0.1",)
    assert settings.data_folder == Path("var").absolute()
    assert not settings.development


def test_a_flag_wins_over_a_variable_and_a_variable_over_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "[http]\nport = 1\n[media]\nport = 2\n[sessions]\nheartbeat_s = 3\n")
    environment = {"TERTULIA_HTTP_PORT": "11", "TERTULIA_MEDIA_PORT": "12", "HOME": "/"}
    settings = load(file, environment=environment, flags={"http.port": 21, "data_folder": None})

    assert (settings.http.port, settings.media.port, settings.sessions.heartbeat_s) == (21, 12, 3)


def test_a_list_in_a_variable_is_separated_by_commas() -> None:
    settings = load(environment={"TERTULIA_MEDIA_ADDRESSES": "192.0.2.1, 2001:db8::1,"})

    assert settings.media.addresses == ("192.0.2.1", "2001:db8::1")


def test_every_setting_survives_the_way_to_another_process(tmp_path: Path) -> None:
    settings = load(
        environment={},
        flags={
            "data_folder": tmp_path,
            "development": True,
            "projects": [{"api_key": "40012345", "api_secret": SECRET, "name": "Demo"}],
        },
    )
    file = tmp_path / "settings.json"
    file.write_bytes(dump(settings))

    assert restore(file) == settings


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("port = 1", "port"),
        ("[http]\nprot = 1", "http.prot is not known; did you mean http.port?"),
        ("[htpt]\nport = 1", "htpt is not known"),
        ("[http]\npublic_addresses = []", "http.public_addresses is not known; did you mean media.public_addresses?"),
        ("[[projects]]\napi_kee = '1'", "projects.api_kee is not known; did you mean projects.api_key?"),
        ("[media]\nqwertyuiop = 1", "media.qwertyuiop is not known."),
        ("[http]\nport = '80'", "http.port"),
        ("[http]\ntrusted_proxies = ['0.0.0.0/0']", "everybody"),
        ("[http]\ntrusted_proxies = ['proxy.example.org']", "no IP address"),
        ("[http]\ndrain_s = 0", "drain_s"),
        ("[operator]\npassword_hash = 'correct horse battery'", "tertulia password"),
        ("[metrics]\ntoken = 'short'", "20 characters"),
        ("[store]\nurl = 'postgresql://ida:changeme@db/tertulia'", "weak password"),
        ("[store]\nurl = 'postgresql://tertulia:tertulia@db/tertulia'", "weak password"),
        ("[store]\nurl = 'postgresql://ida:short@db/tertulia'", "weak password"),
        ("[http]\nport = 65536", "65535"),
        ("[http]\nport = 'many'", "http.port"),
        ("[sessions]\nheartbeat_s = 0", "heartbeat_s"),
        ("log_level = 'loud'", "log_level"),
        ("[http]\ncertificate = 'a.pem'", "together"),
        (f"[[projects]]\napi_key = '1234567'\napi_secret = '{SECRET}'", "8 to 10 digits"),
        (f"[[projects]]\napi_key = '2147483648'\napi_secret = '{SECRET}'", "2147483647"),
        (f"[[projects]]\napi_key = '40012345'\napi_secret = '{'a' * 40}'", "weak"),
        ("[http", "not valid TOML"),
    ],
)
def test_what_is_unknown_or_out_of_range_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    assert words in refused(written(tmp_path, text))


def test_an_unknown_variable_is_refused() -> None:
    assert "TERTULIA_HTTP_PROT" in refused(environment={"TERTULIA_HTTP_PROT": "1"})


def test_an_unknown_variable_names_the_nearest() -> None:
    assert "did you mean TERTULIA_HTTP_PORT?" in refused(environment={"TERTULIA_HTTP_PROT": "1"})
    assert "not a setting" in refused(environment={"TERTULIA_PROJECTS_API_SECRET": SECRET})


def test_a_secret_comes_from_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("0123456789abcdefghijk\n")
    (tmp_path / "secret").write_text(SECRET + "\n")
    file = written(
        tmp_path,
        f"[metrics]\ntoken_file = '{tmp_path}/token'\n"
        f"[[projects]]\napi_key = '40012345'\napi_secret_file = '{tmp_path}/secret'",
    )
    settings = load(file, environment={})
    assert settings.metrics.token == "0123456789abcdefghijk"
    assert settings.projects[0].api_secret == SECRET


def test_a_variable_with_a_secret_wins_however_the_file_has_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t" * 30)
    in_file = written(tmp_path, f"[metrics]\ntoken_file = '{tmp_path}/none'\n")
    assert "cannot be read" in refused(in_file)
    for environment, expected in (
        ({"TERTULIA_METRICS_TOKEN_FILE": str(tmp_path / "token")}, "t" * 30),
        ({"TERTULIA_METRICS_TOKEN": "v" * 30}, "v" * 30),
    ):
        in_file = written(tmp_path, f"[metrics]\ntoken = '{'f' * 30}'\n")
        settings = load(in_file, environment=environment)
        assert settings.metrics.token == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[metrics]\ntoken_file = '{0}/none'", "cannot be read"),
        ("[metrics]\ntoken_file = '{0}/empty'", "empty"),
        ("[metrics]\ntoken_file = '{0}/huge'", "longer than 4096"),
        ("[metrics]\ntoken_file = 7", "not the path of a file"),
        ("[metrics]\ntoken_file = '{0}/huge'\ntoken = 'abc'", "exclude each other"),
        ("[http]\nport_file = '{0}/huge'", "http.port_file is not known"),
    ],
)
def test_a_file_without_a_secret_is_refused_and_never_repeated(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "huge").write_text("hunter2" * 1000)
    sentence = refused(written(tmp_path, text.format(tmp_path)))
    assert words in sentence
    assert "hunter2" not in sentence


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "none.toml") in refused(tmp_path / "none.toml")


@pytest.mark.parametrize(
    "secret",
    ["", "secret", SECRET.upper(), SECRET[:-1], "a" * 40, "0123456789abcdef" * 2 + "01234567", "deadbeef" * 5],
)
def test_a_secret_that_can_be_guessed_is_weak(secret: str) -> None:
    assert is_weak_secret(secret)


def test_a_random_secret_is_not_weak() -> None:
    assert not is_weak_secret(SECRET)
    assert not is_weak_secret("1f0a9be37c5d2846f1a03e9bd7c6528410fe9d3b")


def test_one_line_names_the_store() -> None:
    assert load(environment={}, flags={"data_folder": "/d"}).database_url == "sqlite:////d/tertulia.db"
    named = load(environment={"TERTULIA_STORE_URL": "postgresql://ida:5f1d0c9e7a@db.example.org/calls?sslmode=require"})
    assert named.database_url == "postgresql+asyncpg://ida:5f1d0c9e7a@db.example.org/calls?sslmode=require"
    with pytest.raises(ConfigurationError, match=r"store\.url begins with postgresql://"):
        load(environment={"TERTULIA_STORE_URL": "mysql://ida@db/calls"})


def test_callbacks_reach_this_machine_in_development_and_named_networks_always() -> None:
    assert load(environment={}).callback_networks == ()
    assert load(environment={"TERTULIA_CALLBACKS_ALLOW": "10.1.0.0/16, fd12::/16"}).callback_networks == (
        "10.1.0.0/16",
        "fd12::/16",
    )
    assert load(environment={}, flags={"development": True}).callback_networks == ("127.0.0.0/8", "::1/128")
    with pytest.raises(ConfigurationError, match=r"callbacks\.allow: 10\.1\.2\.3/8 is no network"):
        load(environment={"TERTULIA_CALLBACKS_ALLOW": "10.1.2.3/8"})


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Settings().log_level = "debug"  # type: ignore[misc]  # that is the point


def test_the_sample_configuration_names_every_setting_and_no_other() -> None:
    file = Path(__file__).parents[2] / "deploy" / "tertulia.toml"
    settings = load(file, environment={})

    assert settings.http.public_url == "https://video.example.org"
    text = file.read_text(encoding="utf-8")
    sections = [settings, *(one for one in vars_of(settings) if isinstance(one, msgspec.Struct))]
    names = {name for section in sections for name in section.__struct_fields__}
    missing = {name for name in names - {"development", "impair", "local_only"} if name not in text}
    assert not missing


def test_an_account_has_key_and_secret_or_neither_and_no_weak_secret() -> None:
    secret = "9f2c4e6a8b0d1f3a5c7e9b1d3f5a7c9e0b2d4f68"
    given = {"TERTULIA_ACCOUNT_API_KEY": "40012345", "TERTULIA_ACCOUNT_API_SECRET": secret}
    assert load(environment=given).account.api_secret == secret
    for wrong in (
        {"TERTULIA_ACCOUNT_API_KEY": "40012345"},
        {"TERTULIA_ACCOUNT_API_SECRET": secret},
        given | {"TERTULIA_ACCOUNT_API_KEY": "4001234"},
        given | {"TERTULIA_ACCOUNT_API_SECRET": "0" * 40},
    ):
        with pytest.raises(ConfigurationError):
            load(environment=wrong)


@pytest.mark.parametrize("login", ["", "ida@", "ida:5f1d0c9e7a3b2468@"])
def test_a_database_is_reached_without_a_password_or_with_a_good_one(login: str) -> None:
    url = f"postgresql://{login}db.example.org/tertulia"
    assert load(environment={"TERTULIA_STORE_URL": url}).store.url == url


def test_only_a_development_server_makes_its_network_bad(tmp_path: Path) -> None:
    assert load(environment={}, flags={"development": True, "impair": "loss=20"}).impair == "loss=20"
    assert "only `tertulia dev --impair` does" in refused(written(tmp_path, 'impair = "loss=20"'))
    assert "is not a setting" in refused(environment={"TERTULIA_IMPAIR": "loss=20"})
