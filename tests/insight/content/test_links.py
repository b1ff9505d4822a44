"""Links to a trace in MLflow's pages."""

import pytest

from agent_feedback.insight.content.links import trace_link

DATABRICKS = "https://adb-1.2.azuredatabricks.net/"


@pytest.mark.parametrize(
    ("base", "link"),
    [
        (
            "http://localhost:5000/",
            "http://localhost:5000/#/experiments/7/traces?selectedEvaluationId=tr-1",
        ),
        (
            "https://mlflow.example.com/team",
            "https://mlflow.example.com/team/#/experiments/7/traces?selectedEvaluationId=tr-1",
        ),
        (
            DATABRICKS,
            "https://adb-1.2.azuredatabricks.net/ml/experiments/7/traces?selectedEvaluationId=tr-1",
        ),
    ],
)
def test_a_link_opens_the_trace_in_its_experiment(base: str, link: str) -> None:
    """MLflow's own pages are one page with a fragment, Databricks' have addresses."""
    assert trace_link(base, "7", "tr-1") == link


def test_what_is_not_known_is_no_link() -> None:
    """Without an address, or an experiment, there is none."""
    assert trace_link(None, "7", "tr-1") is None
    assert trace_link(DATABRICKS, None, "tr-1") is None


def test_an_id_cannot_leave_its_place() -> None:
    """Ids of Unity Catalog have slashes."""
    link = trace_link(DATABRICKS, "7", "trace:/a.b/0&x=1#y")
    assert link is not None
    assert link.endswith("?selectedEvaluationId=trace%3A%2Fa.b%2F0%26x%3D1%23y")
