"""The texts: the site's name as it is written, in one segment, and what no name can do to them."""

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from tests.servers import production_environ
from webapp.accounts.sending import texts
from webapp.segments import is_gsm_7, segments
from webapp.settings import Settings, SettingsError

HEROKU = "plumtree-4f0c9283456b.herokuapp.com"


@pytest.mark.parametrize(
    ("name", "host", "body"),
    [
        ("Demo", "example.com", "123456 is your Demo code. Do not share it."),
        ("Süßwaren Groß", HEROKU, "123456 is your Süßwaren Groß code. Do not share it."),
        ("Café & Co. #1", HEROKU, "123456 is your Café & Co. #1 code. Do not share it."),
        ("Dvořák", HEROKU, "123456 is your Dvorak code. Do not share it."),  # not in GSM-7
        ("北京", "a.example", "123456 is your 北京 code. Do not share it."),
        ("北京", HEROKU, "北京: 123456"),  # UCS-2 has 70 characters
        ("Ромашка", HEROKU, "Ромашка: 123456"),
        ("北京 Tea House", HEROKU, "北京 Tea House: 123456"),
        ("🚀", HEROKU, "🚀: 123456"),
        ("北京 Tea", "a" * 60 + ".com", "123456 is your Tea code. Do not share it."),
        ("A" * 40, "a" * 90 + ".com", "A" * 40 + ": 123456"),
        ("two\nlines\u202e", "example.com", "123456 is your two lines code. Do not share it."),
        ("e\u0301clair", "example.com", "123456 is your éclair code. Do not share it."),
        ("N" * 41, "example.com", f"123456 is your {'N' * 40} code. Do not share it."),
    ],
)
def test_a_name_is_written_as_it_is_where_one_text_holds_it(
    name: str, host: str, body: str
) -> None:
    text = texts.code(name, host, "123456")
    assert text == f"{body}\n\n@{host} #123456"
    assert segments(text) == 1


def test_the_port_of_a_host_is_not_in_the_line_that_binds_a_code() -> None:
    assert texts.code("Demo", "localhost:8000", "123456").endswith("\n\n@localhost #123456")


@pytest.mark.parametrize("name", ["北京", "Süßwaren Groß", "Dvořák"])
def test_the_confirmation_has_the_name_and_is_one_text(name: str) -> None:
    text = texts.confirmation(name)
    assert name in text or "Dvorak" in text
    assert segments(text) == 1


def load(**settings: str) -> Settings:
    environ = production_environ("sqlite://app.sqlite3", BASE_URL=f"https://{HEROKU}", **settings)
    return Settings.load(environ)


@pytest.mark.parametrize("name", ["北" * 40, "\u200b", "北" * 20 + " " + "京" * 18])
def test_a_name_that_no_text_can_hold_is_a_fault_at_the_start(name: str) -> None:
    for settings in ({"SITE_NAME": name}, {"SITE_NAME": "Demo", "CODE_NAME": name}):
        with pytest.raises(SettingsError) as raised:
            load(**settings)
        (fault,) = raised.value.faults
        assert fault.startswith(f"{[*settings][-1]}: ")
        assert "CODE_NAME" in fault


def test_a_code_name_stands_in_texts_instead_of_the_sites_name() -> None:
    assert load(SITE_NAME="北" * 40, CODE_NAME="Beijing").code_name == "Beijing"
    assert load(SITE_NAME="Demo").code_name == "Demo"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), st.integers(1, 50))
def test_every_name_that_starts_is_seen_in_one_text(name: str, length: int) -> None:
    host = "a" * length + ".example"
    environ = production_environ("sqlite://a", BASE_URL=f"https://{host}", SITE_NAME=name)
    try:
        settings = Settings.load(environ)
    except SettingsError:
        reject()
    text = texts.code(settings.code_name, host, "123456")
    assert segments(text) == 1
    assert text.count("\n") == 2
    before, _, after = text.partition("123456")
    assert before.removesuffix(": ") or after.removeprefix(" is your ").partition(" code.")[0]


def test_gsm_7_is_what_networks_say_it_is() -> None:
    assert is_gsm_7("äöüßéèàñÇ€")
    assert not is_gsm_7("ç")
    assert not is_gsm_7("„")
