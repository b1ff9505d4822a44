"""The attack table: each attack against the running app, and what MLflow holds afterwards."""

from pathlib import Path

import pytest

from tests.security import (
    attacks_identity,
    attacks_input,
    attacks_ownership,
    attacks_sites,
    attacks_tokens,
)
from tests.security.attack import Attack, Effect
from tests.security.attacked_app import AttackedApp
from tests.security.conftest import OpenApp
from tests.support.fake_workspace import FakeWorkspace
from tests.support.waiting import eventually

TABLES = (attacks_identity, attacks_ownership, attacks_sites, attacks_input)
ON_APPS = attacks_tokens.attack.attacks
ATTACKS = [attack for table in TABLES for attack in table.attack.attacks]
DOCUMENT = Path(__file__).parents[2] / "docs" / "security.md"


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_leaves_what_it_may(open_app: OpenApp, attack: Attack) -> None:
    """Every request is answered as the table says, and MLflow holds what it held before, but for
    what the attacker was entitled to write."""
    carry_out(open_app(**attack.settings), attack)


@pytest.mark.parametrize("attack", ON_APPS, ids=lambda attack: attack.name)
def test_an_attack_with_a_token_leaves_what_it_may(
    open_app: OpenApp, databricks_apps: FakeWorkspace, attack: Attack
) -> None:
    """The same on Databricks Apps, where access tokens are forwarded."""
    attacks_tokens.fill(databricks_apps)
    carry_out(open_app(on="Databricks Apps", **attack.settings), attack)


def test_statements_and_odd_texts_are_answered_alike_with_postgresql(
    open_app: OpenApp, postgres_url: str
) -> None:
    """The database that refuses NUL and counts lengths has the same answers as SQLite."""
    app = open_app(ledger_url=postgres_url)
    for attack in attacks_input.attack.attacks:
        if attack.name.startswith(("NUL", "statements", "trace ids")):
            carry_out(app, attack)


def carry_out(app: AttackedApp, attack: Attack) -> None:
    """Send the attack's requests and compare what MLflow holds with what it held."""
    target = app.rated_answer()
    before = app.content()
    effect = attack.sequence(app, target) or Effect()
    assert eventually(app.undelivered, lambda left: left == 0) == 0
    after = app.content()
    expected = {**before, **effect.changed}
    expected = {each: row for each, row in expected.items() if row}
    assert {each: after.get(each) for each in expected} == expected
    new = [row for each, row in after.items() if each not in before]
    assert sorted(new, key=repr) == sorted(effect.new, key=repr)


@pytest.mark.parametrize("attack", [*ATTACKS, *ON_APPS], ids=lambda attack: attack.name)
def test_the_document_shows_the_attack(attack: Attack) -> None:
    """The table in docs/security.md is this one, row by row; a failure shows the row to write."""
    assert attack.row in DOCUMENT.read_text(encoding="utf-8").splitlines()
