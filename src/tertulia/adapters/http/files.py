"""Files that browsers load: read once, validated by an ETag, compressed once."""

from __future__ import annotations

import base64
import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

__all__ = ["FileFolder", "etagged"]

_COMPRESSIBLE = ("text/", "application/json", "image/svg+xml")
_SMALLEST_COMPRESSED_BYTES = 1024


@dataclass(frozen=True, slots=True)
class _Loaded:
    modified_ns: int
    content_type: str
    body: bytes
    compressed: bytes | None
    etag: str
    build: str
    integrity: str


class FileFolder:
    """A folder of files, each kept in memory until it changes on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._loaded: dict[Path, _Loaded] = {}

    def answer(self, request: Request, name: str, headers: dict[str, str]) -> Response:
        """The file `name` below the folder with `headers`, or 304. Raises HTTPException 404 if there is none."""
        loaded = self._find(name)
        body, extra = loaded.body, {"Vary": "Accept-Encoding"}
        if loaded.compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            body, extra = loaded.compressed, {**extra, "Content-Encoding": "gzip"}
        return etagged(request, body, loaded.etag, {"Content-Type": loaded.content_type, **extra, **headers})

    def build(self, name: str) -> str:
        """What tells this content of the file from any other, in 16 characters. Raises HTTPException 404 without it."""
        return self._find(name).build

    def integrity(self, name: str) -> str:
        """The file's value for an `integrity` attribute (W3C SRI). Raises HTTPException 404 if there is none."""
        return self._find(name).integrity

    def _find(self, name: str) -> _Loaded:
        file = (self._folder / name).resolve()
        if not file.is_relative_to(self._folder) or not file.is_file():
            raise HTTPException(404)
        return self._load(file)

    def _load(self, file: Path) -> _Loaded:
        modified_ns = file.stat().st_mtime_ns
        loaded = self._loaded.get(file)
        if loaded is None or loaded.modified_ns != modified_ns:
            body = file.read_bytes()
            content_type = _content_type(file)
            small = len(body) < _SMALLEST_COMPRESSED_BYTES or not content_type.startswith(_COMPRESSIBLE)
            digest = hashlib.sha256(body).hexdigest()
            loaded = _Loaded(
                modified_ns=modified_ns,
                content_type=content_type,
                body=body,
                compressed=None if small else gzip.compress(body, mtime=0),
                etag=f'W/"{digest[:20]}"',
                build=digest[:16],
                integrity="sha384-" + base64.b64encode(hashlib.sha384(body).digest()).decode(),
            )
            self._loaded[file] = loaded
        return loaded


def etagged(request: Request, body: bytes, etag: str, headers: dict[str, str]) -> Response:
    """`body` with an ETag, or 304 without a body if the client has it already."""
    headers = {"ETag": etag, "X-Content-Type-Options": "nosniff", **headers}
    if etag in (one.strip() for one in request.headers.get("if-none-match", "").split(",")):
        return Response(None, 304, headers)
    return Response(body, 200, headers)


def _content_type(file: Path) -> str:
    if file.suffix in (".js", ".mjs"):
        return "text/javascript; charset=utf-8"
    guessed = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return f"{guessed}; charset=utf-8" if guessed.startswith("text/") else guessed
