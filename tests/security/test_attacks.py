"""The attack table: each attack against the running app, and what MLflow holds afterwards."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.security import (
    attacks_identity,
    attacks_input,
    attacks_ownership,
    attacks_sites,
    attacks_tokens,
)
from tests.security.attack import Attack, Leaves
from tests.security.world import World
from tests.support.fake_workspace import FakeWorkspace
from tests.support.rating import eventually

TABLES = (attacks_identity, attacks_ownership, attacks_sites, attacks_input)
ON_APPS = attacks_tokens.attack.attacks
ATTACKS = [attack for table in TABLES for attack in table.attack.attacks]
DOCUMENT = Path(__file__).parents[2] / "docs" / "security.md"


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_leaves_what_it_may(worlds: Callable[..., World], attack: Attack) -> None:
    """Every request is answered as the table says, and MLflow holds what it held before, but for
    what the attacker was entitled to write."""
    carry_out(worlds(**attack.settings), attack)


@pytest.mark.parametrize("attack", ON_APPS, ids=lambda attack: attack.name)
def test_an_attack_with_a_token_leaves_what_it_may(
    worlds: Callable[..., World], databricks_apps: FakeWorkspace, attack: Attack
) -> None:
    """The same on Databricks Apps, where access tokens are forwarded."""
    attacks_tokens.fill(databricks_apps)
    carry_out(worlds(on="Databricks Apps", **attack.settings), attack)


def test_statements_and_odd_texts_meet_postgresql(
    worlds: Callable[..., World], postgres_url: str
) -> None:
    """The database that refuses NUL and counts lengths has the same answers as SQLite."""
    world = worlds(ledger_url=postgres_url)
    for attack in attacks_input.attack.attacks:
        if attack.name.startswith(("NUL", "statements", "trace ids")):
            carry_out(world, attack)


def carry_out(world: World, attack: Attack) -> None:
    """Send the attack's requests and compare what MLflow holds with what it held."""
    scene = world.scene()
    before = world.content()
    leaves = attack.sequence(world, scene) or Leaves()
    assert eventually(world.undelivered, lambda left: left == 0) == 0
    after = world.content()
    expected = {**before, **leaves.changed}
    expected = {each: said for each, said in expected.items() if said}
    assert {each: after.get(each) for each in expected} == expected
    new = [said for each, said in after.items() if each not in before]
    assert sorted(new, key=repr) == sorted(leaves.new, key=repr)


@pytest.mark.parametrize("attack", [*ATTACKS, *ON_APPS], ids=lambda attack: attack.name)
def test_the_document_shows_the_attack(attack: Attack) -> None:
    """The table in docs/security.md is this one, row by row; a failure shows the row to write."""
    assert attack.row in DOCUMENT.read_text(encoding="utf-8").splitlines()
