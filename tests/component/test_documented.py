"""docs/widget.md and the component's words: every snippet is rendered or executed as it stands."""

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from playwright.async_api import Page, expect
from starlette.responses import HTMLResponse

from tests.component.conftest import IN_BROWSER, Visitor
from tests.component.host import Host
from tests.component.parts import down, pressed, saved, says, up
from tests.support.rating import BOB, eventually, held, stored_trace
from tests.support.serving import serving

pytestmark = IN_BROWSER

DOCUMENT = (Path(__file__).parents[2] / "docs" / "widget.md").read_text()
TRACE = "tr-0a1b"


def snippet(language: str, containing: str) -> str:
    """Return the one block of a language that contains this."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
    (found,) = (block for block in blocks if containing in block)
    assert isinstance(found, str)
    return found


async def test_no_snippet_is_left_out() -> None:
    """Each block is named by a test below: a new one has to be tested, too."""
    counted = re.findall(r"^```(\w+)$", DOCUMENT, re.MULTILINE)
    assert sorted(counted) == [
        "css",
        "html",
        "html",
        "html",
        "html",
        "js",
        "js",
        "jsx",
        *["python"] * 3,
    ]


async def test_the_first_lines_are_all_it_takes(ann: Visitor) -> None:
    """The two lines of the beginning rate an answer."""
    trace_id = stored_trace()
    html = snippet("html", 'src="/feedback/agent-feedback.js"').replace(TRACE, trace_id)
    rating = (await ann.open(html)).locator("agent-feedback")
    await up(rating).click()
    await saved(rating)
    assert held(trace_id) == {"user_feedback": True}


async def test_from_an_answer_to_its_rating(ann: Visitor, host: Host) -> None:
    """The stream is shown, and its trace can be rated."""
    host.are_readings_held = True  # so that "on its way" is shown long enough to be seen
    script = snippet("js", "// ask.js")
    await ann.context.route(
        "**/ask.js", lambda route: route.fulfill(body=script, content_type="text/javascript")
    )
    page = await ann.open(snippet("html", "/ask.js"))
    await expect(page.locator("#answer")).to_have_text("It is kept.")
    rating = page.locator("agent-feedback")
    await down(rating).click()
    await says(rating, "Thank you. Saved, on its way.")
    trace_id = await rating.get_attribute("trace-id")
    assert trace_id is not None
    assert eventually(lambda: held(trace_id), bool, within=20) == {"user_feedback": False}


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
    said = [(each.method, each.body or dict(each.query)) for each in host.writes()]
    about = {"trace_id": trace_id}
    assert said[0][1] == {
        **about,
        "value": False,
        "rationale": "Too short.",
        "reasons": ["incomplete"],
        "correction": "More.",
    }
    assert ("POST", {**about, "dimension": "accuracy", "value": 4}) in said
    assert said[-1] == ("POST", {**about, "signal": "copy"})
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
    said = re.search(r"<script[^>]*>(.*?)</script>", snippet("html", '"lang": "de"'), re.DOTALL)
    assert said
    page = await ann.open("")
    english: dict[str, Any] = await page.evaluate(
        "import('/feedback/agent-feedback/look.js').then(({ ENGLISH }) => ENGLISH)"
    )
    assert set(json.loads(said[1])) == set(english) - {"goodReasons", "badReasons"}


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


def framed_addresses(monkeypatch: pytest.MonkeyPatch, trace_id: str) -> Iterator[str]:
    """Run the hosts' snippets, with stand-ins for their libraries; give what they would show."""
    shown: list[str] = []
    components = ModuleType("streamlit.components.v1")
    components.iframe = lambda url, height: shown.append(url)  # type: ignore[attr-defined]
    for name in ("streamlit", "streamlit.components"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "streamlit.components.v1", components)
    sys.modules["streamlit.components"].v1 = components  # type: ignore[attr-defined]
    exec(snippet("python", "components.iframe"), {"trace_id": trace_id})
    gradio = SimpleNamespace(HTML=shown.append)
    exec(snippet("python", "gr.HTML"), {"trace_id": trace_id, "gr": gradio})
    yield shown[0]
    address = re.search(r'src="([^"]+)"', shown[1])
    assert address
    yield address[1]


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
        for address in framed_addresses(monkeypatch, trace_id):
            local = address.replace("https://my-agent.example.com", host.url)
            assert local == f"{host.url}/rate?trace_id={quote(trace_id)}"
            frames[:] = [f'<iframe src="{local}" width="600" height="320"></iframe>']
            page = await ann.context.new_page()
            await page.goto(elsewhere)
            rating = page.frame_locator("iframe").locator("agent-feedback")
            await expect(up(rating)).to_be_enabled()
            await asyncio.sleep(0.3)
            await up(rating).click()
            await expect(rating.get_by_role("status")).to_contain_text(
                re.compile("Saved|withdrawn")
            )
    await pressed(up(rating), False)
    assert held(trace_id) == {}
    assert [each.method for each in host.writes()] == ["POST", "DELETE"]
