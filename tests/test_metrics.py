"""Numbers to look at: the same from every process, and every name in the documents exists."""

import json
import re
from datetime import date

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from tests.conftest import Clock
from tests.people import ADA, NUMBER, OTHER_NUMBER, sign_up, verify
from tests.phone import Phone
from tests.servers import PRODUCTION, ROOT
from tests.visitor import Visitor
from webapp.accounts.history.reasons import BY_ID, Reason
from webapp.accounts.history.recorder import History
from webapp.accounts.people.phones import dialling_prefix
from webapp.operate import CommandError
from webapp.operate.metrics import COUNTERS
from webapp.operate.report import read_day, report

WITH_TOKEN = pytest.mark.environ(METRICS_TOKEN="a token of some length")
BEARER = {"Authorization": "Bearer a token of some length"}
ALERTS, DASHBOARD = ROOT / "docs" / "alerts.yml", ROOT / "docs" / "dashboard.json"


async def samples(client: httpx.AsyncClient) -> dict[tuple[str, ...], float]:
    """Each sample by its counter and its labels."""
    answer = await client.get("/metrics", headers=BEARER)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, *(sample.labels[label] for label in COUNTERS[sample.name][1])): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_without_a_token_there_is_no_such_page(client: httpx.AsyncClient) -> None:
    assert (await client.get("/metrics", headers=BEARER)).status_code == 404


@WITH_TOKEN
@pytest.mark.parametrize("header", ["", "Bearer", "Bearer another", "Basic a token of some length"])
async def test_a_wrong_token_reads_nothing(client: httpx.AsyncClient, header: str) -> None:
    answer = await client.get("/metrics", headers={"Authorization": header})
    assert (answer.status_code, answer.text) == (401, "")


@WITH_TOKEN
async def test_every_reason_begins_with_zero_so_that_an_alert_sees_its_first_refusal(
    client: httpx.AsyncClient,
) -> None:
    refused = {reason.value for reason in Reason if reason.is_refusal}
    assert await samples(client) == {
        ("accounts_refused_total", "ZZ", reason): 0 for reason in refused
    }


@WITH_TOKEN
@pytest.mark.environ(PREFIX_BRAKE="1", SIGNUPS_PER_IP="off", OUTBOX_IN_WEB="0")
async def test_counters_tell_of_all_processes(
    app: Starlette, client: httpx.AsyncClient, visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    await sign_up(visitor)
    visitor.client.cookies.clear()
    await visitor.post("/signup", ADA | {"email": "eve@example.com", "phone": OTHER_NUMBER})
    await app.state.history.flush()
    other = History(PRODUCTION["SECRET_KEY"], clock)  # of another process, days later
    clock.advance(3 * 86_400)
    other.record(Reason.SENT, "+2348012345678", channel="call", money=110_000)
    other.record(Reason.DELIVERED, NUMBER, channel="sms")
    other.record(Reason.FAILED, NUMBER, channel="sms")
    other.record(Reason.VERIFIED, NUMBER)
    other.record(Reason.SENT, NUMBER, channel="sms", money=40_000)
    other.record(Reason.PRICED, NUMBER, money=-12_400, kept=False)  # a counter never falls
    await other.flush()
    assert {labels: value for labels, value in (await samples(client)).items() if value} == {
        ("accounts_texts_sent_total", "GB", "sms"): 2,
        ("accounts_texts_sent_total", "NG", "call"): 1,
        ("accounts_texts_delivered_total", "GB", "sms"): 1,
        ("accounts_texts_failed_total", "GB", "sms"): 1,
        ("accounts_verified_total", "GB"): 1,
        ("accounts_refused_total", "GB", "limit_prefix"): 1,
        ("accounts_spend_total", "GB", "USD"): 0.04,
        ("accounts_spend_total", "NG", "USD"): 0.11,
    }


@pytest.mark.environ(OUTBOX_IN_WEB="0", PREFIX_BRAKE="1", SIGNUPS_PER_IP="off")
async def test_the_report_is_a_table_of_yesterday(
    app: Starlette, visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    await sign_up(visitor)
    await verify(visitor, phone)
    await app.state.outbox.deliver()
    history = app.state.history
    history.record(Reason.ASKED, "+2348012345678", channel="sms")
    history.record(Reason.SENT, "+2348012345678", channel="sms", money=110_000)
    history.record(Reason.LIMIT_PREFIX, "+2348012345679", channel="sms")
    await history.flush()
    yesterday = clock().date()
    clock.advance(86_400)
    assert read_day("yesterday", clock().date()) == yesterday
    lines = await report(yesterday, "USD")
    assert lines[:8] == [
        f"{yesterday} (UTC)",
        "",
        "country  asked  sent  notices  delivered  failed  verified  refused   USD",
        "GB           1     1        1          0       0         1        0  0.00",
        "NG           1     1        0          0       0         0        1  0.11",
        "all          2     2        1          0       0         1        1  0.11",
        "",
        "refused       all  NG",
    ]
    assert [line.split() for line in lines[8:]] == [
        ["limit_prefix", "1", "1"],
        [],
        ["prefix", "country", "asked", "sent", "verified", "refused"],
        [dialling_prefix("+2348012345678"), "NG", "1", "1", "0", "1"],
    ]


async def test_a_day_on_which_nothing_happened_is_told(app: Starlette) -> None:
    lines = await report(date(2001, 2, 3), "USD")
    assert "Nothing was refused." in lines
    assert "No prefix has codes that were not entered, or were refused." in lines


def test_a_day_that_cannot_be_read_is_told() -> None:
    assert read_day("2026-01-31", date(2026, 2, 1)) == date(2026, 1, 31)
    with pytest.raises(CommandError, match="write today, yesterday or 2026-01-31"):
        read_day("tomorrow", date(2026, 2, 1))


def expressions() -> list[str]:
    """All that the documents ask Prometheus."""
    rules = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
    board = json.loads(DASHBOARD.read_text())
    asked = [variable["query"] for variable in board["templating"]["list"]]
    targets = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return [*(rule["expr"] for rule in rules), *asked, *targets]


def test_alerts_and_dashboard_name_only_what_there_is_and_all_of_it() -> None:
    named = set(re.findall(r"accounts_\w+", " ".join(expressions())))
    assert named == COUNTERS.keys()


def test_alerts_and_dashboard_name_labels_and_reasons_that_there_are() -> None:
    for expression in expressions():
        for name, matchers in re.findall(r"(accounts_\w+)\{(.*?)\}", expression):
            assert set(re.findall(r"(\w+)!?=", matchers)) <= set(COUNTERS[name][1]), expression
        for patterns in re.findall(r'reason=~?"(.*?)"', expression):
            for pattern in patterns.split("|"):
                assert any(re.fullmatch(pattern, reason) for reason in BY_ID), pattern


def test_the_document_names_every_counter() -> None:
    document = (ROOT / "docs" / "operate-details.md").read_text()
    assert set(re.findall(r"`(accounts_\w+_total)`", document)) == COUNTERS.keys()
