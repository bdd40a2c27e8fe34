"""Emails of a deployment of several processes: many at one link, and processes that are killed."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.conftest import migrated
from tests.mail import MailServer, mail_server
from tests.site import UNTHROTTLED, Person, Site, site, until

pytestmark = pytest.mark.slow
LEASE = 61


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


@pytest.fixture(params=["postgres", "sqlite"])
def town(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("emails")
    with migrated(request.param, request, directory) as url, site(directory, url) as running:
        yield running


def settings(server: MailServer, **more: str) -> dict[str, str]:
    emails = {"SMTP_URL": f"smtp://127.0.0.1:{server.port}", "MAIL_FROM": "no-reply@example.org"}
    return UNTHROTTLED | emails | more


async def verified(person: Person) -> None:
    await person.sign_up()
    assert await person.verify()


async def link_of(person: Person, server: MailServer) -> str:
    await until(lambda: bool(server.to(person.email)))
    [link] = re.findall(r"https?://\S+", server.to(person.email)[0].text)
    return str(urlsplit(link).path)


async def test_a_link_used_by_twenty_at_once_on_two_processes_is_used_once(
    town: Site, server: MailServer
) -> None:
    web = town.start(**settings(server))
    async with town.person() as ada:
        await verified(ada)
        link = await link_of(ada, server)
        answers = await asyncio.gather(*(ada.send(link, {}) for _ in range(20)))
    assert Counter(answer.status_code for answer in answers) == {303: 20}
    assert web.log.read_text().count('"email_confirmed"') == 1
    assert town.rows.one("SELECT count(*) FROM links WHERE used_at IS NOT NULL") == 1
    assert town.rows.one("SELECT count(*) FROM users WHERE email_confirmed_at IS NOT NULL") == 1


async def test_of_fifty_who_ask_for_a_link_at_once_one_is_sent_one(
    town: Site, server: MailServer
) -> None:
    town.start(**settings(server))
    async with town.person() as ada:
        await verified(ada)
        await link_of(ada, server)
        town.age(61)
        answers = await asyncio.gather(*(ada.send("/account/email/resend", {}) for _ in range(50)))
        assert Counter(answer.status_code for answer in answers) == {303: 1, 429: 49}
        await until(lambda: len(server.to(ada.email)) == 2)


async def test_a_crash_between_commit_and_delivery_sends_the_email_once(
    town: Site, server: MailServer
) -> None:
    web = town.start(**settings(server, OUTBOX_IN_WEB="0"))
    async with town.person() as ada:
        await verified(ada)
        web.close()
        assert server.emails == []
        workers = [town.worker(**settings(server)) for _ in range(2)]
        await link_of(ada, server)
        for worker in workers:
            await until(lambda worker=worker: "purged" in worker.log.read_text())  # type: ignore[misc]
            assert worker.stop() == 0
        assert len(server.to(ada.email)) == 1


async def test_a_worker_killed_before_the_content_leaves_the_email_to_be_sent_once(
    town: Site, server: MailServer
) -> None:
    web = town.start(**settings(server, OUTBOX_IN_WEB="0"))
    async with town.person() as ada:
        await verified(ada)
        web.close()
        with server.held("RCPT"):
            killed = town.worker(**settings(server))
            await until(lambda: server.reached["RCPT"] > 0)
            killed.close()
        town.worker(**settings(server))
        town.rows.age(LEASE)
        await link_of(ada, server)
        await until(lambda: not town.rows.one("SELECT count(*) FROM outbox WHERE done_at IS NULL"))
        assert len(server.to(ada.email)) == 1
