"""Static files: compressed, at URLs that change with their content and are cached for a year."""

import asyncio
import gzip
import mimetypes
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from hashlib import blake2b
from pathlib import Path
from threading import Lock

import brotli  # type: ignore[import-untyped]
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

# What Python's own table lacks before 3.14, or a system's may say otherwise.
mimetypes.add_type("text/javascript", ".js")
mimetypes.add_type("font/woff2", ".woff2")
mimetypes.add_type("image/webp", ".webp")
TEXTS = ("text/", "image/svg+xml")  # get a charset
COMPRESSED_ALREADY = {".avif", ".jpg", ".png", ".webp", ".woff2"}
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {  # best first
    "br": lambda body: brotli.compress(body, quality=11),
    "gzip": lambda body: gzip.compress(body, 9, mtime=0),
}

FOR_A_YEAR = "public, max-age=31536000, immutable"
ASK_FIRST = "no-cache"

FINGERPRINT = re.compile("[0-9a-f]{12}")
LOCAL_IMPORT = re.compile(rb'@import "([\w.-]+\.css)";')
NO_WEIGHT = re.compile(r"\s*q\s*=\s*0(\.0*)?\s*")


class MissingAsset(LookupError):
    """A template names a static file that does not exist."""


class Assets:
    """An ASGI app that serves a directory, and makes the URLs of its files.

    One fingerprint of the whole directory stands in front of every path, so relative URLs in
    stylesheets and modules are fingerprinted too. A URL with another fingerprint, or none, also
    gives the file, but browsers do not cache it: during a roll-out, pages of one version meet
    processes of the other.
    """

    def __init__(
        self, directory: Path | str, prefix: str = "/static", *, reload: bool = False
    ) -> None:
        """``prefix``: where the app is mounted. ``reload``: look for changed files at each use."""
        self.directory, self.prefix, self.reload = Path(directory), prefix, reload
        self._read()

    def asset(self, name: str) -> str:
        """The URL of the file at ``name`` in the directory. Raises ``MissingAsset``."""
        self._refresh()
        if name not in self.files:
            raise MissingAsset(self._complaint(name))
        return f"{self.prefix}/{self.fingerprint}/{name}"

    def compress(self) -> None:
        """Compress every file now rather than at its first request. Takes half a second."""
        for file in self.files.values():
            for coding in file.codings:
                file.encoded(coding)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Answer GET and HEAD. Raises ``HTTPException`` 404 or 405."""
        if scope.get("method") not in {"GET", "HEAD"}:
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        self._refresh()
        file, fresh = self._find(scope["path"].removeprefix(f"{self.prefix}/"))
        if file is None:
            raise HTTPException(404)
        request = Headers(scope=scope)
        coding = preferred(",".join(request.getlist("accept-encoding")), file.codings)
        if coding in file.compressed:
            body = file.compressed[coding]
        else:
            body = await asyncio.to_thread(file.encoded, coding)
        headers = file.headers(coding) | {"cache-control": FOR_A_YEAR if fresh else ASK_FIRST}
        if _known(headers["etag"], request.get("if-none-match", "")):
            await _send(send, 304, headers, b"")
            return
        headers["content-length"] = str(len(body))
        await _send(send, 200, headers, b"" if scope["method"] == "HEAD" else body)

    def _find(self, path: str) -> "tuple[StaticFile | None, bool]":
        """The file at ``path``, and whether the path has the current fingerprint."""
        first, _, rest = path.partition("/")
        if FINGERPRINT.fullmatch(first) and rest in self.files:
            return self.files[rest], first == self.fingerprint
        return self.files.get(path), False

    def _refresh(self) -> None:
        if self.reload and self._stamp() != self.stamp:
            self._read()

    def _read(self) -> None:
        self.stamp = self._stamp()
        self.files = {path: StaticFile.read(self.directory, path) for path, *_ in self.stamp}
        digests = "".join(f"{name} {file.digest} " for name, file in self.files.items())
        self.fingerprint = _digest(digests.encode())

    def _stamp(self) -> list[tuple[str, int, int]]:
        """Name, time and size of every file, sorted, without hidden files."""
        files = (path for path in sorted(self.directory.rglob("*")) if path.is_file())
        named = ((path.relative_to(self.directory).as_posix(), path.stat()) for path in files)
        return [
            (name, status.st_mtime_ns, status.st_size)
            for name, status in named
            if "/." not in f"/{name}"
        ]

    def _complaint(self, name: str) -> str:
        close = get_close_matches(name, self.files, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return f"no file {name!r} in {self.directory}/{hint}"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file's content in every compression."""

    type: str
    body: bytes
    digest: str
    codings: tuple[str, ...]
    compressed: dict[str, bytes]
    lock: Lock = field(default_factory=Lock)

    @classmethod
    def read(cls, directory: Path, name: str) -> "StaticFile":
        """The file at ``name`` in ``directory``."""
        path = directory / name
        suffix = path.suffix.lower()
        body = _whole(path) if suffix == ".css" else path.read_bytes()
        codings = () if suffix in COMPRESSED_ALREADY else tuple(COMPRESSIONS)
        return cls(_content_type(name), body, _digest(body), codings, {"": body})

    def encoded(self, coding: str) -> bytes:
        """The body in ``coding``, compressed once: up to a tenth of a second."""
        with self.lock:
            if coding not in self.compressed:
                self.compressed[coding] = COMPRESSIONS[coding](self.body)
        return self.compressed[coding]

    def headers(self, coding: str) -> dict[str, str]:
        """The response headers for the body in ``coding``."""
        headers = {"content-type": self.type, "etag": f'"{self.digest}{coding}"'}
        if coding:
            headers["content-encoding"] = coding
        if self.codings:
            headers["vary"] = "Accept-Encoding"
        return headers


def _content_type(name: str) -> str:
    type_ = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{type_}; charset=utf-8" if type_.startswith(TEXTS) else type_


def _whole(path: Path) -> bytes:
    """A stylesheet with the files of its folder that it imports inlined, to save requests."""
    return LOCAL_IMPORT.sub(
        lambda found: _whole(path.parent / found[1].decode()), path.read_bytes()
    )


async def _send(send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def preferred(accept_encoding: str, codings: tuple[str, ...]) -> str:
    """The first of ``codings`` that the client accepts, or ``""``."""
    parts = (part.partition(";") for part in accept_encoding.lower().split(","))
    taken = {coding.strip() for coding, _, weight in parts if not NO_WEIGHT.fullmatch(weight)}
    return next((coding for coding in codings if coding in taken), "")


def _known(etag: str, if_none_match: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return etag in tags or "*" in tags


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=6).hexdigest()
