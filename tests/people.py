"""Who signs up in the tests, and how."""

from tests.phone import Phone
from tests.visitor import Page, Visitor

CONFIRMATION = "Signup complete"  # from the text that confirms an account
PASSWORD = "violet tugboat harmonica 41"
NUMBER = "+447400123456"
SHOWN = "+44 7400 123456"
OTHER_NUMBER = "+447400123457"
ADA = {
    "name": "Ada Lovelace",
    "email": "ada@example.com",
    "country": "GB",
    "phone": "07400 123456",
    "password": PASSWORD,
}


async def sign_up(visitor: Visitor, **changes: str) -> Page:
    """From the front door to the code step, as Ada but for ``changes``."""
    await visitor.visit("/")
    return await visitor.submit("/signup", **(ADA | changes))


async def verify(visitor: Visitor, phone: Phone, number: str = NUMBER) -> Page:
    """Read the code off the phone and type it in."""
    return await visitor.submit("/verification", code=await phone.code(number))


def wrong(code: str, nth: int = 1) -> str:
    """The ``nth`` of many six digits that are not ``code``: the same again would cost no try."""
    return f"{(int(code) + nth) % 1_000_000:06}"
