"""What MLflow has stored of the answers that people got."""

from collections.abc import Sequence
from functools import partial

from mlflow import MlflowClient

from tests.faults.people import Answer, People
from tests.faults.processes import until

_ASKED_AT_ONCE = 300


def stored_trace_ids(tracking_uri: str, experiment_id: str) -> set[str]:
    """Return the traces in an experiment."""
    client, token, found = MlflowClient(tracking_uri), None, set()
    while True:
        page = client.search_traces(
            locations=[experiment_id], include_spans=False, max_results=500, page_token=token
        )
        found |= {trace.info.trace_id for trace in page if _is_whole(trace.info.trace_metadata)}
        token = page.token
        if not token:
            return found


def _is_whole(metadata: dict[str, str]) -> bool:
    return "mlflow.trace_schema.version" in metadata


def ask_and_wait(
    crowd: People, count: int, tracking_uri: str, experiment_id: str
) -> Sequence[Answer]:
    """Ask this many questions, and wait until MLflow has stored every trace."""
    answers: list[Answer] = []
    while len(answers) < count:
        # MLflow's queue of finished traces has an end, and drops what comes then.
        asked = crowd.ask_many(min(count - len(answers), _ASKED_AT_ONCE))
        wanted = {answer.trace_id for answer in asked}
        until(
            partial(_are_stored, wanted, tracking_uri, experiment_id),
            within=60,
            otherwise="MLflow did not store the traces",
        )
        answers += asked
    return answers


def _are_stored(wanted: set[str], tracking_uri: str, experiment_id: str) -> bool:
    return wanted <= stored_trace_ids(tracking_uri, experiment_id)
