"""Strangers' clients of OpenID Connect, as their makers wrote them, and real processes of ours."""

import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from tests.conftest import absent
from tests.people import ADA, NUMBER, sign_up, verify
from tests.phone import Phone
from tests.postgres import free_port
from tests.servers import ROOT, Deployment, served, wait_for
from tests.visitor import Visitor

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("database", ["sqlite"], indirect=True),
]
SECRET = "a-secret-of-forty-random-characters-Zk3v/+%"


@dataclass(frozen=True)
class Stranger:
    """An application of somebody else's making."""

    url: str
    signin: str  # the page that sends a browser to us


@contextlib.contextmanager
def running(
    command: list[str], url: str, environ: Mapping[str, str], directory: Path
) -> Iterator[None]:
    """A process for the length of a ``with`` block, once it answers."""
    log = directory / "client.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environ, stdout=out, stderr=out, cwd=ROOT)
    try:
        wait_for(lambda: _answers(url), process, log)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        httpx.get(url, timeout=5, verify=False)
        return True
    return False


@pytest.fixture
def accounts_port() -> int:
    return free_port()


@pytest.fixture
def issuer(accounts_port: int) -> str:
    return f"http://127.0.0.1:{accounts_port}"


@pytest.fixture
async def person(
    database_url: str,
    deployment: Deployment,
    far_phone: Phone,
    accounts_port: int,
    issuer: str,
    redirect_uri: str,
) -> AsyncIterator[Visitor]:
    """Ada's browser, signed in at the accounts, which know one application."""
    deployment.web(
        database_url,
        PORT=str(accounts_port),
        BASE_URL=issuer,
        WEB_CONCURRENCY="2",
        OIDC_CLIENTS=f"example {SECRET} {redirect_uri}",
    )
    async with httpx.AsyncClient(base_url=issuer, timeout=30, verify=False) as client:
        visitor = Visitor(client)
        await sign_up(visitor)
        assert (await verify(visitor, far_phone)).verified
        yield visitor


@pytest.fixture
def client_port() -> int:
    return free_port()


@pytest.fixture
def redirect_uri(client_port: int) -> str:
    return f"http://localhost:{client_port}/callback"


async def follow(client: httpx.AsyncClient, url: str, method: str = "GET") -> httpx.Response:
    """Go where a browser goes."""
    return await client.request(method, url, follow_redirects=True)


# Authlib, by the application in `examples/`


async def test_authlib_for_starlette_in_the_example(
    person: Visitor, client_port: int, issuer: str, tmp_path: Path
) -> None:
    url, client = f"http://localhost:{client_port}", person.client
    environ = {"ACCOUNTS_URL": issuer, "CLIENT_SECRET": SECRET, "PATH": ""}
    command = [sys.executable, "-m", "uvicorn", "--app-dir", "examples", "--port", str(client_port)]
    with running([*command, "--host", "localhost", "app:app"], url, environ, tmp_path):
        assert "My application" in (await client.get(url)).text
        answer = await follow(client, f"{url}/signin")
        assert (str(answer.url), answer.status_code) == (f"{url}/", 200)
        assert f"Hello, {ADA['name']}" in answer.text
        assert NUMBER in answer.text
        answer = await follow(client, f"{url}/signout", "POST")
        assert (answer.url.path, "My application" in answer.text) == ("/", True)
        assert (await client.get("/session")).status_code == 401
        assert (await follow(client, f"{url}/signin")).url.path == "/signin"


# npm's openid-client


async def test_openid_client_for_node(
    person: Visitor, client_port: int, issuer: str, tmp_path: Path
) -> None:
    node, script = shutil.which("node"), ROOT / "tests/browser/openid_client.mjs"
    if not node or not (script.parent / "node_modules/openid-client").exists():
        absent("openid-client (npm ci --prefix tests/browser)")
    url, client = f"http://localhost:{client_port}", person.client
    command = [node, str(script), issuer, "example", SECRET, str(client_port)]
    with running(command, f"{url}/bye", {}, tmp_path):
        answer = await follow(client, f"{url}/signin")
        assert answer.status_code == 200, answer.text
        claims = answer.json()
        assert claims == (await client.get("/session")).json()
        assert (await follow(client, f"{url}/again")).json() == claims
        assert (await follow(client, f"{url}/signout")).json() == {"bye": True}
        assert (await client.get("/session")).status_code == 401
        assert (await follow(client, f"{url}/again")).status_code == 500  # its token is over


# Apache's mod_auth_openidc, by the configuration in the documents


async def behind_apache(scope: Scope, receive: Receive, send: Send) -> None:
    """What Apache tells the application behind it."""
    await JSONResponse(dict(Request(scope, receive).headers))(scope, receive, send)


MODULES = [
    "mpm_event",
    "authn_core",
    "authz_core",
    "authz_user",
    "headers",
    "proxy",
    "proxy_http",
    "auth_openidc",
]


def documented(replaced: Mapping[str, str]) -> str:
    page = (ROOT / "docs/applications.md").read_text()
    [config] = re.findall(r"```apache\n(.*?)```", page, re.DOTALL)
    for words, others in replaced.items():
        assert words in config
        config = config.replace(words, others)
    return str(config)


async def test_mod_auth_openidc(
    person: Visitor, client_port: int, issuer: str, tmp_path: Path
) -> None:
    apache = shutil.which("apache2", path="/usr/sbin:/usr/bin")
    modules = Path("/usr/lib/apache2/modules")
    if not apache or not (modules / "mod_auth_openidc.so").exists():
        absent("libapache2-mod-auth-openidc")
    url, client = f"http://localhost:{client_port}", person.client
    forged = {"Remote-User": "root", "OIDC_CLAIM_sub": "root"}
    with served(behind_apache) as behind:
        config = documented(
            {
                "https://accounts.example.com": issuer,
                "https://example.org/signed-in": f"{url}/callback",
                "ANOTHER-SECRET": "a-passphrase",
                " SECRET": f" {SECRET}",
                " apache\n": " example\n",
                "http://127.0.0.1:3000": behind,
            }
        )
        loaded = "\n".join(f"LoadModule {m}_module {modules}/mod_{m}.so" for m in MODULES)
        file = tmp_path / "apache.conf"
        file.write_text(
            f"ServerRoot {tmp_path}\nPidFile {tmp_path}/pid\nErrorLog {tmp_path}/error.log\n"
            f"ServerName localhost\nListen 127.0.0.1:{client_port}\n{loaded}\n"
            f"User www-data\n{config}"
        )
        command = [apache, "-f", str(file), "-D", "FOREGROUND"]
        with running(command, url, {}, tmp_path):
            answer = await client.get(f"{url}/orders?a=1", headers=forged, follow_redirects=True)
            assert answer.status_code == 200, answer.text + (tmp_path / "error.log").read_text()
            person_here = (await client.get("/session")).json()
            headers = answer.json()
            assert headers["remote-user"] == person_here["sub"]
            assert headers["oidc_claim_sub"] == person_here["sub"]
            assert headers["oidc_claim_phone_number"] == NUMBER
            assert headers["oidc_claim_email"] == ADA["email"]
            out = await follow(client, f"{url}/callback?logout={url}/callback%3Finfo%3Djson")
            assert (await client.get("/session")).status_code == 401, out.text
