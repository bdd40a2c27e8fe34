"""The sandbox's mailbox: our own client hands it emails, and they are beside the texts."""

from datetime import UTC, datetime
from email.headerregistry import Address
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from webapp.providers import Busy, Email, InvalidAddress, Mailer, ProviderError, Unreachable
from webapp.providers.smtp import SmtpMailer
from webapp.sandbox import Sandbox

ADA = "ada+house@example.com"
LINK = "https://example.org/email/confirm/5f0c"
EMAIL = Email("Confirm your address", f"Hello\n\n.Open this:\n{LINK}\n\n‘Bye’\n", "<p>Hello</p>")


@pytest.fixture
def mailer(sandbox: Sandbox) -> Mailer:
    return SmtpMailer(
        "smtp://sandbox.invalid",
        Address("Demo", "no-reply", "sandbox.invalid"),
        own_name="localhost",
        timeout=30,
        clock=lambda: datetime.now(UTC),
        dial=sandbox.mailbox.dial,
    )


pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


async def emails(client: httpx.AsyncClient, to: str = ADA) -> list[dict[str, Any]]:
    answer = await client.get("/sandbox/messages.json", params={"to": to})
    messages: list[dict[str, Any]] = answer.json()
    return messages


async def test_an_email_arrives_with_its_link_beside_the_texts(
    mailer: Mailer, client: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    sandbox.inbox.deliver("+447400123456", "A text")
    await mailer.send(ADA, EMAIL, "5f0c")
    [message] = await emails(client)
    assert message.pop("at")
    assert message == {
        "to": ADA,
        "from": "Demo <no-reply@sandbox.invalid>",
        "subject": EMAIL.subject,
        "body": EMAIL.text,
        "code": None,
        "channel": "email",
        "link": LINK,
    }
    assert len(await emails(client, "")) == 2
    assert await emails(client, "eve@example.com") == []


async def test_an_address_with_a_plus_is_found_as_it_is_typed(
    mailer: Mailer, client: httpx.AsyncClient
) -> None:
    await mailer.send(ADA, EMAIL, "5f0c")
    assert len((await client.get(f"/sandbox/messages.json?to={ADA}")).json()) == 1


async def test_the_phone_shows_the_email_and_its_link(
    mailer: Mailer, client: httpx.AsyncClient
) -> None:
    await mailer.send(ADA, EMAIL, "5f0c")
    page = (await client.get("/sandbox/phone")).text
    assert EMAIL.subject in page
    assert f'href="{LINK}"' in page


@pytest.mark.parametrize(
    ("fault", "kind", "maybe_sent", "arrived"),
    [
        ("refused", Unreachable, False, 0),
        ("timeout", Unreachable, False, 0),
        ("dropped", Unreachable, True, 1),
        ("451", Busy, False, 0),
        ("550", InvalidAddress, False, 0),
    ],
)
async def test_an_email_meets_the_faults_asked_for(
    mailer: Mailer,
    client: httpx.AsyncClient,
    fault: str,
    kind: type[ProviderError],
    maybe_sent: bool,
    arrived: int,
) -> None:
    asked = {"fault": fault, "channel": "email"}
    assert (await client.post("/sandbox/faults", data=asked)).status_code == 200
    with pytest.raises(kind) as raised:
        await mailer.send(ADA, EMAIL, "5f0c")
    assert raised.value.maybe_sent is maybe_sent
    assert len(await emails(client)) == arrived
    await mailer.send(ADA, EMAIL, "5f0c")
    assert len(await emails(client)) == arrived + 1


async def test_an_email_can_be_accepted_and_never_arrive(
    mailer: Mailer, client: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    sandbox.mailbox.fail("undelivered")
    await mailer.send(ADA, EMAIL, "5f0c")
    assert await emails(client) == []


@pytest.mark.parametrize("fault", ["", "60203", "250", "slow"])
async def test_what_is_no_fault_of_emails_is_refused(client: httpx.AsyncClient, fault: str) -> None:
    answer = await client.post("/sandbox/faults", data={"fault": fault, "channel": "email"})
    assert answer.status_code == 400
    assert {"refused", "dropped"} <= set(answer.json()["faults"])


async def test_development_has_a_mail_server_where_no_other_is_named(app: Starlette) -> None:
    assert await app.state.providers.mailer.examine() == []
