import gzip
import os
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount

from webapp.web.static import Assets, MissingAsset

STYLE = "@import url('css/more.css');\n" + "p { color: teal; }\n" * 100
A_YEAR = "public, max-age=31536000, immutable"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A designer's directory."""
    (tmp_path / "css").mkdir()
    (tmp_path / "app.css").write_text(STYLE)
    (tmp_path / "css" / "more.css").write_text("p { margin: 0 }\n" * 50)
    (tmp_path / "app.js").write_text("import './code.js';\n" * 50)
    (tmp_path / "dot.png").write_bytes(b"\x89PNG" + b"\0" * 500)
    (tmp_path / ".hidden").write_text("nobody's")
    (tmp_path / ".#app.css").symlink_to("an-editors-lock")
    (tmp_path.parent / "secret.txt").write_text("outside")
    return tmp_path


def client(assets: Assets) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(Starlette(routes=[Mount("/static", assets)]))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def test_a_page_names_a_file_by_a_url_that_is_kept_for_a_year(directory: Path) -> None:
    assets = Assets(directory)
    async with client(assets) as browser:
        answer = await browser.get(assets.asset("app.css"))
    assert (answer.status_code, answer.text) == (200, STYLE)
    assert answer.headers["cache-control"] == A_YEAR
    assert answer.headers["content-type"] == "text/css; charset=utf-8"


async def test_what_a_file_refers_to_by_a_relative_url_is_fingerprinted_too(
    directory: Path,
) -> None:
    assets = Assets(directory)
    url = httpx.URL(assets.asset("app.css")).join("css/more.css")
    assert str(url) == assets.asset("css/more.css")


async def test_a_stylesheet_brings_those_beside_it_that_it_imports(directory: Path) -> None:
    (directory / "css" / "tokens.css").write_text(":root { --ink: #000 }")
    (directory / "css" / "page.css").write_text('@import "tokens.css";\n@layer base;')
    assets = Assets(directory)
    async with client(assets) as browser:
        answer = await browser.get(assets.asset("css/page.css"))
    assert answer.text == ":root { --ink: #000 }\n@layer base;"


def test_a_change_of_any_file_changes_the_urls(directory: Path) -> None:
    before = Assets(directory).asset("app.css")
    assert Assets(directory).asset("app.css") == before
    (directory / "css" / "more.css").write_text("p { margin: 1px }")
    assert Assets(directory).asset("app.css") != before


def test_a_file_that_is_not_there_is_named_with_the_likeliest_one(directory: Path) -> None:
    with pytest.raises(MissingAsset, match=r"no file 'ap\.css' in .*; did you mean 'app\.css'\?"):
        Assets(directory).asset("ap.css")


@pytest.mark.parametrize("path", ["/static/0123456789ab/app.css", "/static/app.css"])
async def test_a_url_of_another_version_or_none_is_answered_but_not_kept(
    directory: Path, path: str
) -> None:
    async with client(Assets(directory)) as browser:
        answer = await browser.get(path)
    assert (answer.text, answer.headers["cache-control"]) == (STYLE, "no-cache")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("app.js", "text/javascript; charset=utf-8"),
        ("logo.svg", "image/svg+xml; charset=utf-8"),
        ("site.webmanifest", "application/manifest+json"),
        ("letters.woff2", "font/woff2"),
        ("photo.webp", "image/webp"),
        ("photo.avif", "image/avif"),
        ("unknown.thing", "application/octet-stream"),
    ],
)
async def test_a_file_has_the_type_that_browsers_need(
    directory: Path, name: str, expected: str
) -> None:
    (directory / name).write_bytes(b"content")
    async with client(Assets(directory)) as browser:
        assert (await browser.get(f"/static/{name}")).headers["content-type"] == expected


async def test_a_folder_is_not_taken_for_a_fingerprint(directory: Path) -> None:
    (directory / "css" / "app.css").write_text("another")
    async with client(Assets(directory)) as browser:
        assert (await browser.get("/static/css/app.css")).text == "another"


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("BR;q=0.5, gzip", "br"),
        ("gzip, br;q=0", "gzip"),
        ("gzip;q=0, br; q=0.0", ""),
        ("identity", ""),
        ("*", ""),
        ("brotli", ""),
        ("", ""),
    ],
)
async def test_a_browser_gets_the_best_compression_it_takes(
    directory: Path, accepted: str, coding: str
) -> None:
    assets = Assets(directory)
    async with client(assets) as browser:
        request = browser.build_request(
            "GET", assets.asset("app.css"), headers={"Accept-Encoding": accepted}
        )
        answer = await browser.send(request, stream=True)
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    decode = {"br": brotli.decompress, "gzip": gzip.decompress, "": bytes}[coding]
    assert answer.headers.get("content-encoding", "") == coding
    assert decode(raw) == STYLE.encode()
    assert answer.headers["content-length"] == str(len(raw))
    assert answer.headers["vary"] == "Accept-Encoding"


async def test_pictures_are_not_compressed_again(directory: Path) -> None:
    assets = Assets(directory)
    async with client(assets) as browser:
        answer = await browser.get(assets.asset("dot.png"), headers={"Accept-Encoding": "br"})
    assert answer.headers["content-type"] == "image/png"
    assert "content-encoding" not in answer.headers
    assert "vary" not in answer.headers


async def test_all_can_be_compressed_ahead_of_time(directory: Path) -> None:
    assets = Assets(directory)
    assets.compress()
    assert set(assets.files["app.css"].compressed) == {"", "br", "gzip"}
    assert set(assets.files["dot.png"].compressed) == {""}


async def test_a_browser_that_has_the_file_is_sent_nothing(directory: Path) -> None:
    async with client(Assets(directory)) as browser:
        first = await browser.get("/static/app.css")
        etag = first.headers["etag"]
        again = await browser.get("/static/app.css", headers={"If-None-Match": f'"x", W/{etag}'})
        other = await browser.get("/static/app.css", headers={"If-None-Match": '"x"'})
        plain = await browser.get("/static/app.css", headers={"Accept-Encoding": "identity"})
    assert (again.status_code, again.content) == (304, b"")
    assert {"etag", "vary", "cache-control"} <= set(again.headers)
    assert other.status_code == 200
    assert plain.headers["etag"] != etag  # another body


async def test_head_tells_what_get_would(directory: Path) -> None:
    async with client(Assets(directory)) as browser:
        head, get = await browser.head("/static/app.css"), await browser.get("/static/app.css")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers == get.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
async def test_files_are_only_read(directory: Path, method: str) -> None:
    async with client(Assets(directory)) as browser:
        answer = await browser.request(method, "/static/app.css")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/css",
        "/static/nothing.css",
        "/static/../secret.txt",
        "/static/%2e%2e/secret.txt",
        "/static/css/../../secret.txt",
        "/static/..%2fsecret.txt",
        "/static/0123456789ab/../../secret.txt",
        "/static//etc/passwd",
        "/static/.hidden",
        "/static/.%23app.css",
        "/static/app.css%00",
        "/static/app.css/",
    ],
)
async def test_nothing_but_the_directorys_files_is_served(directory: Path, path: str) -> None:
    async with client(Assets(directory)) as browser:
        request = browser.build_request("GET", "/")
        request.url = request.url.copy_with(raw_path=path.encode())
        assert (await browser.send(request)).status_code == 404


@given(path=st.text(), header=st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_path_or_header_is_an_error(directory: Path, path: str, header: str) -> None:
    statuses: list[int] = []
    application = Starlette(routes=[Mount("/static", Assets(directory))])

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b""}

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        statuses.append(message.get("status", 0))

    headers = [(b"accept-encoding", header.encode()), (b"if-none-match", header.encode())]
    scope = {"type": "http", "method": "GET", "path": f"/static/{path}", "headers": headers}
    await application(scope, receive, send)
    assert statuses[0] in {200, 304, 404}


# Development


async def test_in_development_a_changed_file_is_seen_at_the_next_look(directory: Path) -> None:
    assets = Assets(directory, reload=True)
    before = assets.asset("app.css")
    (directory / "app.css").write_text("p { color: red }")
    os.utime(directory / "app.css", (1, 1))
    async with client(assets) as browser:
        answer = await browser.get(assets.asset("app.css"))
    assert answer.text == "p { color: red }"
    assert answer.headers["cache-control"] == A_YEAR
    assert assets.asset("app.css") != before


async def test_in_production_files_are_read_once(directory: Path) -> None:
    assets = Assets(directory)
    before = assets.asset("app.css")
    (directory / "app.css").unlink()
    async with client(assets) as browser:
        assert (await browser.get(before)).text == STYLE
    assert assets.asset("app.css") == before
