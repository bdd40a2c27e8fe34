"""One page of the gallery."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class State:
    """One page as it can come to be: its words for the index, and what its template is given."""

    words: str
    template: str
    context: Callable[[], Mapping[str, Any]]
