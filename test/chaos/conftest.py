"""Fixtures of the chaos tests, and the table of what clients saw, which is printed in the end."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import world as worlds  # noqa: E402


class Shared:
    """The engine of the tests that leave it serving; a test that fails costs it its place."""

    world = None

    @classmethod
    def end(cls, in_order):
        world, cls.world = cls.world, None
        if world is not None:
            world.end(in_order)


@pytest.fixture(scope="session", autouse=True)
def shared_end():
    """What its programs complained about in their logs fails the last test."""
    yield
    Shared.end(in_order=True)


@pytest.fixture
def seed():
    """LOYALTY_SEED, else a new one; a failing test shows it."""
    return worlds.seed()


@pytest.fixture
def world():
    """An engine that earlier tests may have used, with all that they wrote."""
    if Shared.world is None:
        Shared.world = worlds.World.begin()
    return Shared.world


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if outcome.get_result().failed and "world" in getattr(item, "fixturenames", ()):
        Shared.end(in_order=False)


def pytest_terminal_summary(terminalreporter):
    if not worlds.REPORT:
        return
    terminalreporter.section("what clients saw")
    for case, figures in worlds.REPORT:
        terminalreporter.write_line(f"{case:<50} {figures}")
