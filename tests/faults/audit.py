"""What MLflow holds at the end, compared with what users were promised."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from mlflow import MlflowClient
from mlflow.entities import Assessment, TraceInfo

from tests.faults.users import Key, Promise


@dataclass
class Audit:
    """What MLflow holds, compared with what was promised."""

    promised: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Another value, rationale or id than the promise with the highest revision."""
    resurrected: list[str] = field(default_factory=list)
    """There though it was withdrawn, or though nobody was ever promised it."""

    def figures(self) -> dict[str, int]:
        """How many of each."""
        return {
            "promised": self.promised,
            "lost": len(self.lost),
            "doubled": len(self.doubled),
            "wrong": len(self.wrong),
            "resurrected": len(self.resurrected),
        }

    def is_clean(self) -> bool:
        """Whether every promise was kept, and nothing else is there."""
        return not (self.lost or self.doubled or self.wrong or self.resurrected)


def audit(
    tracking_uri: str,
    experiment_id: str,
    promises: Mapping[Key, Promise],
    *,
    traces: Collection[str] | None = None,
) -> Audit:
    """Compare every promise with MLflow, and everything in MLflow with the promises.

    Args:
        tracking_uri: The store itself, not a proxy before it.
        experiment_id: Where the app's traces are.
        promises: What counts, by rating.
        traces: The only traces to compare, where others are rated in the same experiment.
    """
    found = ratings_in(tracking_uri, experiment_id)
    if traces is not None:
        found = {key: there for key, there in found.items() if key.trace_id in traces}
    result = Audit(promised=len(promises))
    for key, promise in promises.items():
        there = found.pop(key, [])
        if promise.withdrawn:
            result.resurrected += [f"{key}: {each}" for each in there]
        elif not there:
            result.lost.append(f"{key}: {promise}")
        elif len(there) > 1:
            result.doubled.append(f"{key}: {there}")
        elif not _is_kept(promise, there[0]):
            result.wrong.append(f"{key}: {promise} became {there[0]}")
    result.resurrected += [f"{key}: {there}" for key, there in found.items()]
    return result


def _is_kept(promise: Promise, there: Assessment) -> bool:
    return (
        there.feedback is not None
        and there.feedback.value == promise.value
        and (there.rationale or None) == promise.rationale
        and there.assessment_id == promise.assessment_id
        and there.source.source_type == "HUMAN"
        and there.valid is not False
    )


def ratings_in(tracking_uri: str, experiment_id: str) -> dict[Key, list[Assessment]]:
    """Return every assessment in an experiment, also hidden ones, by what it rates."""
    found: dict[Key, list[Assessment]] = defaultdict(list)
    for info in _traces_in(tracking_uri, experiment_id):
        for each in info.assessments or ():
            found[Key(info.trace_id, each.source.source_id or "", each.name)].append(each)
    return found


def stored_trace_ids(tracking_uri: str, experiment_id: str) -> set[str]:
    """Return the traces that an experiment has as a whole."""
    return {
        info.trace_id
        for info in _traces_in(tracking_uri, experiment_id)
        if "mlflow.trace_schema.version" in info.trace_metadata
    }


def _traces_in(tracking_uri: str, experiment_id: str) -> Iterator[TraceInfo]:
    client, token = MlflowClient(tracking_uri), None
    while True:
        page = client.search_traces(
            locations=[experiment_id], include_spans=False, max_results=500, page_token=token
        )
        yield from (trace.info for trace in page)
        token = page.token
        if not token:
            return
