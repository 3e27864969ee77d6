"""Fixtures of the integration tests."""

import shutil

import pytest

from harness import Engine, temporary_folder


@pytest.fixture
def folder():
    """A temporary folder that PostgreSQL's own user can enter too."""
    path = temporary_folder()
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_engine():
    """One engine for tests that leave it as they found it (each uses programs, partners and orders of its own)."""
    with Engine() as engine:
        yield engine


@pytest.fixture(scope="module", params=[1, 8], ids=["buckets=1", "buckets=8"])
def engine(request):
    """An engine for a module's tests, run once with one bucket and once with eight."""
    with Engine(buckets=request.param) as engine:
        yield engine


@pytest.fixture
def own_engine():
    """An engine for one test, which may break it."""
    with Engine() as engine:
        yield engine
