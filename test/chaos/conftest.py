"""Fixtures of the chaos tests, and the table of what clients saw, which is printed in the end."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import world as worlds  # noqa: E402


@pytest.fixture
def seed():
    """LOYALTY_SEED, else a new one; a failing test shows it."""
    return worlds.seed()


@pytest.fixture(scope="module")
def world():
    """An engine for a module's tests: each leaves it serving."""
    with worlds.world() as shared:
        yield shared


def pytest_terminal_summary(terminalreporter):
    if not worlds.REPORT:
        return
    terminalreporter.section("what clients saw")
    for case, figures in worlds.REPORT:
        terminalreporter.write_line(f"{case:<50} {figures}")
