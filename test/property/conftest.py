"""Fixtures of the property tests: an engine of their own."""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

from harness import Engine  # noqa: E402


@pytest.fixture(scope="module")
def engine():
    """An engine for a module's tests."""
    with Engine() as engine:
        yield engine
