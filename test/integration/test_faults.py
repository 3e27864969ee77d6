"""The N-th allocation fails, the N-th call of libpq fails, in the batch path: test/faults/faults_batch.c. Some of all N by
default; LOYALTY_LONG=1 tries them all."""

import json
import os
import subprocess

import pytest

from harness import COMPLAINT, Engine, environment, program
from shop import loyalty_program

IS_LONG = os.environ.get("LOYALTY_LONG") == "1"
RUNS = 30  # of each kind in the short form


@pytest.fixture(scope="module")
def engine():
    """Its own workers have nothing to do; it is there for the database."""
    with Engine() as engine:
        engine.call("program.put", loyalty_program(), key="setup")
        yield engine
        engine.assert_ledger_holds()


def run(engine, kind, *options, env=None):
    done = subprocess.run(
        [program("faults-batch"), "--database", engine.database, "--kind", kind, *map(str, options)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(environment(), **(env or {})), timeout=3600,
    )  # fmt: skip
    assert not COMPLAINT.search(done.stderr), done.stderr[-6000:]
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("kind", ["memory", "arena", "call", "connection"])
def test_the_nth_fails(engine, kind):
    """No crash, no leak, nothing half done, and true answers (the program's own checks); and the ledger holds."""
    calls = run(engine, kind, "--first", 10**9)["calls"]
    assert calls > RUNS
    step = 1 if IS_LONG else max(1, calls // RUNS)
    first = 1 if IS_LONG else 1 + os.getpid() % step  # others each time
    done = run(engine, kind, "--first", first, "--step", step)
    print(done)
    assert done["runs"] >= calls // step - 1, "it ended before the last call"
    engine.assert_ledger_holds()
