"""What the tests of many at once share: a site with two web processes, and somebody at it."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conftest import migrated
from tests.site import Person, Site, site

TEN_MINUTES = 600
# Nothing listens there, so that each email stays in the outbox with its link.
NO_MAIL_SERVER = {"SMTP_URL": "smtp://127.0.0.1:9", "MAIL_FROM": "no-reply@example.org"}


@contextmanager
def two_processes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, **settings: str
) -> Iterator[Site]:
    """Two web processes on one database, of the kind that the fixture's parameter names."""
    directory = tmp_path_factory.mktemp("races")
    with migrated(request.param, request, directory) as url, site(directory, url) as running:
        running.start(**settings)
        yield running


@asynccontextmanager
async def member(racing: Site, *, age: int = TEN_MINUTES) -> AsyncIterator[Person]:
    """Somebody who verified their account ``age`` seconds ago, and is signed in."""
    async with racing.person() as person:
        await person.sign_up()
        assert await person.verify()
        racing.age(age)
        yield person


def statuses(answers: Iterable[httpx.Response]) -> Counter[int]:
    """How often each status came. None may be our fault."""
    counted = Counter(answer.status_code for answer in answers)
    assert max(counted) < 500, counted
    return counted


async def at_once(person: Person, path: str, forms: Iterable[dict[str, str]]) -> Counter[int]:
    """Send all ``forms`` in parallel: how often each status came."""
    return statuses(await asyncio.gather(*(person.send(path, form) for form in forms)))


def link_to(racing: Site, address: str, below: str = "") -> str:
    """The path of the newest link, below ``below``, that was emailed to ``address``."""
    sql = "SELECT body FROM outbox WHERE \"to\" = ? AND channel = 'email' ORDER BY id DESC"
    bodies = (body for (body,) in racing.rows.all(sql, address))
    found = (re.findall(rf"https?://\S+{below}\S+", body) for body in bodies)
    return str(urlsplit(next(urls[0] for urls in found if urls)).path)
