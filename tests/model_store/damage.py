"""Hypothesis strategies for texts that are not documents, and for damaged documents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

_any_text = st.text(st.characters(), max_size=8) | st.sampled_from(["\ud800", "a\nb", "..", "/"])
_leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**400), 2**63])
    | st.floats()
    | _any_text
)
json_values = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_any_text, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def damaged(draw: st.DrawFn, rights: st.SearchStrategy[Any]) -> bytes:
    """A right document's bytes, with one place in it changed to anything."""
    document = json.loads(draw(rights).render())
    holder, key = draw(st.sampled_from(_places(document)))
    change: Callable[[Any, Any], None] = draw(
        st.sampled_from([_remove, _replace(draw), _add(draw)])
    )
    change(holder, key)
    return json.dumps(document, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


def _places(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        keys: list[Any] = sorted(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    else:
        return []
    return [(value, key) for key in keys] + [place for key in keys for place in _places(value[key])]


def _remove(holder: Any, key: Any) -> None:
    del holder[key]


def _replace(draw: st.DrawFn) -> Callable[[Any, Any], None]:
    def change(holder: Any, key: Any) -> None:
        holder[key] = draw(json_values)

    return change


def _add(draw: st.DrawFn) -> Callable[[Any, Any], None]:
    def change(holder: Any, key: Any) -> None:
        value = draw(json_values)
        if isinstance(holder, dict):
            holder[draw(_any_text)] = value
        else:
            holder.insert(key, value)

    return change
