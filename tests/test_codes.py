"""Our own codes: repeated within their window, bound to their challenge, stored nowhere."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webapp.providers import Busy, Channel, Gone, NotFound, Receipt, SetupFault
from webapp.providers.codes import Codes

PHONE, OTHER_PHONE = "+15005550006", "+15005550007"


class Texts:
    """A messenger that keeps what it is given."""

    name = "twilio"

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []
        self.valid_for: list[timedelta] = []
        self.came_back: list[str] = []
        self.fault: Exception | None = None

    async def send(self, to: str, body: str, *, valid_for: timedelta, is_code: bool = False) -> str:
        if self.fault:
            raise self.fault
        assert is_code
        self.texts.append((to, body))
        self.valid_for.append(valid_for)
        return f"SM{len(self.texts)}"

    async def report_success(self, message: str) -> None:
        self.came_back.append(message)

    async def receipts(self, since: datetime, until: datetime) -> list[Receipt]:
        raise AssertionError((since, until))

    async def find(self, to: str, body: str, since: datetime) -> str | NotFound:
        raise AssertionError((to, body, since))

    async def examine(self, countries: frozenset[str]) -> list[SetupFault]:
        return [SetupFault("TWILIO_NUMBER", ", ".join(countries))]


class Desk:
    """Codes with a clock to turn and a wire to read."""

    def __init__(self, secret: str = "a secret of the site") -> None:
        self.now = datetime(2026, 5, 1, 12, tzinfo=UTC)
        self.texts = Texts()
        self.codes = Codes([self.texts], secret, "Your code is {}".format, clock=lambda: self.now)

    async def send(self, phone: str = PHONE, reference: str | None = None) -> tuple[str, str]:
        sent = await self.codes.send(
            phone, email="ada@example.com", channel=Channel.SMS, reference=reference
        )
        return sent.reference, self.texts.texts[-1][1].removeprefix("Your code is ")

    async def check(self, reference: str, code: str, phone: str = PHONE) -> bool:
        return await self.codes.check(phone, reference=reference, code=code)


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_code_is_six_digits_in_a_text_of_our_words(desk: Desk) -> None:
    _, code = await desk.send()
    assert desk.texts.texts == [(PHONE, f"Your code is {code}")]
    assert len(code) == 6
    assert code.isascii()
    assert code.isdigit()


async def test_the_code_sent_is_right_and_another_is_wrong(desk: Desk) -> None:
    reference, code = await desk.send()
    assert await desk.check(reference, code) is True
    assert await desk.check(reference, f"{(int(code) + 1) % 10**6:06}") is False


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=()), max_size=12))
async def test_no_text_but_the_code_is_right(text: str) -> None:
    desk = Desk()
    reference, code = await desk.send()
    assert await desk.check(reference, text) is (text == code)


async def test_sent_again_inside_its_window_it_is_the_same(desk: Desk) -> None:
    reference, code = await desk.send()
    desk.now += timedelta(minutes=9, seconds=59)
    assert await desk.send(reference=reference) == (reference, code)


async def test_after_ten_minutes_it_is_gone_and_another_is_sent(desk: Desk) -> None:
    reference, code = await desk.send()
    desk.now += timedelta(minutes=10)
    with pytest.raises(Gone):
        await desk.check(reference, code)
    assert (await desk.send(reference=reference))[0] != reference


async def test_sending_it_again_does_not_make_it_live_longer(desk: Desk) -> None:
    reference, code = await desk.send()
    desk.now += timedelta(minutes=6)
    await desk.send(reference=reference)
    desk.now += timedelta(minutes=6)
    with pytest.raises(Gone):
        await desk.check(reference, code)


async def test_a_text_is_valid_as_long_as_its_code(desk: Desk) -> None:
    reference, _ = await desk.send()
    desk.now += timedelta(minutes=6)
    await desk.send(reference=reference)
    assert desk.texts.valid_for == [timedelta(minutes=10), timedelta(minutes=4)]


async def test_a_code_is_bound_to_its_challenge_phone_and_site(desk: Desk) -> None:
    reference, code = await desk.send()
    others = [(await desk.send())[0] for _ in range(3)]
    assert [await desk.check(other, code) for other in others] == [False] * 3
    assert await desk.check(reference, code, OTHER_PHONE) is False
    assert await Desk("a secret of another site").check(reference, code) is False


async def test_the_reference_tells_nothing_of_phone_or_code(desk: Desk) -> None:
    reference, code = await desk.send()
    assert code not in reference
    assert PHONE.strip("+") not in reference


@pytest.mark.parametrize(
    "reference", ["", "1635", "VE" + "c" * 32, "soon.abc", ".abc", "9" * 12 + ".a"]
)
async def test_a_reference_that_is_no_challenge_is_gone(reference: str, desk: Desk) -> None:
    with pytest.raises(Gone):
        await desk.check(reference, "123456")
    assert (await desk.send(reference=reference))[0] != reference


async def test_codes_are_spread_over_all_that_there_are(desk: Desk) -> None:
    codes = [(await desk.send())[1] for _ in range(400)]
    assert len(set(codes)) > 390
    assert len({code[0] for code in codes}) == 10  # those with a leading zero too


async def test_they_do_not_travel_by_call(desk: Desk) -> None:
    assert desk.codes.channels == {Channel.SMS}
    with pytest.raises(ValueError, match="call"):
        await desk.codes.send(PHONE, email="ada@example.com", channel=Channel.CALL)


async def test_what_goes_wrong_with_the_text_is_told(desk: Desk) -> None:
    desk.texts.fault = Busy("queue")
    with pytest.raises(Busy):
        await desk.send()


async def test_what_is_wrong_with_the_messenger_is_wrong_with_them(desk: Desk) -> None:
    assert await desk.codes.examine(frozenset({"DE"})) == [SetupFault("TWILIO_NUMBER", "DE")]
