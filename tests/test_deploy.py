"""The Procfile's own commands on PostgreSQL, two workers, against a stand-in vendor."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.people import ADA, CONFIRMATION, NUMBER, sign_up, verify, wrong
from tests.phone import Phone
from tests.servers import Deployment, Process, start_by_shell, wait_for
from tests.visitor import Visitor
from webapp.sandbox import Sandbox

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("database", ["postgres"], indirect=True),
]


@pytest.fixture
def deployment(tmp_path: Path, vendor_url: str) -> Iterator[Deployment]:
    """Starts the Procfile's commands as they stand there, and no forks in their place."""
    with Deployment(tmp_path, vendor_url, start_by_shell) as processes:
        yield processes


@pytest.fixture
def provider() -> str:
    """What production takes where nothing else is said."""
    return "twilio"


@pytest.fixture
async def web(deployment: Deployment, database_url: str, provider: str) -> Process:
    """The web process as deployed."""
    return deployment.web(database_url, VERIFY_PROVIDER=provider)


@pytest.fixture
async def client(web: Process) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=web.url, timeout=30, verify=False) as bare:
        yield bare


@pytest.mark.parametrize("provider", ["twilio", "codes", "authy"])
async def test_the_journey_runs_as_deployed(
    visitor: Visitor, far_phone: Phone, vendor: Sandbox, provider: str
) -> None:
    page = await sign_up(visitor)
    assert (page.status, page.step) == (200, "verification")
    code = await far_phone.code(NUMBER)
    page = await visitor.submit("/verification", code=wrong(code))
    assert (page.status, page.step) == (422, "verification")
    page = await verify(visitor, far_phone)
    assert (page.path, page.verified) == ("/account", True)
    await far_phone.text(NUMBER, CONFIRMATION)
    asked = {"twilio": "VerificationCheck", "codes": "Messages", "authy": "verify"}
    assert vendor.calls[asked[provider]]


@pytest.mark.parametrize("provider", ["codes"])
async def test_the_worker_delivers_where_the_web_process_does_not(
    deployment: Deployment, database_url: str, far_phone: Phone, provider: str
) -> None:
    web = deployment.web(database_url, VERIFY_PROVIDER=provider, OUTBOX_IN_WEB="0")
    async with httpx.AsyncClient(base_url=web.url, timeout=30, verify=False) as client:
        visitor = Visitor(client)
        await sign_up(visitor)
        assert (await verify(visitor, far_phone)).verified is True
    assert len(await far_phone.texts(NUMBER)) == 1
    worker = deployment.worker(database_url, VERIFY_PROVIDER=provider)
    await far_phone.text(NUMBER, CONFIRMATION)
    assert worker.stop() == 0


async def test_the_release_migrates_an_empty_database_and_the_web_process_is_ready(
    deployment: Deployment, empty_database_url: str
) -> None:
    web = deployment.web(empty_database_url, until="/healthz")
    async with httpx.AsyncClient(base_url=web.url, verify=False) as client:
        assert (await client.get("/readyz")).status_code == 503
        deployment.release(empty_database_url)
        assert (await client.get("/readyz")).status_code == 200


async def test_a_sigterm_lets_a_request_finish_and_ends_without_fault(
    web: Process, client: httpx.AsyncClient, vendor: Sandbox
) -> None:
    vendor.fail("slow:2")
    request = client.post("/signup", data=ADA, headers={"Origin": web.url})
    arriving = asyncio.create_task(request)
    asked = lambda: vendor.calls["Verifications"] > 0  # noqa: E731
    await asyncio.to_thread(wait_for, asked, web.popen, web.log)
    web.signal(signal.SIGTERM)
    await asyncio.to_thread(wait_for, lambda: refused(web), web.popen, web.log)
    assert not arriving.done(), "It came too soon to show that the port is closed meanwhile"
    answer = await arriving
    assert (answer.status_code, answer.headers["Location"]) == (303, "/verification")
    assert await asyncio.to_thread(web.popen.wait, 30) in {0, -signal.SIGTERM}


def refused(web: Process) -> bool:
    """Whether the port takes no more connections, not even into a queue."""
    try:
        socket.create_connection(("127.0.0.1", int(web.url.rpartition(":")[2])), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


async def test_answers_name_neither_the_server_nor_its_version(client: httpx.AsyncClient) -> None:
    for path in ("/signup", "/healthz", "/no-such-page"):
        assert "server" not in (await client.get(path)).headers


async def test_a_forged_forwarding_header_changes_nothing(client: httpx.AsyncClient) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
    answer = await client.get("/", headers=headers)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/signup")
