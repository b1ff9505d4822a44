"""A served application to send requests to."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from agent_feedback import AgentFeedback
from tests.conftest import Serve
from tests.support.mlflow_store import Tracking
from tests.support.rating import OpenSite, Site, opened_site, settings_in


@pytest.fixture
def open_site(serve: Serve, tmp_path: Path) -> Iterator[OpenSite]:
    """Give a function that serves the feedback routes with the settings it is told."""
    with ExitStack() as open_sites:

        def opened(**chosen: Any) -> Site:
            feedback = AgentFeedback(settings_in(tmp_path, **chosen))
            return open_sites.enter_context(opened_site(serve, feedback))

        yield opened


@pytest.fixture(params=["tracking", "tracking_server"])
def any_tracking(request: pytest.FixtureRequest) -> Tracking:
    """Set MLflow up on its SQLite store, and over HTTP against a real tracking server."""
    tracking: Tracking = request.getfixturevalue(request.param)
    return tracking


@pytest.fixture
def site(open_site: OpenSite) -> Site:
    """Serve the feedback routes as they are without any setting of the test's own."""
    return open_site()
