"""The page in a real Chromium: what it sends, and what it makes of the answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.inference.http.page.stores import LONGEST_NAME, MARKUP, MIXED, TYPES, WHOLE
from tests.support.places import ROOT

if TYPE_CHECKING:
    from tests.inference.http.page.conftest import Opened

pytestmark = pytest.mark.slow

HTML = ROOT / "models/magika/golden/html/request.html"

DROP = """([form, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], "dropped.py", { type: "text/x-python" }));
  for (const kind of ["dragover", "drop"]) {
    const event = new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true });
    document.querySelector(form).dispatchEvent(event);
  }
}"""


def test_a_model_without_a_pipeline_gets_the_request_that_its_signature_makes(
    opened: Opened,
) -> None:
    tab = opened().open("adder")
    assert tab.text("#address") == "POST v2/models/adder/infer"
    tab.page.locator("#which").select_option("labels/stable")
    tab.page.locator("#address").filter(has_text="stable").wait_for()
    assert "by version 2 (stable) in " in tab.send()
    [output] = json.loads(tab.text("#body pre"))["outputs"]
    assert (output["shape"], output["data"]) == ([1, 2], [200.0, 200.0])


@pytest.mark.parametrize("model", ["types", "bfloat", "picture", LONGEST_NAME])
def test_the_request_that_is_filled_in_is_right_for_every_datatype_and_size(
    opened: Opened, model: str
) -> None:
    tab = opened().open(model)
    assert ("of zeros" in tab.text("#hint")) is (model in {"bfloat", "picture"})
    assert tab.send().startswith("Answered by version 1 (latest)")
    expected = {"types": list(TYPES), "bfloat": ["BF16", "FP32"]}.get(model)
    if expected:
        outputs = json.loads(tab.text("#body pre"))["outputs"]
        assert [each["datatype"] for each in outputs] == expected
        values = {each["datatype"]: each["data"] for each in outputs}
        odd = {"BOOL": [False], "BYTES": ["text"]}
        assert values == {name: odd.get(name, [0]) for name in expected}


def test_what_is_typed_is_sent_as_what_it_is(opened: Opened) -> None:
    tab = opened().open("echo")
    for text, content_type in (
        ("hello, wörld", "text/plain; charset=utf-8"),
        ('{"a": 1}', "application/json"),
        ("{ is no JSON", "text/plain; charset=utf-8"),
    ):
        tab.page.locator("#text").fill(text)
        tab.send()
        answer = json.loads(tab.text("#body pre"))
        assert (answer["body"], answer["content_type"]) == (text, content_type)


def test_a_file_is_sent_as_it_is(opened: Opened) -> None:
    tab = opened().open("magika")
    tab.page.locator("#file").set_input_files(ROOT / "Makefile")
    assert tab.text("#chosen-name").startswith("Makefile ")
    assert "by version 1 (latest)" in tab.send()
    assert json.loads(tab.text("#body pre"))["label"] == "makefile"


def test_a_file_is_dropped_and_taken_away_again(opened: Opened) -> None:
    tab = opened().open("magika")
    tab.page.evaluate(DROP, ["#form", "import os\nprint(os.getcwd())\n" * 20])
    assert not tab.page.locator("#text").is_visible()
    assert "Sent as text/x-python." in tab.text("#hint")
    tab.send()
    assert json.loads(tab.text("#body pre"))["label"] == "python"
    tab.page.locator("#remove").click()
    tab.page.locator("#text").fill(HTML.read_text("utf-8"))
    tab.send()
    assert json.loads(tab.text("#body pre"))["label"] == "html"


def test_versions_labels_and_the_split_are_shown_and_what_answered_becomes_ready(
    opened: Opened,
) -> None:
    tab = opened().open("adder")
    assert tab.text("#summary") == "4 versions · generation 6 · 10 % of calls to canary"
    assert tab.texts("#versions .chip") == ["canary 10 %", "latest 90 %", "stable"]
    assert tab.texts("#which option") == [
        "default: latest, 10 % canary",
        "canary: version 4", "latest: version 3", "stable: version 2",
        "version 4", "version 3", "version 2",
    ]  # fmt: skip
    tab.page.locator("#older summary").click()
    [retired] = tab.texts("#older-versions li")
    assert "retired" in retired
    tab.page.locator("#which").select_option("versions/4")
    assert "by version 4 in " in tab.send()
    tab.page.locator("#versions li").filter(has_text="canary").locator(".ready").wait_for()


@pytest.mark.parametrize("answer", ["markup", "html"])
def test_markup_in_an_answer_is_text(opened: Opened, answer: str) -> None:
    tab = opened().open("echo")
    tab.query(f"answer={answer}")
    tab.send()
    assert tab.text("#body pre") == MARKUP
    assert tab.page.locator("#body :is(img, script)").count() == 0
    assert tab.page.title() == "echo · Coldpress"


def test_markup_in_json_and_in_an_error_is_text(opened: Opened) -> None:
    tab = opened().open("echo")
    tab.page.locator("#text").fill(MARKUP)
    tab.send()
    answer = json.loads(tab.text("#body pre"))
    assert (answer["body"], answer["scores"][1]["label"]) == (MARKUP, MARKUP)
    tab.page.locator("#text").fill("no")
    tab.expect_refusal(400)
    assert tab.press().startswith("Refused by version 1 (latest) in ")
    assert tab.text("#body .error") == f"the input was refused: no {MARKUP}"
    assert "400" in tab.text("#facts")
    assert tab.page.locator("#answer :is(img, script)").count() == 0


def test_values_are_shown_as_they_were_written(opened: Opened) -> None:
    tab = opened().open("echo")
    tab.query("answer=whole")
    tab.send()
    assert tab.text("#body pre") == WHOLE


@pytest.mark.parametrize(("answer", "width"), [("png", 96), ("svg", 40)])
def test_a_picture_is_shown_and_runs_nothing(opened: Opened, answer: str, width: int) -> None:
    tab = opened().open("echo")
    tab.query(f"answer={answer}")
    tab.send()
    image = tab.page.locator("#body img")
    image.evaluate("(image) => image.decode()")
    assert image.evaluate("(image) => image.naturalWidth") == width
    assert tab.page.title() == "echo · Coldpress"


def test_what_says_that_it_is_a_picture_and_is_none_is_told(opened: Opened) -> None:
    tab = opened().open("echo")
    tab.query("answer=no png")
    tab.send()
    tab.page.get_by_text("This browser cannot show the answer as image/png.").wait_for()


def test_other_bytes_are_downloaded(opened: Opened) -> None:
    tab = opened().open("echo")
    tab.query("answer=bytes")
    tab.send()
    assert saved(tab.page, "Download the answer, 2.0 kB") == bytes(range(256)) * 8


def test_of_a_long_text_the_beginning_is_shown(opened: Opened) -> None:
    tab = opened().open("echo")
    tab.query("answer=long")
    tab.send()
    assert len(tab.page.locator("#body pre").text_content()) == 200_000
    assert len(saved(tab.page, "Download the whole answer")) == 500_000


def test_an_empty_answer_is_said_to_be_empty(opened: Opened) -> None:
    tab = opened().open("echo")
    tab.query("answer=nothing")
    tab.send()
    assert tab.text("#body") == "The answer is empty."


def test_a_version_that_does_not_load_says_why_where_it_is_listed_too(opened: Opened) -> None:
    tab = opened().open("broken")
    tab.expect_refusal(503)
    assert tab.press().startswith("Failed in ")
    assert "is damaged" in tab.text("#body .error")
    tab.page.locator("#versions .failed").filter(has_text="is damaged").wait_for()


def test_what_was_typed_is_kept_for_its_model(opened: Opened) -> None:
    tab = opened().open("echo")
    tab.page.locator("#text").fill("kept")
    tab.page.get_by_role("link", name="adder").click()
    tab.page.locator("#address").filter(has_text="adder").wait_for()
    assert '"inputs"' in tab.page.locator("#text").input_value()
    tab.page.go_back()
    tab.page.locator("#address").filter(has_text="echo").wait_for()
    assert tab.page.locator("#text").input_value() == "kept"


def test_the_keyboard_alone_is_enough(opened: Opened) -> None:
    tab = opened().open()
    tab.key("Tab")
    assert tab.focused() == "Skip to the model"
    while tab.focused() != "echo":
        tab.key("Tab")
    tab.key("Enter")
    tab.page.locator("#address").filter(has_text="echo").wait_for()
    tab.page.locator("#name:focus").wait_for()
    stops = []
    for _ in range(3):
        tab.key("Tab")
        stops.append(tab.focused())
    assert stops == ["which", "text", "file"]
    tab.key("Shift+Tab")
    tab.page.keyboard.type("typed")
    tab.key("Tab", "Tab", "Tab")
    assert tab.focused() == "send"
    tab.key("Enter")
    assert tab.outcome().startswith("Answered by version 1 (latest) in ")
    assert tab.focused() == "send"
    assert json.loads(tab.text("#body pre"))["body"] == "typed"
    tab.key("Shift+Tab", "Shift+Tab", "Shift+Tab", "Control+End")
    tab.page.keyboard.type(" more")
    tab.key("Control+Enter")
    tab.page.locator("#body pre").filter(has_text="typed more").wait_for()


def test_what_became_of_a_call_is_announced(opened: Opened) -> None:
    tab = opened().open("adder")
    tab.send()
    announced = tab.page.get_by_role("status").filter(has_text="Answered by version")
    assert announced.get_attribute("aria-live") == "polite"


def saved(page: Any, link: str) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("link", name=link).click()
    return bytes(download.value.path().read_bytes())


def test_a_call_that_waits_holds_up_no_other_model(opened: Opened) -> None:
    tab = opened().open("adder")
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    tab.page.route("**/adder/infer", hold)
    tab.page.locator("#send").click()
    tab.page.locator("#send[aria-disabled]").wait_for()
    tab.page.evaluate("location.hash = '#/echo'")
    tab.page.locator("#address").filter(has_text="/echo").wait_for()
    tab.page.locator("#text").fill("hello")
    outcome = tab.send()
    assert outcome.startswith("Answered by version 1")
    [route] = held
    with tab.page.expect_response("**/adder/infer"):
        route.continue_()
    assert tab.outcome() == outcome
    assert json.loads(tab.text("#body pre"))["body"] == "hello"


def test_a_press_while_a_version_is_read_waits_for_it(opened: Opened) -> None:
    tab = opened().open(MIXED)
    with tab.holding("**/versions/1"):
        tab.page.locator("#which").select_option("versions/1")
        tab.page.locator("#send").click()
        tab.page.locator("#send[aria-disabled]").wait_for()
        assert tab.text("#outcome") == "Waiting for the answer"
    assert "by version 1 in " in tab.outcome()
    assert tab.called == [f"models/{MIXED}/versions/1/predict"]


def test_a_press_goes_to_the_version_that_was_chosen_last(opened: Opened) -> None:
    tab = opened().open(MIXED)
    with tab.holding("**/versions/1"):
        with tab.holding("**/versions/2"):
            tab.page.locator("#which").select_option("versions/2")
            tab.page.locator("#send").click()
            tab.page.locator("#which").select_option("versions/1")
        tab.page.locator("#send[aria-disabled]").wait_for()
    assert "by version 1 in " in tab.outcome()
    assert tab.called == [f"models/{MIXED}/versions/1/predict"]


def test_what_is_typed_while_a_version_is_read_stays(opened: Opened) -> None:
    tab = opened().open("echo")
    with tab.holding("**/versions/1"):
        tab.page.locator("#which").select_option("versions/1")
        tab.page.locator("#text").fill("typed meanwhile")
    tab.send()
    assert json.loads(tab.text("#body pre"))["body"] == "typed meanwhile"


def test_while_another_model_is_read_there_is_nothing_to_send(opened: Opened) -> None:
    tab = opened().open("adder")
    with tab.holding("**/models/echo"):
        tab.page.get_by_role("link", name="echo").click()
        tab.page.locator("#send[aria-disabled]").wait_for()
        tab.page.locator("#text").press("Control+Enter")
    tab.page.locator("#address").filter(has_text="/echo").wait_for()
    assert tab.send().startswith("Answered by version 1")
    assert tab.called == ["models/echo/predict"]


def test_a_press_for_a_version_that_cannot_be_read_is_taken_back(opened: Opened) -> None:
    tab = opened().open("adder")
    tab.expect_refusal(500)
    with tab.holding("**/versions/4", status=500, body="it is damaged"):
        tab.page.locator("#which").select_option("versions/4")
        tab.page.locator("#send").click()
        tab.page.locator("#send[aria-disabled]").wait_for()
    tab.page.locator("#unusable").filter(has_text="it is damaged").wait_for()
    tab.page.locator("#body").filter(has_text="Nothing sent yet.").wait_for()
    assert tab.called == []
