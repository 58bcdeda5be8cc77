"""Administering a server from a shell: what commands print, and with which status they end."""

import asyncio
import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tertulia.adapters.storage import SqlStore
from tertulia.cli.commands import run
from tertulia.services.ports import Issue
from tertulia.wire.tokens import encode_jwt, encode_rest_token, encode_t1

KEY, SECRET = "40012345", "9f2c4e6a8b0d1f3a5c7e9b1d3f5a7c9e0b2d4f68"
OTHER_KEY, OTHER_SECRET = "50012345", "0b2d4f68c2a41d3f9e7b5c8a6f0e1d2c3b4a5968"
# Of the specification's test vector: routed, made on 1 January 2026.
OLD_ID = "2_MX40MDAxMjM0NX5-MTc2NzIyNTYwMDAwMH5rM0p0OVF3Wng3TG1OMnBSdjhzWWI0VWF-fg"
FOREIGN_ID = "1_MX4xMjM0NTZ-flNhdCBNYXIgMTUgMTQ6NDI6MjMgUERUIDIwMTR-MC40OTAxMzAyNX4"

Shell = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shell(
    tmp_path: Path, sqlite_template: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    """Runs a command on a data folder of the test's own; gives status, output and errors."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var").mkdir()
    shutil.copy(sqlite_template, tmp_path / "var")

    def shell(*arguments: str) -> tuple[int, str, str]:
        status = run([*arguments, "--data", str(tmp_path / "var")])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return shell


@pytest.fixture
def projects(shell: Shell) -> Shell:
    """The same with two projects."""
    shell("project", "create", "Acme", "--key", KEY, "--secret", SECRET)
    shell("project", "create", "Other", "--key", OTHER_KEY, "--secret", OTHER_SECRET)
    return shell


def asked(shell: Shell, *arguments: str) -> Any:
    status, out, err = shell(*arguments, "--json")
    assert status == 0, err
    return json.loads(out)


def client_token(session_id: str, *, key: str = KEY, secret: str = SECRET, made_s: int | None = None) -> str:
    made_s = int(time.time()) if made_s is None else made_s
    return encode_jwt(api_key=key, api_secret=secret, session_id=session_id, created_at_s=made_s)


def test_a_project_is_made_with_fresh_or_existing_credentials(shell: Shell) -> None:
    fresh = asked(shell, "project", "create", "Fresh")
    assert re.fullmatch(r"[1-9][0-9]{7}", fresh["api_key"])
    assert re.fullmatch(r"[0-9a-f]{40}", fresh["api_secret"])
    kept = asked(shell, "project", "create", "Kept", "--key", KEY, "--secret", SECRET, "--accept-known-keys")
    assert (kept["api_key"], kept["api_secret"], kept["accept_known_keys"]) == (KEY, SECRET, True)
    assert [one["name"] for one in asked(shell, "project", "list")] == [
        one["name"] for one in sorted((fresh, kept), key=lambda one: str(one["api_key"]))
    ]
    status, _, err = shell("project", "create", "Again", "--key", KEY)
    assert (status, err) == (1, f"tertulia: There is a project with the key {KEY} already.\n")


def test_a_secret_to_keep_comes_from_a_file_and_is_never_weak(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    assert asked(shell, "project", "create", "--key", KEY, "--secret-file", str(file))["api_secret"] == SECRET
    for weak in ("0" * 40, "0123456789" * 4, "hunter2"):
        status, _, err = shell("project", "create", "--secret", weak)
        assert status == 1
        assert "weak" in err
        assert weak not in err


def test_people_get_tables_in_which_names_are_plain_text(shell: Shell) -> None:
    status, out, _ = shell("project", "list")
    assert (status, out) == (0, "There are no projects yet.\n")
    shell("project", "create", "[bold]Acme\x1b[31m", "--key", KEY)
    _, out, _ = shell("project", "list")
    assert "[bold]Acme\N{REPLACEMENT CHARACTER}[31m" in out
    assert "\x1b" not in out
    assert out.splitlines()[0].split()[:2] == ["api_key", "api_secret"]


def test_a_project_is_suspended_activated_changed_rotated_and_deleted(projects: Shell) -> None:
    assert asked(projects, "project", "suspend", KEY)["status"] == "SUSPENDED"
    assert asked(projects, "project", "activate", KEY)["status"] == "ACTIVE"
    changed = asked(projects, "project", "change", KEY, "--name", "Renamed", "--accept-known-keys")
    assert (changed["name"], changed["accept_known_keys"]) == ("Renamed", True)
    assert not asked(projects, "project", "change", KEY, "--refuse-known-keys")["accept_known_keys"]
    assert projects("project", "rotate", KEY)[0] == 1
    assert asked(projects, "project", "show", KEY)["api_secret"] == SECRET
    assert asked(projects, "project", "rotate", KEY, "--yes")["api_secret"] != SECRET
    assert projects("project", "delete", KEY)[0] == 1
    assert asked(projects, "project", "delete", KEY, "--yes") == {"api_key": KEY, "status": "DELETED"}
    status, _, err = projects("project", "show", KEY)
    assert status == 1
    assert "no project" in err
    assert [one["api_key"] for one in asked(projects, "project", "list")] == [OTHER_KEY]


def test_a_session_is_made_by_media_and_archive_mode(projects: Shell) -> None:
    routed = asked(projects, "session", "create", KEY)
    relayed = asked(projects, "session", "create", KEY, "--relayed")
    recorded = asked(projects, "session", "create", KEY, "--archive-mode", "always", "--archive-resolution", "1280x720")
    assert [one["media_mode"] for one in (routed, relayed, recorded)] == ["routed", "relayed", "routed"]
    assert recorded["archive_mode"] == "always"
    listed = asked(projects, "session", "list", KEY)
    assert {one["session_id"] for one in listed} == {one["session_id"] for one in (routed, relayed, recorded)}
    assert not any(one["live"] for one in listed)
    assert asked(projects, "session", "list", OTHER_KEY) == []
    assert asked(projects, "session", "show", routed["session_id"])["connections"] == []
    for unlawful in (["--relayed", "--archive-mode", "always"], ["--archive-name", "x"], ["--e2ee", "--relayed"]):
        assert projects("session", "create", KEY, *unlawful)[0] == 1


def test_existing_session_ids_are_taken_in_line_by_line(projects: Shell, tmp_path: Path) -> None:
    file = tmp_path / "ids"
    file.write_text(f"# of the old server\n{OLD_ID}\n\n{FOREIGN_ID}\nnonsense\n{OLD_ID}\n")
    status, out, _ = projects("session", "import", str(file), "--json")
    assert status == 1
    rows = json.loads(out)
    assert [(row["line"], row["state"]) for row in rows] == [
        (2, "taken in"),
        (4, "refused"),
        (5, "refused"),
        (6, "known already"),
    ]
    assert "123456" in rows[1]["why"]
    shown = asked(projects, "session", "show", OLD_ID)
    assert (shown["api_key"], shown["media_mode"], shown["created_at"]) == (KEY, "routed", "2026-01-01T00:00:00Z")
    file.write_text(OLD_ID)
    assert projects("session", "import", str(file), "--key", OTHER_KEY)[0] == 1
    assert projects("session", "import", str(file)) == (0, "0 taken in, 1 known already, 0 refused\n", "")
    assert asked(projects, "token", "create", OLD_ID)["token"].startswith("eyJ")


def test_ids_that_do_not_say_whose_they_are_need_a_key(projects: Shell, tmp_path: Path) -> None:
    file = tmp_path / "ids"
    file.write_text("1_AAAAAAAAAAAAAAAAAAAAAAAA\n")
    status, out, _ = projects("session", "import", str(file))
    assert status == 1
    assert "--key" in out
    assert projects("session", "import", str(file), "--key", KEY)[0] == 0


@pytest.mark.parametrize("format", ["jwt", "t1"])
def test_a_good_token_is_accepted_and_told(projects: Shell, format: str) -> None:
    session_id = asked(projects, "session", "create", KEY)["session_id"]
    made = asked(
        projects,
        *("token", "create", session_id, "--role", "moderator", "--connection-data", "name=Ida", "--format", format),
        *("--layout-class", "focus", "--layout-class", "wide"),
    )["token"]
    found = asked(projects, "token", "inspect", made)
    assert found["accepted"]
    assert (found["session_id"], found["role"], found["connection_data"]) == (session_id, "moderator", "name=Ida")
    assert found["layout_classes"] == "focus wide"
    status, out, _ = projects("token", "inspect", made)
    assert status == 0
    assert out.startswith("Accepted. It expires in 23 hours.\n")


def refusals(session_id: str) -> dict[str, tuple[str, str]]:
    """Tokens that this server refuses, each with words of the reason."""
    now = int(time.time())
    good = client_token(session_id)
    return {
        "expired": (client_token(session_id, made_s=now - 90_000), r"expired.*expired \d+ minutes ago, 24 hours after"),
        "of the future": (client_token(session_id, made_s=now + 7200), r"future.*clock is \d+ minutes ahead"),
        "the wrong project's secret": (
            client_token(session_id, secret=OTHER_SECRET),
            f"signed with the secret of the project {OTHER_KEY}, but names {KEY}",
        ),
        "an old secret": (client_token(session_id, secret="ab" * 20), "not signed with the present secret"),
        "another project's session": (
            client_token(session_id, key=OTHER_KEY, secret=OTHER_SECRET),
            f"belongs to the project {KEY}, the token to {OTHER_KEY}",
        ),
        "no such project": (client_token(session_id, key="60012345"), f"60012345; this server has {KEY}, {OTHER_KEY}"),
        "no such session": (client_token(OLD_ID), "does not exist on this server.*session import"),
        "cut short": (good[:40], "malformed.*Copy the token whole"),
        "T1 of another secret": (
            encode_t1(api_key=KEY, api_secret="cd" * 20, session_id=session_id, created_at_s=now),
            "not signed with the present secret",
        ),
    }


@pytest.mark.parametrize("kind", refusals("x"))
def test_why_a_token_is_refused_is_said_in_words(projects: Shell, kind: str) -> None:
    session_id = asked(projects, "session", "create", KEY)["session_id"]
    token, words = refusals(session_id)[kind]
    status, out, _ = projects("token", "inspect", token)
    assert status == 1
    assert out.startswith("Refused: ")
    assert re.search(words, out, re.DOTALL), out
    assert SECRET not in out
    assert OTHER_SECRET not in out


def test_a_token_for_another_session_than_the_client_wants_is_told(projects: Shell) -> None:
    session_id = asked(projects, "session", "create", KEY)["session_id"]
    status, out, _ = projects("token", "inspect", client_token(session_id), "--session-id", OLD_ID)
    assert status == 1
    assert "another session" in out


def test_a_suspended_project_is_named_as_the_reason(projects: Shell) -> None:
    session_id = asked(projects, "session", "create", KEY)["session_id"]
    projects("project", "suspend", KEY)
    _, out, _ = projects("token", "inspect", client_token(session_id))
    assert f"project activate {KEY}" in out


def test_a_session_that_will_be_taken_in_makes_its_token_good(projects: Shell) -> None:
    projects("project", "change", KEY, "--accept-known-keys")
    status, out, _ = projects("token", "inspect", client_token(OLD_ID))
    assert status == 0
    assert "taken in when somebody connects" in out


def test_a_servers_token_is_not_taken_for_a_clients(projects: Shell) -> None:
    made = encode_rest_token(api_key=KEY, api_secret=SECRET, now_s=int(time.time()))
    status, out, _ = projects("token", "inspect", made)
    assert status == 0
    assert "X-OPENTOK-AUTH" in out


def test_misuse_ends_with_two(shell: Shell) -> None:
    assert shell("project", "create", "--colour", "red")[0] == 2
    assert shell("token", "inspect")[0] == 2


def test_what_pages_reported_is_listed_and_shown(shell: Shell, tmp_path: Path) -> None:
    assert shell("issue", "list")[1] == "Nothing has been reported.\n"
    issue_id = "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9"
    report = Issue(issue_id, 1_767_225_600_000, "2_abc", "b7d0", "a browser", "no [red]sound[/red]", '{"phase":"x"}')

    async def put() -> None:
        store = await SqlStore.open(f"sqlite:///{tmp_path / 'var' / 'tertulia.db'}")
        await store.add_issue(report)
        await store.close()

    asyncio.run(put())
    [row] = asked(shell, "issue", "list")
    assert (row["issue_id"], row["reported_at"], row["description"]) == (
        issue_id,
        "2026-01-01T00:00:00Z",
        "no [red]sound[/red]",
    )
    assert "no [red]sound[/red]" in shell("issue", "list")[1]
    for spelled in (issue_id, issue_id.replace("-", "").upper()):
        assert asked(shell, "issue", "show", spelled)["statistics"] == {"phase": "x"}
    status, _, err = shell("issue", "show", "nothing")
    assert (status, "no report nothing" in err) == (1, True)


def test_callbacks_are_set_listed_and_removed(projects: Shell) -> None:
    made = asked(projects, "callback", "create", KEY, "connection", "created", "https://app.example.org/events")
    assert (made["group"], made["event"], made["url"]) == ("connection", "created", "https://app.example.org/events")
    assert asked(projects, "callback", "list", KEY) == [made]
    assert asked(projects, "callback", "list", OTHER_KEY) == []
    assert projects("callback", "deliveries", KEY) == (0, "There are none.\n", "")
    assert asked(projects, "callback", "deliveries", KEY, "--status", "set_aside") == []
    assert projects("callback", "replay", KEY)[0] == 1
    assert asked(projects, "callback", "replay", KEY, "--yes") == {"replayed": 0}
    for refused in (
        ("callback", "replay", KEY, "7"),
        ("callback", "delete", OTHER_KEY, made["id"]),
        ("callback", "create", KEY, "connection", "status", "https://app.example.org/"),
        ("callback", "create", KEY, "connection", "created", "http://127.0.0.1/"),
        ("callback", "create", "60012345", "connection", "created", "https://app.example.org/"),
    ):
        status, _, err = projects(*refused)
        assert (status, len(err.splitlines())) == (1, 1), refused
    assert asked(projects, "callback", "delete", KEY, made["id"]) == {"id": made["id"], "state": "deleted"}
    assert asked(projects, "callback", "list", KEY) == []
