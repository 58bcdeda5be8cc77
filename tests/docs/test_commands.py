"""The commands that the documents name are taken as they are printed."""

from __future__ import annotations

import contextlib
import re
import shlex

import pytest
from cyclopts.exceptions import MissingArgumentError

from tertulia.cli.commands import app
from tests.docs.examples import ROOT, documents

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
# What a reader is to put something in place of.
PLACEHOLDER = re.compile(r"\b[A-Z]{4,}\b|…|\.\.\.|\$")


def shown(program: str) -> list[tuple[str, str]]:
    """Each line of shell and each piece of code in a sentence that begins with the program, with its document."""
    found = set()
    for page in documents():
        text = page.read_text(encoding="utf-8")
        # Blocks are every second piece between fences.
        blocks = re.split(r"^```.*$", text, flags=re.MULTILINE)[1::2]
        lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
        for code in (*lines, *re.findall(r"`([^`\n]+)`", text)):
            command = re.fullmatch(rf"\s*(?:\.venv/bin/)?{program} (.+?)(?:\s+#.*)?", code)
            if command:
                found.add((str(page.relative_to(ROOT)), command[1]))
    return sorted(found)


@pytest.mark.parametrize(("page", "command"), shown("tertulia"))
def test_a_command_of_the_documents_is_taken_with_its_options(page: str, command: str) -> None:
    words = shlex.split(command.partition("|")[0].partition(">")[0])
    if words[0] == "COMMAND":
        return
    if PLACEHOLDER.search(command):
        group, _, _ = app.parse_commands(words)
        assert group, f"{page} names the command"
        return
    # Raises for a command or an option that there is not. A sentence that only names it leaves its arguments out.
    with contextlib.suppress(MissingArgumentError):
        app.parse_args(words, exit_on_error=False, print_error=False)


@pytest.mark.parametrize(("page", "command"), shown("make"))
def test_a_target_of_the_documents_is_in_the_makefile(page: str, command: str) -> None:
    target, *variables = shlex.split(command)
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), f"{page} names the target"
    for name in (variable.partition("=")[0] for variable in variables):
        assert name == "PYTHON" or re.search(rf"\$\((?:if \$\()?{name}\b|\$\(or \$\({name}\b", MAKEFILE), name


@pytest.mark.parametrize("program", ["tertulia", "make"])
def test_the_documents_name_commands(program: str) -> None:
    assert len(shown(program)) >= 10
