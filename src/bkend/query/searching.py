"""`search` and `searchType` (20 §6)."""

from __future__ import annotations

from bkend.query.errors import invalid_parameter
from bkend.query.fields import Fields
from bkend.query.leaves import Leaves
from bkend.query.parameters import Parameters, listed
from bkend.query.paths import parse_path
from bkend.store import Condition, Contains, Mentions, all_of, any_of
from bkend.store.text import fold

LONGEST_SEARCH = 256


def parse_search(parameters: Parameters, fields: Fields, leaves: Leaves) -> Condition:
    """The condition of a search; given several times, all must hold. Raises InvalidData."""
    texts = [text for given in parameters.get("search", ()) if (text := given.strip())]
    names = listed(parameters.get("searchType", ()))
    paths = [parse_path("searchType", name) for name in names]
    parts: list[Condition] = []
    for text in texts:
        if len(text) > LONGEST_SEARCH:
            message = f"search takes at most {LONGEST_SEARCH} characters"
            raise invalid_parameter("search", "maxLength", message)
        if not paths:
            parts.append(Mentions(fold(text), fields.unsearched()))
            continue
        leaves.parameter = "searchType"
        leaves.count(len(paths))
        searched = [path for path in paths if fields.is_searched(path)]
        parts.append(any_of(*(Contains(path, fold(text)) for path in searched)))
    return all_of(*parts)
