"""The routes in the app's OpenAPI document: typed, with examples, and with what can go wrong."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter

from agent_feedback import AgentFeedback
from agent_feedback.web import schemas
from tests.support.rating import Site, settings_in, stored_trace

ROUTES: dict[tuple[str, str], tuple[set[str], set[str]]] = {
    ("/feedback", "post"): (
        {"200", "201", "202"},
        {"400", "401", "403", "404", "413", "415", "422", "429", "503"},
    ),
    ("/feedback/detailed", "post"): (
        {"200", "201", "202"},
        {"400", "401", "403", "404", "413", "415", "422", "429", "503"},
    ),
    ("/feedback", "get"): ({"200"}, {"400", "401", "422", "503"}),
    ("/feedback/{assessment_id}", "patch"): (
        {"200", "202"},
        {"400", "401", "403", "404", "413", "415", "422", "429", "503"},
    ),
    ("/feedback/{assessment_id}", "delete"): (
        {"200", "202"},
        {"400", "401", "403", "404", "422", "429", "503"},
    ),
    ("/feedback", "delete"): (
        {"200", "202"},
        {"400", "401", "403", "404", "422", "429", "503"},
    ),
    ("/feedback/settings", "get"): ({"200"}, {"400", "401", "503"}),
    ("/feedback/status", "get"): ({"200"}, {"503"}),
}
every_route = pytest.mark.parametrize(
    ("path", "method", "good", "bad"), [(*route, *found) for route, found in ROUTES.items()]
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """Build the sidecar; it need not run."""
    return AgentFeedback(settings_in(tmp_path_factory.mktemp("openapi"))).app()


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    """Give the app's document."""
    found: dict[str, Any] = app.openapi()
    return found


def schema_of(document: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """Follow the reference of an answer's JSON body."""
    schema: dict[str, Any] = answer["content"]["application/json"]["schema"]
    schema = schema.get("items", schema)
    name = schema["$ref"].rpartition("/")[2]
    found: dict[str, Any] = document["components"]["schemas"][name]
    return found


def test_the_document_has_these_routes_and_no_others(document: dict[str, Any]) -> None:
    """Every route of the contract is there; the script's is no part of the interface."""
    found = {(path, method) for path, each in document["paths"].items() for method in each}
    assert found == set(ROUTES)


@every_route
def test_a_route_says_how_it_answers(
    document: dict[str, Any], path: str, method: str, good: set[str], bad: set[str]
) -> None:
    """Each status is described; successes have a model with an example, errors one sentence."""
    operation = document["paths"][path][method]
    assert operation["summary"]
    assert set(operation["responses"]) == good | bad
    for status, answer in operation["responses"].items():
        assert answer["description"]
        schema = schema_of(document, answer)
        assert ("Retry-After" in answer.get("headers", {})) == (status in ("429", "503"))
        if status in bad:
            assert list(schema["properties"]) == ["detail"]
            assert schema["properties"]["detail"]["type"] == "string"
        else:
            assert len(schema["properties"]) > 1


@pytest.mark.parametrize(
    ("path", "method", "model"),
    [
        ("/feedback", "post", schemas.FeedbackBody),
        ("/feedback/detailed", "post", schemas.DetailedBody),
        ("/feedback/{assessment_id}", "patch", schemas.AmendBody),
    ],
)
def test_a_body_is_described_and_its_examples_are_valid(
    document: dict[str, Any], path: str, method: str, model: Any
) -> None:
    """A client can be generated from the schema, and its examples pass our own validation."""
    body = document["paths"][path][method]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert body["required"]
    assert schema["type"] == "object"
    assert schema["examples"]
    for example in schema["examples"]:
        assert TypeAdapter(model).validate_python(example)


def test_a_body_names_what_the_settings_take(tmp_path: Path) -> None:
    """A generated client knows this application's dimensions, stars, reasons and signals."""
    chosen = settings_in(
        tmp_path, dimensions=("tone",), scale=7, reasons=("rude",), implicit_signals=("copy",)
    )
    paths = AgentFeedback(chosen).app().openapi()["paths"]

    def members(path: str, method: str) -> dict[str, Any]:
        body = paths[path][method]["requestBody"]
        found: dict[str, Any] = body["content"]["application/json"]["schema"]["properties"]
        return found

    thumb, detailed = members("/feedback", "post"), members("/feedback/detailed", "post")
    assert thumb["dimension"]["enum"] == ["tone", None]
    assert thumb["signal"]["enum"] == ["copy", None]
    assert thumb["reasons"]["items"] == {"enum": ["rude"]}
    assert (thumb["value"]["minimum"], thumb["value"]["maximum"]) == (1, 7)
    assert thumb["rationale"]["maxLength"] == 4000
    assert detailed["ratings"]["propertyNames"] == {"enum": ["tone"]}
    assert detailed["tone"] == {"type": "number", "minimum": 1, "maximum": 7}
    assert members("/feedback/{assessment_id}", "patch")["value"]["maximum"] == 7


def test_links_lead_to_operations_that_take_what_they_give(tmp_path: Path) -> None:
    """What an answer links to exists under any prefix, and has those parameters."""
    paths = AgentFeedback(settings_in(tmp_path, prefix="/votes")).app().openapi()["paths"]
    operations = [operation for path in paths.values() for operation in path.values()]
    parameters = {
        each["operationId"]: {parameter["name"] for parameter in each.get("parameters", ())}
        for each in operations
    }
    links = [
        link
        for operation in operations
        for answer in operation["responses"].values()
        for link in answer.get("links", {}).values()
    ]
    assert {link["operationId"] for link in links} == {
        "feedback_mine",
        "feedback_amend",
        "feedback_withdraw_one",
    }
    for link in links:
        assert set(link["parameters"]) <= parameters[link["operationId"]]


@pytest.mark.parametrize(
    "name",
    [
        "RatingBody",
        "FeedbackAnswer",
        "WithdrawalAnswer",
        "DetailedAnswer",
        "SettingsBody",
        "StatusBody",
        "ErrorBody",
    ],
)
def test_an_answers_example_is_one(document: dict[str, Any], name: str) -> None:
    """The examples of answers are valid by the model that they are of."""
    schema = document["components"]["schemas"][name]
    assert schema["examples"]
    for example in schema["examples"]:
        assert TypeAdapter(getattr(schemas, name)).validate_python(example)


@pytest.mark.usefixtures("tracking")
def test_answers_are_what_the_document_says(site: Site, document: dict[str, Any]) -> None:
    """Real answers have exactly the documented members."""
    members = {
        name: set(schema["properties"])
        for name, schema in document["components"]["schemas"].items()
        if "properties" in schema
    }
    trace_id = stored_trace()
    thumb = site.post({"trace_id": trace_id, "value": True, "correction": "16"}).json()
    assert set(thumb) == members["FeedbackAnswer"]
    assert set(thumb["correction"]) == members["RatingBody"]
    detailed = site.post({"trace_id": trace_id, "accuracy": 5}, "/detailed").json()
    assert set(detailed) == members["DetailedAnswer"]
    assert set(detailed["ratings"][0]) == members["RatingBody"]
    assert all(set(each) == members["RatingBody"] for each in site.mine(trace_id=trace_id))
    gone = site.delete(trace_id=trace_id).json()
    assert set(gone) == members["WithdrawalAnswer"]
    assert set(gone["correction"]) == members["RatingBody"]
    assert set(site.ask("GET", "/settings").json()) == members["SettingsBody"]
    assert set(site.ask("GET", "/status").json()) == members["StatusBody"]
    assert set(site.post({}).json()) == members["ErrorBody"]
