#!/usr/bin/env python3
"""Makes webapp/accounts/people/common_words.txt: words of passwords, the most likely first.

zxcvbn knows English words and what is common in leaked passwords. These are of other languages:
words that people choose, listed below; Unicode CLDR's names of months and days, by Babel; and the
most frequent words of the npm packages @zxcvbn-ts/language-… (MIT). Needs npm.

Run it from the checkout's root with `.venv/bin/python tests/common_words.py`.
"""

import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from itertools import chain, zip_longest
from pathlib import Path

from babel import Locale

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from webapp.accounts.people import common_words

PACKAGES = {
    "cs": "3.0.1", "de": "3.0.2", "es-es": "4.1.2", "fi": "3.0.2", "fr": "4.1.2", "id": "4.1.1",
    "it": "3.0.2", "ja": "3.0.2", "nl-be": "3.0.2", "pl": "3.0.2", "pt-br": "4.1.1",
}  # fmt: skip
MOST_FREQUENT = (
    2500  # of a language: a later word with a year is not among the first 100,000 guesses
)
SHORTEST = 4  # letters: a shorter word needs more beside it than a year

# Password, welcome, hello, love, and the seasons
CHOSEN = """
    ar كلمةالسر مرحبا اهلا حبيبي ربيع صيف خريف شتاء
    bg парола добредошли здравей обичам пролет лято есен зима
    cs heslo vítejte ahoj láska jaro léto podzim zima
    da kodeord adgangskode velkommen elsker forår sommer efterår vinter
    de passwort kennwort willkommen hallo liebe schatz frühling frühjahr sommer herbst winter
    el κωδικος καλωςορισες γειασου αγαπη ανοιξη καλοκαιρι φθινοπωρο χειμωνας
    es contraseña bienvenido bienvenida hola teamo amor primavera verano otoño invierno
    et salasõna parool tere tulemast armastus kevad suvi sügis talv
    fa رمزعبور سلام خوشامدید عشق بهار تابستان پاییز زمستان
    fi salasana tervetuloa terve rakkaus kevät kesä syksy talvi
    fr motdepasse bienvenue bonjour salut jetaime amour printemps automne hiver
    he סיסמה שלום ברוכים אהבה אביב קיץ סתיו חורף
    hi namaste pyaar swagat पासवर्ड नमस्ते स्वागत प्यार
    hr lozinka zaporka dobrodošli bok volimte ljubav proljeće ljeto jesen zima
    hu jelszó üdvözlet szia szeretlek szerelem tavasz nyár ősz tél
    id katasandi selamatdatang halo cinta sayang
    it password benvenuto benvenuta ciao tiamo amore primavera estate autunno inverno
    ja pasuwaado konnichiwa aishiteru sakura haru natsu aki fuyu パスワード こんにちは さくら
    ko bimilbeonho annyeong saranghae 비밀번호 안녕하세요 사랑해
    lt slaptažodis sveiki labas meilė pavasaris vasara ruduo žiema
    lv parole sveiki labdien mīlestība pavasaris vasara rudens ziema
    ms katalaluan selamat sayang
    nb passord velkommen elsker vår sommer høst vinter
    nl wachtwoord welkom hallo liefde lente voorjaar zomer herfst najaar winter
    pl hasło witaj witamy cześć kocham miłość wiosna lato jesień zima
    pt senha palavrapasse bemvindo olá teamo amor primavera verão outono inverno
    ro parolă bunvenit salut iubire teiubesc primăvară vară toamnă iarnă
    ru пароль добропожаловать привет люблю любовь весна лето осень зима privet lubov vesna leto
    sk heslo vitajte ahoj láska jar leto jeseň zima
    sl geslo dobrodošli živjo ljubezen pomlad poletje jesen zima
    sq fjalëkalim mirësevini përshëndetje dashuri pranverë verë vjeshtë dimër
    sr лозинка добродошли здраво љубав пролеће лето јесен зима lozinka
    sv lösenord välkommen hallå kärlek älskling vår sommar höst vinter
    tr şifre parola hoşgeldin merhaba aşkım sevgi ilkbahar sonbahar kış
    uk пароль ласкавопросимо привіт кохання весна літо осінь зима
    vi matkhau xinchao yeuem tinhyeu muaxuan muahe muathu muadong
    zh mima nihao woaini chuntian xiatian qiutian dongtian 密码 你好 我爱你
"""


def main() -> None:
    words = chain(chosen(), calendar(), frequent())
    folded = (common_words.fold(word) for word in words)
    usable = (word for word in folded if len(word) >= SHORTEST and word.isalpha())
    common_words.FILE.write_text("\n".join(["", *dict.fromkeys(usable), ""]), "utf-8")


def chosen() -> Iterator[str]:
    for line in CHOSEN.split("\n"):
        yield from line.split()[1:]


def calendar() -> Iterator[str]:
    for language in [line.split()[0] for line in CHOSEN.split("\n") if line.strip()]:
        locale = Locale(language)
        for names in (locale.months, locale.days):
            for context in ("stand-alone", "format"):
                yield from names[context]["wide"].values()


def frequent() -> Iterator[str]:
    """The first of each language, then the second of each, and so on."""
    with tempfile.TemporaryDirectory() as folder:
        lists = [words_of(package, Path(folder)) for package in PACKAGES.items()]
    for rank in zip_longest(*lists):
        yield from filter(None, rank)


def words_of(package: tuple[str, str], folder: Path) -> list[str]:
    language, version = package
    name = f"@zxcvbn-ts/language-{language}@{version}"
    packed = ["npm", "pack", "--silent", "--pack-destination", str(folder), name]
    archive = subprocess.run(packed, check=True, capture_output=True, text=True).stdout.strip()
    with tarfile.open(folder / archive) as files:
        content = files.extractfile("package/src/commonWords.json")
        assert content
        words: list[str] = json.load(content)
    return words[:MOST_FREQUENT]


if __name__ == "__main__":
    main()
