"""The npm package and the script tag, as an application that is served elsewhere uses them."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.servers import PageServer, TertuliaServer

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "web" / "node_modules" / ".bin"
APPLICATION = Path(__file__).parent / "pages" / "application" / "app.js"
USAGE = ROOT / "web" / "src" / "package" / "usage.test-d.ts"
BODY = '<div id="publisher"></div><div id="subscriber"></div><p id="problem"></p>'
DEADLINE_MS = 30_000
DEADLINE_S = 120

pytestmark = pytest.mark.timeout(DEADLINE_S)


def run(*command: str | Path, folder: Path) -> str:
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def application(server: TertuliaServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An application whose package file names the server's package where it named OpenTok's, installed by npm."""
    folder = tmp_path_factory.mktemp("application")
    package = {"private": True, "type": "module", "dependencies": {"@opentok/client": f"{server.url}/npm/tertulia.tgz"}}
    (folder / "package.json").write_text(json.dumps(package))
    shutil.copy(APPLICATION, folder / "app.js")
    meta = f'<meta name="tertulia-server" content="{server.url}">'
    script = '<script type="module" src="./app.js"></script>'
    (folder / "index.html").write_text(f'<!doctype html><meta charset="utf-8">{meta}<title>call</title>{BODY}{script}')
    npm = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    run(*npm, "--cache", str(folder / "cache"), folder=folder)
    return folder


def call(server: TertuliaServer, address: str, open_page: Callable[[str], Page]) -> None:
    """Two people open the page at `address`, and each sees the other move."""
    session_id = server.create_session()
    pages = []
    for _ in range(2):
        query = {"apiKey": server.api_key, "sessionId": session_id, "token": server.token(session_id)}
        pages.append(open_page(f"{address}?{urllib.parse.urlencode(query)}"))
    for page in pages:
        page.wait_for_function(
            "() => [...document.querySelectorAll('#subscriber video')]"
            ".some(video => video.getVideoPlaybackQuality().totalVideoFrames > 5)",
            timeout=DEADLINE_MS,
        )
        expect(page.locator("#publisher .OT_publisher")).to_have_count(1)
        expect(page.locator("#problem")).to_have_text("")


def test_a_bundled_application_calls_with_nothing_but_its_package_line_changed(
    server: TertuliaServer, application: Path, open_page: Callable[[str], Page]
) -> None:
    run(TOOLS / "vite", "build", "--logLevel", "warn", folder=application)
    with PageServer(application / "dist") as elsewhere:
        call(server, f"{elsewhere.url}/index.html", open_page)


def test_a_page_calls_with_nothing_but_its_script_address_changed(
    server: TertuliaServer, pages: PageServer, open_page: Callable[[str], Page]
) -> None:
    program = APPLICATION.read_text().replace("import OT from '@opentok/client';\n", "")
    pages.serve("/by-script/app.js", program, kind="text/javascript")
    scripts = f'<script src="{server.url}/v2/js/opentok.min.js"></script>{BODY}<script src="app.js"></script>'
    address = pages.serve("/by-script/index.html", f'<!doctype html><meta charset="utf-8"><title>call</title>{scripts}')
    call(server, address, open_page)


IMPORTS = {
    "default.mjs": "import OT from '@opentok/client'; say(session(OT) === OT.sessions.find())",
    "named.mjs": "import { initSession } from '@opentok/client'; say(session({ initSession }).sessionId === '2_s')",
    "all.mjs": "import * as OT from '@opentok/client'; say(session(OT) === OT.default.sessions.find())",
    "no-style.mjs": "import OT from '@opentok/client/no-style'; say(session(OT) === OT.sessions.find())",
    "require.cjs": "const OT = require('@opentok/client'); say(session(OT) === OT.sessions.find())",
    "taken.cjs": "const { initSession } = require('@opentok/client'); say(session({ initSession }).id === '2_s')",
    "compiled.cjs": "const OT = require('@opentok/client'); say(OT.__esModule && OT.default === OT)",
    "no-style.cjs": "const OT = require('@opentok/client/no-style'); say(session(OT) === OT.sessions.find())",
}


@pytest.mark.parametrize("file", IMPORTS)
def test_every_form_of_import_works_even_where_there_is_no_page(application: Path, file: str) -> None:
    # initSession looks for a browser that can, and would put a notice into the page.
    page = "globalThis.document = { getElementById: () => ({}) };"
    say = "const say = (ok) => console.log(ok ? 'ok' : 'not ok'), session = (OT) => OT.initSession('1', '2_s');"
    (application / file).write_text(f"{page}\n{say}\n{IMPORTS[file]}")

    assert run("node", file, folder=application) == "ok\n"


@pytest.mark.parametrize(
    ("file", "options"),
    [
        ("bundled.ts", ["--module", "esnext", "--moduleResolution", "bundler"]),
        ("module.mts", ["--module", "node16", "--moduleResolution", "node16"]),
        ("commonjs.cts", ["--module", "node16", "--moduleResolution", "node16"]),
    ],
)
def test_the_types_hold_what_is_documented_and_refuse_what_is_not(
    application: Path, file: str, options: list[str]
) -> None:
    shutil.copy(USAGE, application / file)
    strict = ["--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--target", "es2022"]
    run(TOOLS / "tsc", "--noEmit", "--ignoreConfig", *strict, *options, file, folder=application)


def test_the_types_explain_themselves(application: Path) -> None:
    types = (application / "node_modules" / "@opentok" / "client" / "index.d.ts").read_text()

    for words in ("Makes a Publisher, whose preview asks", "Joins with a token.", "Bits per second, 6,000 to 510,000."):
        assert words in types
    assert "#private" not in types
    assert " _" not in types.replace(" _default", "")
