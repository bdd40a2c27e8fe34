"""How a setting is declared, and how all of them are read with every fault at once."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any


class SettingsError(Exception):
    """The environment cannot be started with; ``faults`` has a line for each faulty variable."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        self.faults = [f"{name}: {why}" for name, why in faults.items()]
        super().__init__("\n".join(self.faults))


@dataclass(frozen=True, slots=True)
class Derived:
    """A default that no text stands for; ``words`` document it.

    ``make`` gets the values read so far, may raise ``ValueError`` and returns the variable's text.
    """

    words: str
    make: Callable[[Mapping[str, Any]], str] = lambda _: ""


Default = str | Derived | None  # None: there is none, and the variable must be set


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable. The documented table and `app.json` repeat what it says."""

    meaning: str
    read: Callable[[str], Any]  # its text to its value; raises ``ValueError`` with what is wrong
    default: Default
    development: Default  # the default of `python -m webapp dev`
    empty: Any  # the value where there is neither a text nor a default
    needed_with: tuple[str, ...]  # NAME or NAME=value: with that setting, this one must be set
    instead: str  # the variable that does as well where this one is needed

    @property
    def documented_meaning(self) -> str:
        """The meaning as the documented table has it; `app.json` has it without the backticks."""
        needed = " or ".join(f"`{condition}`" for condition in self.needed_with)
        return f"{self.meaning}; needed with {needed}" if needed else self.meaning

    @property
    def documented_default(self) -> str:
        """The default as the documented table has it."""
        usual, there = _words(self.default), _words(self.development)
        if there == usual:
            return usual
        return f"development: {there}" if self.default is None else f"{usual}; development: {there}"


def _words(default: Default) -> str:
    if isinstance(default, Derived):
        return default.words
    return f"`{default}`" if default else "–"


def setting(
    meaning: str,
    read: Callable[[str], Any] = str,
    default: Default = "",
    *,
    development: Default = None,
    empty: Any = "",
    needed_with: tuple[str, ...] = (),
    instead: str = "",
    secret: bool = False,
) -> Any:
    """Declare the field of a settings class whose variable is its name in capitals.

    ``development`` is the default there, where it is another. A ``secret`` does not show in the
    settings' ``repr``. The rest is as in ``Setting``.
    """
    declared = Setting(
        meaning,
        read,
        default,
        default if development is None else development,
        empty,
        needed_with,
        instead,
    )
    return field(repr=not secret, metadata={"setting": declared})


def declared_by(settings: Any) -> dict[str, Setting]:
    """The settings that a class (or an instance of it) declares, by variable, in their order."""
    return {
        one.name.upper(): one.metadata["setting"]
        for one in fields(settings)
        if "setting" in one.metadata
    }


def read_all(
    declared: Mapping[str, Setting], environ: Mapping[str, str], *, development: bool
) -> tuple[dict[str, Any], dict[str, str]]:
    """The values by field name, and what is wrong by variable.

    A faulty variable gets its default, so that whatever depends on it is not called faulty too.
    """
    values: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for name, one in declared.items():
        default = one.development if development else one.default
        text = environ.get(name, "").strip()
        try:
            values[name.lower()] = _value(one, text, default, values)
        except ValueError as wrong:
            faults[name] = str(wrong)
            constant = default if isinstance(default, str) else ""
            values[name.lower()] = one.read(constant) if constant else one.empty
    return values, faults


def _value(one: Setting, text: str, default: Default, values: Mapping[str, Any]) -> Any:
    if not text and default is None:
        raise ValueError(f"is missing: {one.meaning}")
    text = text or (default.make(values) if isinstance(default, Derived) else default or "")
    return one.read(text) if text else one.empty


def missing(settings: Any, *, development: bool) -> Iterator[tuple[str, str]]:
    """The variables that are not set although another setting needs them, and why.

    In development the sandbox stands in for a vendor without credentials: what is needed with a
    choice of vendor (NAME=value) is not needed there.
    """
    for name, one in declared_by(settings).items():
        if getattr(settings, name.lower()) or getattr(settings, one.instead.lower(), ""):
            continue
        for condition in one.needed_with:
            other, _, choice = condition.partition("=")
            chosen = getattr(settings, other.lower())
            if (not development and chosen == choice) if choice else chosen:
                otherwise = f" (or {one.instead})" if one.instead else ""
                yield name, f"is missing: {condition} needs it{otherwise}"
                break
