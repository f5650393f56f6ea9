"""Contents of the page's file: nothing external, and no text inserted as markup."""

from __future__ import annotations

import re

from tests.inference.http.page.markup import PAGE, read_markup

TEXT = PAGE.read_text("utf-8")
NAMESPACE = "http://www.w3.org/2000/svg"


def test_it_names_no_address_elsewhere() -> None:
    addresses = set(
        re.findall(r"(?:\w+:)?//[\w.-]+[\w/]*", re.sub(r"(?m)^\s*//.*|; //.*", "", TEXT))
    )
    assert addresses <= {NAMESPACE}


def test_what_it_links_to_is_within_it() -> None:
    markup = read_markup()
    assert [
        value for value in markup.attributes("href") if not value.startswith(("#", "data:"))
    ] == []
    for name in ("src", "action", "srcset", "poster", "formaction"):
        assert markup.attributes(name) == []


def test_what_it_calls_is_relative_to_where_it_is() -> None:
    called = re.findall(r"(?:read|fetch)\((.)", TEXT)
    assert set(called) <= {"`", '"', "b", "p"}  # an address, or base + address
    assert not re.search(r"""(?:read|fetch)\(["`]/""", TEXT)
    assert all(call.startswith("base + ") for call in re.findall(r"fetch\(([^;]*)", TEXT))


def test_it_has_no_handlers_and_no_styles_outside_of_its_own_two_parts() -> None:
    names = {name for _, held in read_markup().elements for name in held}
    assert not {name for name in names if name.startswith("on") or name == "style"}
    assert [tag for tag, _ in read_markup().elements].count("link") == 1


def test_nothing_becomes_markup_or_code() -> None:
    for sink in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(",
                 "new Function", "srcdoc", "DOMParser", "javascript:"):  # fmt: skip
        assert sink not in TEXT


def test_each_field_has_a_label_and_each_id_is_one_elements() -> None:
    markup = read_markup()
    ids = markup.attributes("id")
    assert len(ids) == len(set(ids))
    labelled = set(markup.attributes("for"))
    fields = {held["id"] for tag, held in markup.elements if tag in {"input", "select", "textarea"}}
    assert fields <= labelled
