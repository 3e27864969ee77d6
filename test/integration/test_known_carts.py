"""Carts whose right results are known: what Odoo's own tests say that they come out as, or SEMANTICS where it differs."""

import pathlib

import pytest

import carts
from harness import Engine

CASES = carts.load(pathlib.Path(__file__).parent / "known_carts")


@pytest.fixture(scope="module")
def engine():
    with Engine(workers=1) as engine:
        yield engine
        engine.assert_ledger_holds()


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case['file']}:{case['id']}") for case in CASES])
def test_cart(engine, case):
    try:
        text = carts.play(engine, case)
    except carts.NotSupportedYet as not_yet:
        pytest.xfail(str(not_yet))
    assert not text, "\n".join([case["shows"], *text])


def test_cases_are_told_apart():
    """Each case has an id of its own in its file, says what it shows, and names the rules that it is about."""
    names = [(case["file"], case["id"]) for case in CASES]
    assert len(set(names)) == len(names) and len(names) >= 150
    assert all(case["shows"] and case["rules"] and case["orders"] for case in CASES)
