"""Which passwords are refused, why, and what is said of the others."""

import time

import pytest
from starlette.datastructures import FormData

from tests.people import ADA
from tests.visitor import Visitor
from webapp.accounts.forms.signup import SignupForm
from webapp.accounts.people import common_words, strength
from webapp.accounts.people.strength import COMMON, PERSONAL, STRENGTHS

ANN = {"name": "Ann Smith", "email": "ann@gmail.com", "phone": "07400 123456"}
SITE = "Demo"


def refusal(password: str, **changes: str) -> str | None:
    """What the form says beside the password of Ann Smith, ann@gmail.com."""
    typed = FormData(list((ADA | ANN | {"password": password} | changes).items()))
    return SignupForm.parse(typed, site=SITE).errors.get("password")


@pytest.mark.parametrize(
    "password",
    [
        "Telecom-77",  # "com" is a part of the email
        "Annapolis-77",
        "Savannah-heron",
        "Democracy-77",
        "gemalto violin",
        "my common heron",
    ],
)
def test_a_short_word_of_ones_own_does_not_count_inside_of_another(password: str) -> None:
    assert refusal(password) is None


@pytest.mark.parametrize(
    "password",
    [
        "ann@gmail.com",
        "Ann-2024!",
        "ann.smith.77",
        "AnnSmith2024",
        "Smith-2024!",
        "blacksmith-9",
        "gmail2024!",
        "demo-1234",
        "07400123456",
        "+447400123456!",
        "ann com 77",
    ],
)
def test_what_is_known_of_a_person_is_no_password(password: str) -> None:
    assert refusal(password) == PERSONAL


def test_ones_own_words_count_in_any_spelling() -> None:
    assert refusal("Zoe\u0308-2024!", name="Zoë") == PERSONAL
    assert refusal("ÅNGSTRÖM-77", name="Anders Ångström") == PERSONAL
    assert refusal("5m1th-5m1th", name="Ann 5m1th") == PERSONAL


@pytest.mark.parametrize(
    "password",
    [
        "Welcome2024!",
        "Sommer2024!",
        "2024!Sommer",
        "sommer 2025",
        "Passwort123!",
        "Hallo12345",
        "Bonjour2023!",
        "Motdepasse1",
        "contraseña1",
        "Contrasena-22",
        "Wachtwoord01",
        "Septiembre2024",
        "Hiver2024!",
        "Zima2024!",
        "Лето2024!",
        "пароль123",
        "Şifre2024",
        "Konnichiwa1",
        "καλοκαιρι24",
        "パスワード2024",
        "P@ssw0rd2024",
        "Liverpool2025!",
    ],
)
def test_a_common_word_of_any_language_with_a_year_or_a_sign_is_refused(password: str) -> None:
    assert refusal(password) == COMMON


@pytest.mark.parametrize(
    "password",
    [
        "violet tugboat harmonica 41",
        "sommer violine tinte",
        "kx9 vqz2",
        "Quitte#Leiter7",
        "пароль из слов",
        "パスワードと猫と海",
        "🦩🪩🫥🦤🪇🫎🩵🪼",
    ],
)
def test_other_passwords_are_taken(password: str) -> None:
    assert refusal(password) is None


@pytest.mark.parametrize("password", ["Kartoffel2024!", "Juventus1897", "Hamburg2024!", "heron12!"])
def test_a_word_with_a_year_is_never_called_strong(password: str) -> None:
    score, words = strength.strength(password, [])
    assert score < 3
    assert not words.startswith("Strong")


def test_what_is_refused_and_what_is_weak_are_told_in_different_words() -> None:
    assert strength.strength("Sommer2024!", []) == (0, f"{COMMON}.")
    score, words = strength.strength("heron12!", [])
    assert (score, words) == (1, STRENGTHS[1])
    assert words.startswith("Accepted")
    refusals = {strength.COMMON, strength.PERSONAL, strength.SHORT, strength.MISSING}
    assert not any(words.startswith(refusal[:12]) for refusal in refusals for words in STRENGTHS)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("password", ["Sommer2024!", "Smith 1815", "short"])
async def test_the_hint_says_what_the_form_will_say(visitor: Visitor, password: str) -> None:
    await visitor.visit("/signup")
    typed = ADA | {"name": "Ada Smith", "password": password}
    hint = await visitor.client.post(
        "/hints/password", data=typed, headers={"Sec-Fetch-Site": "same-origin"}
    )
    page = await visitor.submit("/signup", **typed)
    assert f"{page.errors['password']}." in hint.text


def test_the_list_of_words_is_small_and_folded() -> None:
    words = common_words.FILE.read_text("utf-8").split()
    assert common_words.FILE.stat().st_size < 200_000
    assert len(set(words)) == len(words)
    assert all(common_words.fold(word) == word and len(word) >= 4 for word in words)


@pytest.mark.parametrize(
    "password", ["a" * 1000, "Sommer" * 160, "1" * 1000, "a1" * 500, "\u0301" * 1000, "!a" * 12]
)
def test_a_password_is_judged_quickly(password: str) -> None:
    own = ["Ada Lovelace " * 70, "ada@example.com", "07400123456"]
    began = time.thread_time()
    strength.strength(password, own)
    assert time.thread_time() - began < 0.5
