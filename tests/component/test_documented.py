"""docs/widget.md and the component's words: every snippet is rendered or executed as it stands."""

import asyncio
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from playwright.async_api import Page, expect
from starlette.responses import HTMLResponse

from tests.component.conftest import IN_BROWSER, Visitor
from tests.component.host import Host
from tests.component.parts import down, pressed, saved, says, up
from tests.support.documents import block, blocks
from tests.support.rating import BOB, held, stored_trace
from tests.support.serving import serving
from tests.support.waiting import eventually

pytestmark = IN_BROWSER

DOCUMENT = "docs/widget.md"
TRACE = "tr-0a1b2c3d4e5f60718293a4b5c6d7e8f9"


def snippet(language: str, containing: str) -> str:
    """Return the one block of a language that contains this."""
    return block(DOCUMENT, language, containing)


async def test_no_snippet_is_left_out() -> None:
    """Each block is named by a test below: a new one has to be tested, too."""
    assert Counter(each.language for each in blocks(DOCUMENT)) == {
        "css": 1,
        "html": 4,
        "js": 2,
        "jsx": 1,
        "python": 4,
    }


@pytest.mark.parametrize("document", [DOCUMENT, "README.md"])
async def test_the_first_lines_are_all_it_takes(ann: Visitor, document: str) -> None:
    """The two lines of the beginning, and the README's, rate an answer."""
    trace_id = stored_trace()
    two_lines = blocks_of(document, "html")[0].replace("tr-…", TRACE)
    assert len(two_lines.splitlines()) == 2
    rating = (await ann.open(two_lines.replace(TRACE, trace_id))).locator("agent-feedback")
    await up(rating).click()
    await saved(rating)
    assert held(trace_id) == {"user_feedback": True}


def blocks_of(document: str, language: str) -> list[str]:
    """Return a document's blocks of a language."""
    return [each.text for each in blocks(document) if each.language == language]


async def test_from_an_answer_to_its_rating(ann: Visitor, host: Host, tmp_path: Path) -> None:
    """The page of two files is served as it says, shows the stream, and its trace is rated."""
    page_folder = tmp_path / "page"
    page_folder.mkdir()
    (page_folder / "index.html").write_text(snippet("html", "page/index.html"))
    (page_folder / "ask.js").write_text(snippet("js", "page/ask.js"))
    names = {"app": host.app, "__file__": str(tmp_path / "start_server.py")}
    exec(snippet("python", "StaticFiles"), names)
    page = await ann.open("")
    await page.goto(f"{host.url}/ask/")
    await page.get_by_role("button", name="Ask").click()
    await expect(page.locator("#answer")).to_have_text("It is kept.")
    rating = page.locator("agent-feedback")
    await down(rating).click()
    # How soon the click came decides whether MLflow had the trace already.
    status = rating.get_by_role("status")
    await expect(status).to_have_text(re.compile(r"^Thank you\. Saved"), timeout=15_000)
    trace_id = await rating.get_attribute("trace-id")
    assert trace_id is not None
    assert eventually(lambda: held(trace_id), bool, within=60) == {"user_feedback": False}


async def test_events_and_methods(ann: Visitor, host: Host) -> None:
    """Each method of the snippet reaches the server, and its events reach the page."""
    trace_id = stored_trace()
    page = await ann.open(f'<agent-feedback trace-id="{trace_id}"></agent-feedback>')
    script = snippet("js", "// events.js")
    await ann.context.route(
        "**/events.js", lambda route: route.fulfill(body=script, content_type="text/javascript")
    )
    await page.evaluate("import('/events.js')")
    assert await page.title() == "thumb: null (withdrawn)"
    sent = [(each.method, each.body or dict(each.query)) for each in host.writes()]
    about = {"trace_id": trace_id}
    assert sent[0][1] == {
        **about,
        "value": False,
        "rationale": "Too short.",
        "reasons": ["incomplete"],
        "correction": "More.",
    }
    assert ("POST", {**about, "dimension": "accuracy", "value": 4}) in sent
    assert sent[-1] == ("POST", {**about, "signal": "copy"})
    assert held(trace_id) == {"implicit_copy": True, "expected_response": "More."}


async def german_page(ann: Visitor, trace_id: str) -> Page:
    """Open the page in German that the document shows."""
    html = snippet("html", '"lang": "de"').replace(TRACE, trace_id)
    return await ann.open(html, attributes=' data-language="de"')


async def test_german(ann: Visitor) -> None:
    """Every word is translated, reasons and refusals too, and the language is marked."""
    trace_id = stored_trace()
    page = await german_page(ann, trace_id)
    rating = page.locator("agent-feedback")
    await expect(rating.get_by_role("group", name="Antwort bewerten")).to_have_attribute(
        "lang", "de"
    )
    await rating.get_by_role("button", name="Schlechte Antwort").click()
    await says(rating, "Danke. Gespeichert.")
    await rating.get_by_role("button", name="Falsch").click()
    await rating.get_by_label("Was wäre richtig gewesen?").fill("16 KiB.")
    await (
        rating.get_by_role("radiogroup", name="Genauigkeit").get_by_label("4 von 5 Sternen").click()
    )
    await rating.get_by_role("button", name="Senden").click()
    await says(rating, "Danke. Gespeichert.")
    wanted = {"user_feedback": False, "user_accuracy": 0.8, "expected_response": "16 KiB."}
    assert eventually(lambda: held(trace_id), lambda now: now == wanted) == wanted
    ann.may_lose_network = True
    others = (await german_page(ann, stored_trace(BOB))).locator("agent-feedback")
    await others.get_by_role("button", name="Gute Antwort").click()
    await says(others, "Nicht gespeichert: Nur wer gefragt hat, kann bewerten.")


async def test_german_lacks_no_word(ann: Visitor) -> None:
    """The example has every label that there is."""
    script = re.search(r"<script[^>]*>(.*?)</script>", snippet("html", '"lang": "de"'), re.DOTALL)
    assert script
    page = await ann.open("")
    english: dict[str, Any] = await page.evaluate(
        "import('/feedback/agent-feedback/appearance.js').then(({ ENGLISH }) => ENGLISH)"
    )
    assert set(json.loads(script[1])) == set(english) - {"goodReasons", "badReasons"}


async def test_labels_of_one_component(ann: Visitor) -> None:
    """An attribute renames, and regroups the reasons; a block inside does, too."""
    html = snippet("html", "labels='").replace(TRACE, stored_trace())
    inside = '<script type="application/json">{"good": "Ja"}</script>'
    page = await ann.open(
        html + f'<agent-feedback trace-id="{stored_trace()}">{inside}</agent-feedback>'
    )
    first, second = (page.locator("agent-feedback").nth(number) for number in (0, 1))
    await first.get_by_role("button", name="Helpful", exact=True).click()
    await expect(first.get_by_role("button", name="Off topic")).to_be_visible()
    await expect(first.get_by_role("button", name="Unsafe")).to_be_hidden()
    await expect(second.get_by_role("button", name="Ja")).to_be_enabled()
    await first.evaluate("(element) => element.setAttribute('labels', '{\"good\": \"Yes\"}')")
    await expect(first.get_by_role("button", name="Yes")).to_be_enabled()


async def test_the_stylesheet(ann: Visitor) -> None:
    """Each property and part of the snippet changes what it says."""
    rating = await ann.rating_of(stored_trace())
    await rating.evaluate(
        """(_, text) => {
          const sheet = new CSSStyleSheet();
          sheet.replaceSync(text);
          document.adoptedStyleSheets.push(sheet);
        }""",
        snippet("css", "agent-feedback"),
    )
    await up(rating).click()
    await saved(rating)
    status = rating.get_by_role("status")
    await expect(up(rating)).to_have_css("color", "rgb(0, 105, 92)")  # at the transition's end
    await expect(up(rating)).to_have_css("border-radius", "50%")
    await expect(up(rating)).to_have_css("height", "36px")
    await expect(status).to_have_css("font-style", "italic")
    await expect(status).to_have_css("font-size", "16px")


async def test_what_react_renders(ann: Visitor) -> None:
    """React itself is too heavy for CI: its element is rendered as HTML, its effect is run."""
    code = snippet("jsx", "useEffect")
    tag = re.search(r"return (<agent-feedback ref=\{element\} trace-id=\{traceId\} />);", code)
    assert tag
    trace_id = stored_trace()
    page = await ann.open(f'<agent-feedback trace-id="{trace_id}"></agent-feedback>')
    body = code.replace(tag[1], "cleanUp").replace("export ", "")
    body = "\n".join(line for line in body.splitlines() if not line.startswith("import "))
    await page.evaluate(
        f"""() => {{
          window.heard = [];
          let cleanUp;
          const useRef = () => ({{ current: document.querySelector("agent-feedback") }});
          const useEffect = (effect) => (cleanUp = effect());
          {body}
          window.cleanUp = Rating({{ traceId: "", onChange: ({{ value }}) => heard.push(value) }});
        }}"""
    )
    rating = page.locator("agent-feedback")
    await up(rating).click()
    await saved(rating)
    await page.evaluate("cleanUp()")
    await down(rating).click()
    await saved(rating)
    assert await page.evaluate("heard") == [True]


def frames_of(monkeypatch: pytest.MonkeyPatch, trace_id: str) -> Iterator[str]:
    """Run the hosts' snippets, with stand-ins for their libraries; give the frames they show."""
    shown: list[str] = []
    streamlit, gradio = ModuleType("streamlit"), ModuleType("gradio")

    def iframe(src: str, *, width: str = "stretch", height: int | str = "content") -> None:
        shown.append(f'<iframe src="{src}" width="600" height="{height}"></iframe>')

    streamlit.iframe = iframe  # type: ignore[attr-defined]
    gradio.HTML = shown.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "streamlit", streamlit)
    monkeypatch.setitem(sys.modules, "gradio", gradio)
    for containing in ("st.iframe", "gr.HTML"):
        exec(snippet("python", containing), {"trace_id": trace_id})
    yield from shown


async def test_in_a_frame_of_another_host(
    ann: Visitor, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of another site frames the documented page, and the rating is this person's."""
    trace_id = stored_trace()
    site = FastAPI()
    frames: list[str] = []
    site.add_api_route("/", lambda: HTMLResponse(f"<title>Host</title>{''.join(frames)}"))
    with serving(site) as url:
        elsewhere = url.replace("127.0.0.1", "localhost")
        page_code = snippet("python", '@app.get("/rate")')
        page_code = re.sub(r'HOSTS = ".*"', f'HOSTS = "{elsewhere}"', page_code)
        assert elsewhere in page_code
        assert host.app is not None
        exec(page_code, {"app": host.app})
        for frame in frames_of(monkeypatch, trace_id):
            assert f"/rate?trace_id={quote(trace_id)}" in frame
            frames[:] = [frame.replace("https://my-agent.example.com", host.url)]
            page = await ann.context.new_page()
            await page.goto(elsewhere)
            rating = page.frame_locator("iframe").locator("agent-feedback")
            await expect(up(rating)).to_be_enabled()
            box = await page.locator("iframe").bounding_box()
            assert box is not None
            assert box["height"] >= 400
            await asyncio.sleep(0.3)
            await up(rating).click()
            await expect(rating.get_by_role("status")).to_contain_text(
                re.compile("Saved|withdrawn")
            )
    await pressed(up(rating), False)
    assert held(trace_id) == {}
    assert [each.method for each in host.writes()] == ["POST", "DELETE"]
