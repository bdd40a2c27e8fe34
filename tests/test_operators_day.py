"""A day of an operator: each question that comes up is answered by a documented command."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest

from tests.people import ADA, PASSWORD
from tests.phone import Phone
from tests.rows import Rows
from tests.servers import PRODUCTION, ROOT, Deployment, command, production_environ
from tests.site import until
from webapp.accounts.history.reasons import Reason
from webapp.accounts.history.recorder import History
from webapp.accounts.people.phones import dialling_prefix
from webapp.clock import utcnow
from webapp.database import Database
from webapp.sandbox import Sandbox

pytestmark = pytest.mark.slow
SETTINGS = {
    "CHALLENGE": "off",
    "PRICES": "DE=0.11,*=0.05",
    "TRUSTED_PROXY_HOPS": "1",
    "PREFIX_BRAKE": "3",
    "SIGNUPS_PER_IP": "2/hour",
}
PUMPED = [f"+49151200000{n:02}" for n in range(30)]
GOOD, REFUSED, LANDLINE, UNDELIVERED = "+447400123456", "+33612345678", "+493012345678", PUMPED[0]
THROTTLED = [f"+3460012345{n}" for n in range(9)]


class Site:
    """The site as people meet it, each from an address of their own."""

    def __init__(self, client: httpx.AsyncClient, environ: Mapping[str, str]) -> None:
        self.client, self.environ, self.addresses = client, environ, iter(range(1, 250))

    async def sign_up(self, number: str, address: str = "") -> int:
        """The answer's status: 303 leads on to the code."""
        address = address or f"198.51.100.{next(self.addresses)}"
        headers = {"Sec-Fetch-Site": "same-origin", "X-Forwarded-For": address}
        fields = ADA | {"phone": number, "email": f"p{number[1:]}@example.com"}
        self.client.cookies.clear()
        answer = await self.client.post("/signup", data=fields, headers=headers)
        return answer.status_code

    async def enter(self, code: str) -> int:
        headers = {"Sec-Fetch-Site": "same-origin", "X-Forwarded-For": "198.51.100.250"}
        fields = {"code": code}
        return (await self.client.post("/verification", data=fields, headers=headers)).status_code

    async def ask(self, *arguments: str) -> str:
        """What a command prints."""
        done = await asyncio.to_thread(command, *arguments, environ=self.environ)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout


@pytest.fixture
async def site(deployment: Deployment, database_url: str) -> AsyncIterator[Site]:
    web = deployment.web(database_url, **SETTINGS)
    environ = production_environ(database_url)
    limits = httpx.Limits(max_keepalive_connections=0)  # so that both processes answer
    async with httpx.AsyncClient(base_url=web.url, verify=False, limits=limits) as client:
        yield Site(client, environ)


async def report_undelivered(database_url: str, number: str) -> None:
    """The network's receipt, as it is recorded."""
    database, history = Database(database_url), History(PRODUCTION["SECRET_KEY"], utcnow)
    await database.open()
    history.record(Reason.FAILED, number, channel="sms", detail="30003")
    await history.flush()
    await database.close()


@pytest.mark.timeout(300)  # a dozen commands, each a process
async def test_every_question_of_the_day_is_answered_by_a_command(
    site: Site, database_url: str, vendor: Sandbox, far_phone: Phone
) -> None:
    rows = Rows(database_url)

    # Somebody signs up, and somebody pumps: codes that nobody enters, to one prefix.
    assert await site.sign_up(GOOD) == 303
    assert await site.enter(await far_phone.code(GOOD)) == 303
    assert [await site.sign_up(number) for number in PUMPED[:5]] == [303, 303, 303, 429, 429]
    assert await site.sign_up(LANDLINE) == 422
    vendor.faults.add("60410", 1)
    assert await site.sign_up(REFUSED) == 422
    statuses = [await site.sign_up(number, "203.0.113.9") for number in THROTTLED]
    assert statuses[-1] == 429
    await report_undelivered(database_url, UNDELIVERED)
    await until(lambda: is_written(rows, requests=1 + 5 + 1 + 1 + len(THROTTLED)))

    # "Why did +49… get no code?"
    why = {
        PUMPED[4]: "limit_prefix    refused: its prefix is braked",
        THROTTLED[-1]: "throttle_signups  refused: too many sign-ups came from the address",
        LANDLINE: "form_landline  refused: the number is a landline",
        REFUSED: "vendor_blocked  refused: the vendor's fraud protection blocks the number",
        UNDELIVERED: "failed  the network did not deliver the message"
        " (by text, vendor's code 30003)",
    }
    for number, words in why.items():
        story = " ".join((await site.ask("story", number)).split())
        assert " ".join(words.split()) in story, number
        assert "No verified account has this number." in story
    assert "Verified accounts with this number: 1" in await site.ask("story", GOOD)
    assert "nobody entered this number here" in await site.ask("story", "+15005550006")

    # "By whom are we attacked?" and "What did they cost?"
    prefix = dialling_prefix(PUMPED[0])
    report = (await site.ask("report", "today")).splitlines()
    table = {line.split()[0]: line.split()[1:] for line in report if line.strip()}
    assert table["country"][-1] == "USD"
    assert table["DE"][:2] == ["5", "3"]
    assert table["DE"][-1] == "0.33"
    assert int(table["limit_prefix"][0]) >= 2
    worst = report[next(n for n, line in enumerate(report) if line.startswith("prefix")) + 1]
    assert worst.split()[0] in {prefix, dialling_prefix(THROTTLED[0])}
    assert [prefix, "DE", "5", "3", "0", "2"] in [line.split() for line in report]

    # "Block this prefix now": at once, in both processes.
    assert f"blocked prefix:{prefix} until" in await site.ask(
        "block", f"prefix:{prefix}", "--for", "24h"
    )
    assert {await site.sign_up(number) for number in PUMPED[6:16]} == {422}
    assert f"prefix:{prefix}  until" in await site.ask("blocks")
    await until(lambda: rows.one(COUNT, Reason.BLOCK_PREFIX.value) == 10)
    assert "refused: an operator blocked the prefix" in await site.ask("story", PUMPED[6])
    assert "unblocked" in await site.ask("unblock", f"prefix:{prefix}")
    assert await site.ask("blocks") == "Nothing is blocked.\n"


def is_written(rows: Rows, requests: int) -> bool:
    """Whether the events of so many sign-ups are in the database, each to its end."""
    counts = dict(rows.all("SELECT reason, SUM(times) FROM phone_events GROUP BY reason"))
    asked = counts.get("asked", 0)
    codes = rows.one(f"{COUNT} AND channel = 'sms'", "sent")
    ended = codes + counts.get("limit_prefix", 0) + counts.get("vendor_blocked", 0)
    stopped_before = counts.get("throttle_signups", 0) + counts.get("form_landline", 0)
    return bool(asked + stopped_before == requests and asked == ended and "verified" in counts)


COUNT = "SELECT COALESCE(SUM(times), 0) FROM phone_events WHERE reason = ?"


def test_the_document_has_every_command_of_the_day() -> None:
    document = (ROOT / "docs" / "operate.md").read_text()
    for name in ("story +…", "report", "block WHAT", "unblock WHAT", "blocks"):
        assert f"`python -m webapp {name}" in document or f"`{name}`" in document, name
    assert PASSWORD not in document


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("story", "0151"), "write it with its country code"),
        (("block", "+23480"), "write country:NG, prefix:+23480"),
        (("block", "country:NG", "--for", "tomorrow"), "write 30m, 24h or 7d"),
        (("unblock", "country:NG"), "country:NG is not blocked"),
        (("report", "soon"), "write today, yesterday or 2026-01-31"),
    ],
)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_a_command_cannot_do_is_told_in_a_line(
    database_url: str, arguments: tuple[str, ...], words: str
) -> None:
    done = command(*arguments, environ=production_environ(database_url))
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
