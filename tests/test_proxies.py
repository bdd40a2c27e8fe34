"""The configurations in docs/applications.md, with a real nginx, Caddy and Traefik before us."""

import contextlib
import getpass
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
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

SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
CERTIFICATE = ROOT / "tests" / "stranger.pem"
SIZE = 100_000  # bytes of a body, more than a proxy sends with the head
FORGED = {
    "Remote-User": "root",
    "remote-email": "root@example.com",
    "REMOTE-NAME": "root",
    "Remote_User": "root",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Uri": "/evil",
}


def documented(language: str) -> str:
    """The configuration in the page, as it stands there."""
    page = (ROOT / "docs/applications.md").read_text()
    [block] = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    return str(block)


async def own_app(scope: Scope, receive: Receive, send: Send) -> None:
    """The owner's application: it tells what reached it.

    It reads the whole body first. A server that answers and closes before, resets the connection,
    and a proxy that is still sending says 502.
    """
    request = Request(scope, receive)
    answer = {
        "path": request.url.path,
        "headers": [list(pair) for pair in request.headers.items()],
        "size": len(await request.body()),
    }
    await JSONResponse(answer)(scope, receive, send)


def nginx(port: int, accounts: int, app: int, directory: Path) -> list[str]:
    config = (
        documented("nginx")
        .replace("listen 443 ssl", f"listen {port} ssl")
        .replace("/etc/ssl/example.com.pem", str(CERTIFICATE))
        .replace("127.0.0.1:8000", f"127.0.0.1:{accounts}")
        .replace("127.0.0.1:3000", f"127.0.0.1:{app}")
    )
    paths = "\n".join(
        f"{kind}_temp_path {directory}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = directory / "nginx.conf"
    user = f"user {getpass.getuser()};"  # whose the directory is
    file.write_text(
        f"{user} daemon off; pid {directory}/pid; error_log stderr;\nevents {{}}\n"
        f"http {{ access_log off; {paths}\n{config}}}"
    )
    return ["nginx", "-c", str(file), "-p", str(directory)]


def caddy(port: int, accounts: int, app: int, directory: Path) -> list[str]:
    site = f"https://localhost:{port} {{\n\ttls {CERTIFICATE} {CERTIFICATE}"
    config = (
        documented("caddyfile")
        .replace("example.com {", site)
        .replace("127.0.0.1:8000", f"127.0.0.1:{accounts}")
        .replace("127.0.0.1:3000", f"127.0.0.1:{app}")
    )
    file = directory / "Caddyfile"
    file.write_text(f"{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{config}")
    return ["caddy", "run", "--config", str(file), "--adapter", "caddyfile"]


def traefik(port: int, accounts: int, app: int, directory: Path) -> list[str]:
    certificate = f"{{certFile: {CERTIFICATE}, keyFile: {CERTIFICATE}}}"
    dynamic = (
        documented("yaml")
        .replace("example.com", "localhost")
        .replace("127.0.0.1:8000", f"127.0.0.1:{accounts}")
        .replace("127.0.0.1:3000", f"127.0.0.1:{app}")
    )
    file = directory / "dynamic.yaml"
    file.write_text(f"{dynamic}tls: {{certificates: [{certificate}]}}\n")
    return ["traefik", f"--entryPoints.web.address=:{port}", f"--providers.file.filename={file}"]


PROXIES = {"nginx": nginx, "caddy": caddy, "traefik": traefik}


@contextlib.contextmanager
def running(command: list[str], port: int, directory: Path) -> Iterator[None]:
    """A proxy for the length of a ``with`` block, once it listens."""
    own = Path(sys.executable).parent
    program = shutil.which(command[0], path=f"{own}:/usr/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        absent(command[0])
    log = directory / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [program, *command[1:]], env={"HOME": str(directory)}, stdout=out, stderr=out
        )
    try:
        wait_for(lambda: listens(port), process, log)
        yield
    finally:
        process.terminate()
        process.wait(10)


def listens(port: int) -> bool:
    with contextlib.suppress(httpx.TransportError):
        httpx.get(f"https://localhost:{port}/healthz", verify=False, timeout=5)
        return True
    return False


@pytest.fixture(params=PROXIES)
async def visitor(
    request: pytest.FixtureRequest, database_url: str, deployment: Deployment, tmp_path: Path
) -> AsyncIterator[Visitor]:
    """Somebody before the proxy, behind which are the accounts and the owner's application."""
    port, accounts = free_port(), free_port()
    with served(own_app) as url:
        command = PROXIES[request.param](port, accounts, httpx.URL(url).port or 0, tmp_path)
        with running(command, port, tmp_path):
            base_url = f"https://localhost:{port}"
            deployment.web(
                database_url,
                PORT=str(accounts),
                BASE_URL=base_url,
                TRUSTED_PROXY_HOPS="1",
                WEB_CONCURRENCY="1",
            )
            async with httpx.AsyncClient(base_url=base_url, verify=False, timeout=30) as client:
                yield Visitor(client)


@SQLITE
@pytest.mark.slow
async def test_the_proxy_lets_none_but_the_verified_through(
    visitor: Visitor, far_phone: Phone
) -> None:
    client = visitor.client
    signin = f"{client.base_url}/signin?return_to=%2Fapp%2Forders%3Fa%3D1%26b%3D2".replace(
        "//s", "/s"
    )

    nobody = await client.get("/app/orders?a=1&b=2", headers=FORGED)
    assert nobody.status_code == 302, nobody.text
    assert (nobody.status_code, nobody.headers["Location"]) == (302, signin)
    await sign_up(visitor)
    unverified = await client.get("/app/orders?a=1&b=2", headers=FORGED)
    assert (unverified.status_code, unverified.headers["Location"]) == (302, signin)
    posted = await client.post("/app/orders", content=b"x" * SIZE, headers=FORGED)
    assert posted.status_code == 302, posted.text
    assert "/signin" in posted.headers["Location"]
    assert (await client.get("/session")).status_code == 401

    assert (await verify(visitor, far_phone)).verified
    person = (await client.get("/session")).json()
    assert person["phone_number"] == NUMBER
    for size, answer in (
        (0, await client.get("/app/orders?a=1&b=2", headers=FORGED)),
        (SIZE, await client.post("/app/orders", content=b"x" * SIZE, headers=FORGED)),
    ):
        assert answer.status_code == 200, answer.text
        assert (answer.json()["path"], answer.json()["size"]) == ("/app/orders", size)
        assert believed(answer) == [
            ["remote-email", ADA["email"]],
            ["remote-name", ADA["name"]],
            ["remote-user", person["sub"]],
        ]

    await visitor.visit("/account")
    await visitor.submit("/signout")
    assert (await client.get("/app/")).status_code == 302


def believed(answer: httpx.Response) -> list[list[str]]:
    """What the application was told of who asks, by whatever spelling."""
    headers: list[list[str]] = answer.json()["headers"]
    return sorted(pair for pair in headers if pair[0].replace("_", "-").startswith("remote-"))
