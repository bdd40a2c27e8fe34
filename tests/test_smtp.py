"""SMTP: what is on the wire, who is trusted, and what each failure means."""

import asyncio
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.headerregistry import Address
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme
from structlog.testing import capture_logs

from tests.mail import CUT, PASSWORD, USER, MailServer, mail_server
from webapp.providers import (
    Blocked,
    Busy,
    Email,
    InvalidAddress,
    Misconfigured,
    ProviderError,
    Unreachable,
)
from webapp.providers.smtp import SmtpMailer

ADA = "ada@example.com"
EMAIL = Email(
    "Héron – ‘seven’", ".First line\n\nSecond line: ü\n", "<p>First line</p>" + "x" * 3000
)
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
SENDER = Address("Allotments & Co", "no-reply", "example.org")


def mailer(
    server: MailServer,
    scheme: str = "smtp",
    *,
    login: str = "",
    host: str = "127.0.0.1",
    timeout: float = 30,
) -> SmtpMailer:
    return SmtpMailer(
        f"{scheme}://{login}{host}:{server.port}",
        SENDER,
        own_name="www.example.org",
        timeout=timeout,
        clock=lambda: NOW,
    )


async def failure(mailer: SmtpMailer, to: str = ADA) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        await mailer.send(to, EMAIL, "5f0c")
    return raised.value


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


# --- what is on the wire -------------------------------------------------------------------------


async def test_an_email_has_its_words_as_text_and_as_html(server: MailServer) -> None:
    await mailer(server).send(ADA, EMAIL, "5f0c")
    [received] = server.emails
    assert (received.sender, received.to) == ("no-reply@example.org", [ADA])
    assert received.text == EMAIL.text
    assert received.html == EMAIL.html + "\n"
    message = received.message
    assert message["From"] == "Allotments & Co <no-reply@example.org>"
    assert message["To"] == ADA
    assert message["Subject"] == EMAIL.subject
    assert message["Date"] == "Thu, 26 Nov 2026 12:00:00 +0000"
    assert message["Auto-Submitted"] == "auto-generated"


async def test_every_line_is_short_and_in_ascii(server: MailServer) -> None:
    await mailer(server).send(ADA, EMAIL, "5f0c")
    content = server.emails[0].content
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998


async def test_a_repeat_is_known_by_its_message_id(server: MailServer) -> None:
    ours = mailer(server)
    await ours.send(ADA, EMAIL, "5f0c")
    await ours.send(ADA, EMAIL, "5f0c")
    assert {one.message["Message-ID"] for one in server.emails} == {"<5f0c@example.org>"}


async def test_a_domain_with_letters_beyond_ascii_is_asked_for_in_ascii(server: MailServer) -> None:
    await mailer(server).send("ada@straße.example", EMAIL, "5f0c")
    [received] = server.emails
    assert received.to == ["ada@xn--strae-oqa.example"]
    assert received.options == []


async def test_an_address_beyond_ascii_goes_to_a_server_that_takes_it(server: MailServer) -> None:
    await mailer(server).send("ādā@example.com", EMAIL, "5f0c")
    [received] = server.emails
    assert received.to == ["ādā@example.com"]
    assert received.message["To"] == "ādā@example.com"
    assert "SMTPUTF8" in received.options


async def test_an_address_beyond_ascii_is_final_at_a_server_that_does_not_take_it() -> None:
    with mail_server(utf8=False) as server:
        assert isinstance(await failure(mailer(server), "ādā@example.com"), InvalidAddress)
        assert server.emails == []


@pytest.mark.parametrize("to", ["", "ada", "ada@", "ada@example.com\r\nRCPT TO:<eve@example.com>"])
async def test_what_is_no_address_is_final_and_asks_nobody(server: MailServer, to: str) -> None:
    assert isinstance(await failure(mailer(server), to), InvalidAddress)
    assert server.emails == []


async def test_a_line_break_in_the_subject_begins_no_header(server: MailServer) -> None:
    injected = Email("Hello\r\nBcc: eve@example.com\u2028\n\nBody", "text", "<p>text</p>")
    await mailer(server).send(ADA, injected, "5f0c")
    [received] = server.emails
    assert received.message["Subject"] == "Hello Bcc: eve@example.com Body"
    assert received.message["Bcc"] is None
    assert received.text == "text\n"


async def test_many_at_once_come_over_a_few_connections(server: MailServer) -> None:
    ours = mailer(server)
    await asyncio.gather(*(ours.send(f"ada{n}@example.com", EMAIL, str(n)) for n in range(40)))
    assert len(server.emails) == 40


async def test_to_examine_the_server_sends_nothing(server: MailServer) -> None:
    assert await mailer(server).examine() == []
    assert server.emails == []


async def test_a_server_that_does_not_want_our_sender_is_found_by_examining_it(
    server: MailServer,
) -> None:
    server.reply("MAIL", "550 5.7.1 Not yours")
    [fault] = await mailer(server).examine()
    assert "sender: 550 5.7.1" in fault.words


# --- who is trusted ------------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """One that this process trusts besides its usual ones, as an operator can have it."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return authority


def server_context(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


LOGIN = f"{USER}:{quote(PASSWORD, safe='')}@"


async def test_smtps_signs_in_over_tls(authority: trustme.CA) -> None:
    with mail_server(server_context(authority), auth_require_tls=False) as server:
        await mailer(server, "smtps", login=LOGIN).send(ADA, EMAIL, "5f0c")
        assert len(server.emails) == 1
        assert server.logins


@pytest.mark.parametrize("other", ["a name", "an authority"])
async def test_a_server_with_anothers_certificate_is_told_nothing(
    authority: trustme.CA, other: str
) -> None:
    context = (
        server_context(authority, "mail.example.net")
        if other == "a name"
        else server_context(trustme.CA())
    )
    with mail_server(context, auth_require_tls=False) as server:
        error = await failure(mailer(server, "smtps", login=LOGIN))
        assert isinstance(error, Misconfigured)
        assert "certificate" in error.detail
        assert (server.emails, server.logins) == ([], [])


ELSEWHERE = "0.0.0.0"  # this machine too, by an address that is not loopback


async def test_smtp_turns_to_tls_before_it_signs_in(authority: trustme.CA) -> None:
    with mail_server(
        tls_context=server_context(authority, ELSEWHERE), require_starttls=True
    ) as server:
        await mailer(server, login=LOGIN, host=ELSEWHERE).send(ADA, EMAIL, "5f0c")
        assert len(server.emails) == 1
        assert server.logins


async def test_a_server_elsewhere_without_starttls_is_told_nothing() -> None:
    with mail_server(auth_require_tls=False) as server:
        error = await failure(mailer(server, login=LOGIN, host=ELSEWHERE))
        assert isinstance(error, Misconfigured)
        assert "STARTTLS" in error.detail
        assert (server.emails, server.logins) == ([], [])


async def test_starttls_with_anothers_certificate_is_refused(authority: trustme.CA) -> None:
    with mail_server(tls_context=server_context(authority, "mail.example.net")) as server:
        error = await failure(mailer(server, login=LOGIN, host=ELSEWHERE))
        assert isinstance(error, Misconfigured)
        assert "certificate" in error.detail
        assert (server.emails, server.logins) == ([], [])


async def test_a_wrong_password_is_for_the_operator(authority: trustme.CA) -> None:
    with mail_server(server_context(authority), auth_require_tls=False) as server:
        wrong = mailer(server, "smtps", login=f"{USER}:wrong@")
        assert isinstance(await failure(wrong), Misconfigured)
        [fault] = await wrong.examine()
        assert fault.variable == "SMTP_URL"
        assert "535" in fault.words


async def test_a_server_that_knows_no_password_is_for_the_operator(server: MailServer) -> None:
    assert isinstance(await failure(mailer(server, login=LOGIN)), Misconfigured)


# --- what each failure means ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "reply", "kind", "arrived"),
    [
        ("MAIL", "451 4.3.0 Try again", Busy, False),
        ("MAIL", "553 5.7.1 Sender not owned by you", Misconfigured, False),
        ("MAIL", "550 Who are you?", Misconfigured, False),
        ("RCPT", "450 4.2.0 Greylisted", Busy, False),
        ("RCPT", "452 4.2.2 Mailbox full", Busy, False),
        ("RCPT", "421 4.3.2 Closing", Busy, False),
        ("RCPT", "550 5.1.1 No such user", InvalidAddress, False),
        ("RCPT", "550 No such user", InvalidAddress, False),
        ("RCPT", "530 5.7.0 Authentication required", Misconfigured, False),
        ("RCPT", "554 5.7.1 Relay access denied", Misconfigured, False),
        ("RCPT", CUT, Unreachable, False),
        ("DATA", "451 4.3.0 Try again", Busy, False),
        ("DATA", "421 4.3.2 Closing", Busy, False),
        ("DATA", "554 5.7.1 Looks like spam", Blocked, False),
        ("DATA", "552 5.3.4 Too big", Blocked, False),
        ("DATA", CUT, Unreachable, True),
        ("DATA", "Hello? This is no SMTP", Unreachable, True),
    ],
)
async def test_what_a_server_says_becomes_one_of_our_errors(
    server: MailServer, command: str, reply: str, kind: type[ProviderError], arrived: bool
) -> None:
    server.reply(command, reply)
    error = await failure(mailer(server))
    assert type(error) is kind
    assert error.maybe_sent is arrived


async def test_a_server_that_is_not_there_was_told_nothing() -> None:
    error = await failure(mailer(MailServer()))
    assert isinstance(error, Unreachable)
    assert not error.maybe_sent


async def test_a_server_that_takes_too_long_before_the_content_has_not_got_it(
    server: MailServer,
) -> None:
    with server.held("RCPT"):
        error = await failure(mailer(server, timeout=0.2))
    assert isinstance(error, Unreachable)
    assert not error.maybe_sent


async def test_a_server_that_takes_too_long_after_the_content_may_have_it(
    server: MailServer,
) -> None:
    with server.held("DATA"):
        error = await failure(mailer(server, timeout=0.5))
    assert isinstance(error, Unreachable)
    assert error.maybe_sent


async def test_an_accepted_email_stays_so_although_the_server_never_says_goodbye(
    server: MailServer,
) -> None:
    server.reply("QUIT", CUT)
    await mailer(server).send(ADA, EMAIL, "5f0c")
    assert len(server.emails) == 1


async def test_neither_errors_nor_the_log_tell_an_address_or_a_password(server: MailServer) -> None:
    server.reply("RCPT", f"550 5.1.1 <{ADA}>: unknown, says {PASSWORD}")
    with capture_logs() as lines:
        error = await failure(mailer(server))
    told = f"{error!r} {error.detail} {lines}"
    assert "550 5.1.1" in told
    assert ADA not in told
    assert PASSWORD not in told
