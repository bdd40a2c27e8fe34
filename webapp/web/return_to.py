"""Where a person may be sent on to after signing up or in: our own pages, and origins we trust."""

import re
from collections.abc import Iterable
from urllib.parse import unquote

LONGEST = 2048  # characters; an authorization request of OpenID Connect, with room to spare
WRITTEN = re.compile(r"[!-\[\]-~]+")  # visible ASCII but the backslash, which browsers read as "/"
AFTER_ORIGIN = ("/", "?", "#")
NOT_A_PAGE = "/sandbox/"  # development's, where links of strangers have no business


def allowed(text: str, own: str, others: Iterable[str] = ()) -> str:
    """``text`` as a browser may follow it, or nothing where it may not (ASVS 3.7.2).

    ``own`` and ``others`` are origins as browsers write them. A URL is taken only if it begins
    with one of them, letter by letter, and the path of ours only if it cannot be read as another:
    nothing is parsed, so no browser can parse it differently. A URL of ours becomes its path.
    """
    if len(text) > LONGEST or not WRITTEN.fullmatch(text):
        return ""
    if _has_origin(text, own):
        path = text[len(own) :]
        text = path if path.startswith("/") else f"/{path}"
    if text.startswith("/"):
        return text if _is_page_of_ours(text) else ""
    return text if any(_has_origin(text, origin) for origin in others) else ""


def _has_origin(text: str, origin: str) -> bool:
    rest = text.removeprefix(origin)
    return rest != text and (not rest or rest.startswith(AFTER_ORIGIN))


def _is_page_of_ours(path: str) -> bool:
    """Whether a path stays on this host: ``//host`` does not, and dots may hide where it leads."""
    plain = unquote(re.split("[?#]", path, maxsplit=1)[0])
    hidden = plain.startswith("//") or "\\" in plain or {".", ".."} & set(plain.split("/"))
    return not hidden and not f"{plain}/".startswith(NOT_A_PAGE)
