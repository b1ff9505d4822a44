"""The chat page as a person uses it."""

from playwright.async_api import Locator, Page, expect


class Chat:
    """One page that shows the chat."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url

    async def open(self) -> None:
        """Load the page and wait until it takes questions."""
        await self.page.goto(self.url)
        await self.ready()

    async def ready(self) -> None:
        """Wait until the page takes questions."""
        await expect(self.button("Send")).to_be_enabled()

    async def reload(self) -> None:
        """Load the page again."""
        await self.page.reload()
        await self.ready()

    async def begin(self, question: str) -> Locator:
        """Ask by the keyboard and return the turn, which may still be streaming."""
        if not self.page.url.startswith(self.url):
            await self.open()
        before = await self.turns.count()
        await self.page.get_by_label("Your question").fill(question)
        await self.page.keyboard.press("Enter")
        turn = self.turns.nth(before)
        await expect(turn).to_be_visible()
        return turn

    async def ask(self, question: str) -> tuple[Locator, str]:
        """Ask, wait for the answer's end, and return the turn with its trace id."""
        turn = await self.begin(question)
        return turn, await trace_of(turn)

    @property
    def turns(self) -> Locator:
        """The questions with their answers, in order."""
        return self.page.get_by_role("article")

    @property
    def announcements(self) -> Locator:
        """What the page tells people who do not see it."""
        return self.page.locator("#announcements")

    def button(self, name: str) -> Locator:
        """The button with this name, of the page itself."""
        return self.page.get_by_role("button", name=name, exact=True)


async def trace_of(turn: Locator) -> str:
    """Wait until the turn can be rated by its trace and return the trace's id."""
    rating = turn.locator("agent-feedback[trace-id]")
    await expect(rating).to_be_attached()
    trace_id = await rating.get_attribute("trace-id")
    assert trace_id is not None
    return trace_id


def thumb(turn: Locator, label: str = "Good answer") -> Locator:
    """The turn's thumb: "Good answer" or "Bad answer"."""
    return turn.get_by_role("button", name=label)


async def is_rated(turn: Locator, label: str = "Good answer") -> None:
    """Wait until the turn shows this thumb as given."""
    await expect(thumb(turn, label)).to_have_attribute("aria-pressed", "true")


async def is_saved(turn: Locator) -> None:
    """Wait until the turn says that the server has the rating."""
    await expect(turn.get_by_role("status")).to_contain_text("Saved")


async def rate(turn: Locator, label: str = "Good answer") -> None:
    """Give this thumb and wait until it is saved."""
    await thumb(turn, label).click()
    await is_rated(turn, label)
    await is_saved(turn)
