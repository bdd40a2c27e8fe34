"""A visitor as the site sees one: reads the page, fills in its form, presses its button."""

from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

import httpx
from selectolax.lexbor import LexborHTMLParser, LexborNode

NAVIGATION = {
    "Accept": "text/html,application/xhtml+xml",
    "Accept-Language": "en-GB,en;q=0.9",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
}
REDIRECTS = {301, 302, 303, 307, 308}


class Page:
    """What the browser shows after an answer."""

    def __init__(self, response: httpx.Response, url: str) -> None:
        self.response, self.url = response, url
        self.html = LexborHTMLParser(response.text)

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def path(self) -> str:
        """What the address bar shows, without the origin."""
        return urlsplit(self.url).path

    @property
    def step(self) -> str | None:
        """Which of the steps is on the page, if one is."""
        root = self.html.css_first("[data-step]")
        return root.attributes["data-step"] if root else None

    @property
    def text(self) -> str:
        """The words of the page, with single spaces."""
        body = self.html.css_first("main") or self.html.body
        return " ".join(body.text(separator=" ").split()) if body else ""

    @property
    def title(self) -> str:
        title = self.html.css_first("title")
        return title.text().strip() if title else ""

    @property
    def errors(self) -> dict[str, str]:
        """Each field's error, by the field's name."""
        found = {}
        for node in self.html.css("[id$='-error']"):
            field = (node.id or "").removesuffix("-error")
            if words := " ".join(node.text(separator=" ").split()):
                found[field] = words.removeprefix("Error: ")
        return found

    @property
    def verified(self) -> bool | None:
        """What the account panel says, if it is on the page."""
        panel = self.html.css_first("[data-verified]")
        return panel.attributes["data-verified"] == "true" if panel else None

    @property
    def resend_in(self) -> int | None:
        """The seconds of the resend's countdown, if it is on the page."""
        form = self.html.css_first("[data-resend-in]")
        return int(form.attributes["data-resend-in"] or "0") if form else None

    def form(self, action: str) -> LexborNode:
        """The form that posts to ``action``."""
        for form in self.html.css("form"):
            method = (form.attributes.get("method") or "get").lower()
            if method == "post" and self._target(form) == action:
                return form
        there = [self._target(form) for form in self.html.css("form")]
        raise AssertionError(f"No form posts to {action} on {self.path}; there are {there}.")

    def _target(self, form: LexborNode) -> str:
        return urlsplit(urljoin(self.url, form.attributes.get("action") or "")).path


def filled_in(form: LexborNode) -> dict[str, str]:
    """The fields of a form with the values a browser would send were nothing typed."""
    values = {}
    for field in form.css("input[name], select[name], textarea[name]"):
        name, kind = field.attributes["name"], field.attributes.get("type")
        if name is None or "disabled" in field.attributes:
            continue
        if field.tag == "select":
            option = field.css_first("option[selected]") or field.css_first("option")
            values[name] = option.attributes.get("value") or "" if option else ""
        elif kind not in {"submit", "button"} and (
            kind not in {"checkbox", "radio"} or "checked" in field.attributes
        ):
            values[name] = field.attributes.get("value") or ""
    return values


class Visitor:
    """One browser with its cookies. ``htmx`` says whether JavaScript is there.

    Without it every answer is a whole page and a redirect is followed; with it a form's answer is
    the fragment that htmx swaps in, and the address follows ``HX-Replace-Url``.
    """

    def __init__(self, client: httpx.AsyncClient, *, htmx: bool = False) -> None:
        self.client, self.htmx = client, htmx
        self.page: Page | None = None

    async def visit(self, path: str) -> Page:
        """Type an address, or reload: a whole page, wherever redirects lead."""
        return await self._get(path, {"Sec-Fetch-Site": "none"})

    async def submit(self, action: str, *, button: str | None = None, **typed: str) -> Page:
        """Fill in the form on the page that posts to ``action`` and send it.

        Fails where the form lacks a field that is typed into, as a person would. ``button``
        chooses among submit buttons by value; without it the first named one counts, if any.
        """
        assert self.page, "Visit a page first."
        form = self.page.form(action)
        fields = filled_in(form)
        names = fields.keys() | {box.attributes["name"] for box in form.css("[type=checkbox]")}
        assert not typed.keys() - names, f"The form at {action} has only {sorted(map(str, names))}."
        return await self.post(action, {**fields, **_pressed(form, button), **typed})

    async def post(self, path: str, fields: Mapping[str, str]) -> Page:
        """Send a form's fields to ``path``, whatever is on the page."""
        headers = {"Origin": self._origin, "Sec-Fetch-Site": "same-origin"}
        if self.htmx:
            headers |= {"HX-Request": "true", "HX-Request-Type": "partial", "Accept": "text/html"}
        response = await self.client.post(path, data=dict(fields), headers=NAVIGATION | headers)
        if response.status_code in REDIRECTS:
            headers.pop("Origin")
            return await self._get(response.headers["Location"], headers)
        return self._show(response)

    @property
    def _origin(self) -> str:
        url = self.client.base_url
        return f"{url.scheme}://{url.netloc.decode()}"

    async def _get(self, path: str, headers: Mapping[str, str]) -> Page:
        for _ in range(5):
            response = await self.client.get(path, headers={**NAVIGATION, **headers})
            if response.status_code not in REDIRECTS:
                return self._show(response)
            path = response.headers["Location"]
        raise AssertionError(f"Redirects without end, the last to {path}.")

    def _show(self, response: httpx.Response) -> Page:
        # After a form was sent by htmx the address stays unless the answer names another.
        swapped = "HX-Request" in response.request.headers
        url = str(response.request.url)
        if swapped and self.page:
            url = urljoin(url, response.headers.get("HX-Replace-Url", self.page.url))
        self.page = Page(response, url)
        return self.page


def _pressed(form: LexborNode, value: str | None) -> dict[str, str]:
    for button in form.css("button[name]"):
        if value in {None, button.attributes.get("value")}:
            return {button.attributes["name"] or "": button.attributes.get("value") or ""}
    assert value is None, f"No button says {value}."
    return {}
