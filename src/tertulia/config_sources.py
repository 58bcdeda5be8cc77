"""Where settings come from, before they are checked: a TOML file, `TERTULIA_…` variables, flags, files with secrets.

Whoever mistypes a key is told the nearest one. A setting that is a secret can be read from a file instead: its name
with `_file` behind it, in the TOML file (`token_file = "/run/secrets/metrics"`) and as a variable
(`TERTULIA_METRICS_TOKEN_FILE`).
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

__all__ = ["SECRET_BYTES", "ConfigurationError", "Secret", "check_names", "merge", "read_file", "resolve_secret_files"]

ENVIRONMENT_PREFIX = "TERTULIA_"
FILE_SUFFIX = "_file"
SECRET_BYTES = 4096
"""The longest secret, or address with a password, in a file. Our own choice."""

Secret = Annotated[str, msgspec.Meta(extra={"secret": True})]
"""A text that may also come from a file, and that no message repeats."""

Values = dict[str, Any]


class ConfigurationError(Exception):
    """The configuration cannot be used; the message is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class _Name:
    """One setting: where it stands, and what it takes."""

    dotted: str
    type_: Any
    in_list: bool = False

    @property
    def is_list(self) -> bool:
        return get_origin(self.type_) is tuple

    @property
    def is_secret(self) -> bool:
        return any(_is_marked(one) for one in (self.type_, *get_args(self.type_)))

    @property
    def variable(self) -> str:
        return ENVIRONMENT_PREFIX + self.dotted.replace(".", "_").upper()


def read_file(file: Path) -> Values:
    """The content of a TOML file. Raises ConfigurationError if it cannot be read or is none."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"The configuration file {file} cannot be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The configuration file {file} is not valid TOML: {error}.") from error


def merge(
    values: Values, settings: type, environment: Mapping[str, str], flags: Mapping[str, Any], hidden: Collection[str]
) -> Values:
    """`values` with what variables and flags say instead; lists of tables and `hidden` settings have no variable.

    Raises ConfigurationError for a variable that is no setting.
    """
    merged = {name: dict(value) if isinstance(value, dict) else value for name, value in values.items()}
    single = [name for name in _names(settings) if not name.in_list and name.dotted not in hidden]
    known = {name.variable: name for name in (*single, *_file_names(single))}
    for variable, text in environment.items():
        if variable.startswith(ENVIRONMENT_PREFIX):
            name = known.get(variable)
            if name is None:
                raise ConfigurationError(
                    f"The environment variable {variable} is not a setting{_hint(variable, list(known))}"
                )
            _put(merged, name.dotted, _parts(text) if name.is_list else text)
            if name.is_secret or name.dotted.endswith(FILE_SUFFIX):
                _drop_other_spelling(merged, name.dotted)
    for dotted, value in flags.items():
        if value is not None:
            _put(merged, dotted, value)
    return merged


def check_names(values: Values, settings: type) -> None:
    """Raises ConfigurationError, with the nearest name that there is, if a key is none of the settings."""
    known = list(_names(settings))
    allowed = [name.dotted for name in (*known, *_file_names(known))]
    sections = {name.rpartition(".")[0] for name in allowed}
    for dotted in _written(values, sections):
        if dotted not in allowed and dotted not in sections:
            raise ConfigurationError(f"The setting {dotted} is not known{_hint(dotted, allowed)}")


def resolve_secret_files(values: Values, settings: type) -> Values:
    """`values` in which every `…_file` has become the secret in that file.

    Raises ConfigurationError if a file cannot be read, is empty or too long, or the secret is given as well.
    """
    for name in _file_names(_names(settings)):
        for holder in _holders(values, name.dotted.rpartition(".")[0]):
            key = name.dotted.rpartition(".")[2]
            if key in holder:
                target = key.removesuffix(FILE_SUFFIX)
                if target in holder:
                    raise ConfigurationError(
                        f"The settings {name.dotted.removesuffix(FILE_SUFFIX)} and {name.dotted} exclude each other."
                    )
                holder[target] = _read_secret(name.dotted, holder.pop(key))
    return values


def _read_secret(dotted: str, path: object) -> str:
    if not isinstance(path, str) or not path:
        raise ConfigurationError(f"The setting {dotted} is not the path of a file.")
    try:
        with Path(path).open("rb") as file:
            content = file.read(SECRET_BYTES + 1)
        text = content.decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigurationError(f"The file {path} of the setting {dotted} cannot be read ({reason}).") from error
    if not text or len(content) > SECRET_BYTES:
        raise ConfigurationError(
            f"The file {path} of the setting {dotted} is empty or longer than {SECRET_BYTES} bytes."
        )
    return text


def _names(section: type, prefix: str = "", *, in_list: bool = False) -> Iterator[_Name]:
    """Every setting of a section and of those below it; those of a list of sections under the list's name."""
    for key, type_ in get_type_hints(section, include_extras=True).items():
        if key.startswith("__") or key not in section.__struct_fields__:  # type: ignore[attr-defined]  # a Struct
            continue
        inner = next((one for one in (type_, *get_args(type_)) if _is_section(one)), None)
        if inner is not None:
            yield from _names(inner, f"{prefix}{key}.", in_list=in_list or get_origin(type_) is tuple)
        else:
            yield _Name(prefix + key, type_, in_list)


def _file_names(names: Iterable[_Name]) -> list[_Name]:
    return [_Name(name.dotted + FILE_SUFFIX, str, name.in_list) for name in names if name.is_secret]


def _is_section(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, msgspec.Struct)


def _is_marked(type_: Any) -> bool:
    return any(
        isinstance(one, msgspec.Meta) and one.extra == {"secret": True} for one in getattr(type_, "__metadata__", ())
    )


def _written(values: Values, sections: set[str], prefix: str = "") -> Iterator[str]:
    """The dotted name of everything that is written down, once for each element of a list of sections."""
    for key, value in values.items():
        dotted = prefix + key
        yield dotted
        if dotted in sections:
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, dict):
                    yield from _written(inner, sections, dotted + ".")


def _holders(values: Values, section: str) -> list[Values]:
    """The tables in which the keys of a section stand."""
    found: list[Any] = [values]
    for part in section.split(".") if section else ():
        inner = [holder.get(part) for holder in found if isinstance(holder, dict)]
        found = [one for each in inner for one in (each if isinstance(each, list) else [each])]
    return [one for one in found if isinstance(one, dict)]


def _hint(given: str, known: list[str]) -> str:
    """The nearest name, which may stand in another section; nothing if none is near."""
    last = given.rpartition(".")[2]
    same = [name for name in known if name.rpartition(".")[2] == last]
    near = same or difflib.get_close_matches(given, known, n=1, cutoff=0.75)
    if not near:
        by_key = {name.rpartition(".")[2]: name for name in known}
        near = [by_key[key] for key in difflib.get_close_matches(last, by_key, n=1, cutoff=0.7)]
    return f"; did you mean {near[0]}?" if near else "."


def _put(values: Values, dotted: str, value: Any) -> None:
    *sections, key = dotted.split(".")
    for section in sections:
        values = values.setdefault(section, {})
    values[key] = value


def _drop_other_spelling(values: Values, dotted: str) -> None:
    """A variable that gives a secret wins over the file that the TOML file names for it, and the other way round."""
    section, _, key = dotted.rpartition(".")
    other = key.removesuffix(FILE_SUFFIX) if key.endswith(FILE_SUFFIX) else key + FILE_SUFFIX
    for holder in _holders(values, section):
        holder.pop(other, None)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
