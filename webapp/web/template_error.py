"""Finds where a template is wrong: its name, the line, and the reason in words."""

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jinja2 import TemplateNotFound, TemplateSyntaxError

AROUND = 3  # lines that are shown before and after


@dataclass(frozen=True)
class Place:
    """A line of a template, by its name in the templates' folder."""

    template: str
    line: int


class TemplateFailed(Exception):
    """A template that could not be filled in. It was raised from the error itself.

    Of no other error's kind: Jinja's ``TemplateNotFound`` is an ``OSError`` too, as most failures
    of a database are.
    """

    def __init__(self, name: str, error: Exception, directory: Path) -> None:
        self.place = _place(error, directory) or Place(name, 1)
        self.words = _words(error)
        self.path = directory / self.place.template
        super().__init__(f"{self.place.template}, line {self.place.line}: {self.words}")

    def source(self) -> Iterator[tuple[int, str]]:
        """The lines around the place, with their numbers."""
        lines = self.path.read_text().splitlines() if self.path.is_file() else []
        first = max(1, self.place.line - AROUND)
        yield from enumerate(lines[first - 1 : self.place.line + AROUND], first)


def _place(error: Exception, directory: Path) -> Place | None:
    if isinstance(error, TemplateSyntaxError) and error.name:
        return Place(error.name, error.lineno)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(directory) and frame.lineno:
            return Place(path.relative_to(directory).as_posix(), frame.lineno)
    return None


def _words(error: Exception) -> str:
    if isinstance(error, TemplateNotFound):
        return f"there is no template {error.name!r}"
    if isinstance(error, TemplateSyntaxError):
        return error.message or "it is not Jinja's syntax"
    return str(error) or type(error).__name__
