"""The one page renderer: a whole page, or the step's fragment when htmx asks for it."""

import gzip
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import Response

from webapp.web.static import preferred
from webapp.web.template_error import TemplateFailed

VARY = "HX-Request, HX-Request-Type, HX-History-Restore-Request, Accept-Encoding"
HTML = "text/html; charset=utf-8"
GZIP_LEVEL = 5
SMALLEST_GZIPPED = 1000  # bytes: below, compression saves no packet


class Templates:
    """The designers' templates, with what every one of them may use."""

    def __init__(
        self, directory: Path, asset: Callable[[str], str], *, reload: bool, **common: Any
    ) -> None:
        """``asset`` makes a static file's URL; ``common`` is there in every template."""
        self.directory = directory
        self.environment = Environment(
            loader=FileSystemLoader(directory),
            autoescape=select_autoescape(disabled_extensions=("txt",), default=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=reload,
        )
        self.environment.globals |= {"asset": asset, **common}

    def answer(self, request: Request, template: str, context: Mapping[str, Any]) -> Response:
        """A page that is no step: the sandbox's."""
        return respond(request, self.html(template, context))

    def html(self, name: str, context: Mapping[str, Any]) -> str:
        """The template ``name``, filled in; a ``.txt`` one is plain text.

        Raises ``TemplateFailed``, which names the line that is wrong.
        """
        try:
            return self.environment.get_template(name).render(context)
        except Exception as error:
            raise TemplateFailed(name, error, self.directory) from error


def is_fragment(request: Request) -> bool:
    """Whether htmx asks: it swaps the answer into the open page."""
    return "hx-request" in request.headers


def page(
    request: Request,
    template: str,
    *,
    url: str | None = None,
    status: int = 200,
    retry_after: int | None = None,
    **context: Any,
) -> Response:
    """The step ``template``, whole or as a fragment.

    ``url`` is the step's own, which the address bar follows; ``retry_after`` in seconds.
    """
    response = respond(request, render_page(request, template, **context), status)
    if is_fragment(request) and url:
        response.headers["HX-Replace-Url"] = url
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def render_page(request: Request, template: str, /, **context: Any) -> str:
    """The step's HTML in the frame that the request needs; templates see which it is."""
    fragment = is_fragment(request)
    base = "fragment.html" if fragment else "layout.html"
    return render(request, template, base=base, fragment=fragment, **context)


def render(request: Request, name: str, /, **context: Any) -> str:
    templates: Templates = request.app.state.templates
    return templates.html(name, context)


def respond(request: Request, html: str, status: int = 200) -> Response:
    """``html``, compressed where the browser takes it.

    Compression leaks nothing here (BREACH): no page holds a secret beside what a stranger can have
    reflected into it: only our own pages may post, and what a GET fills in is a form without one.
    """
    body = html.encode()
    headers = {"Vary": VARY}
    if len(body) >= SMALLEST_GZIPPED and takes_gzip(request):
        body, headers["Content-Encoding"] = gzip.compress(body, GZIP_LEVEL, mtime=0), "gzip"
    return Response(body, status, headers, HTML)


def takes_gzip(request: Request) -> bool:
    return bool(preferred(request.headers.get("accept-encoding", ""), ("gzip",)))


class PageCache:
    """Answers that are the same for everybody, rendered and compressed once."""

    def __init__(self, most: int) -> None:
        """``most`` answers are kept; none where it is 0, for designers at work."""
        self.most = most
        self.answers: dict[tuple[str, bool, bool], Response] = {}

    def answer(self, request: Request, name: str, render: Callable[[], Response]) -> Response:
        """The answer ``name``, as a whole page or fragment, from the cache or by ``render``."""
        if not self.most:
            return render()
        key = name, is_fragment(request), takes_gzip(request)
        if key not in self.answers:
            if len(self.answers) >= self.most:
                self.answers.clear()
            self.answers[key] = render()
        kept = self.answers[key]
        return Response(kept.body, headers=dict(kept.headers))  # middleware adds to its headers
