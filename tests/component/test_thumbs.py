"""Thumbs, and what can be said with them."""

from playwright.async_api import expect

from tests.component.conftest import IN_BROWSER, Visitor
from tests.component.host import Host
from tests.support.rating import held, stored_trace

pytestmark = IN_BROWSER


async def test_a_click_lands(ann: Visitor, host: Host) -> None:
    """A thumb is shown at once, saved once, and on the trace."""
    trace_id = stored_trace()
    rating = await ann.rating_of(trace_id)
    up = rating.get_by_role("button", name="Good answer")
    await up.click()
    await expect(up).to_have_attribute("aria-pressed", "true")
    await expect(rating.get_by_role("status")).to_have_text("Thank you. Saved.")
    assert host.bodies() == [{"trace_id": trace_id, "value": True}]
    assert held(trace_id) == {"user_feedback": True}
