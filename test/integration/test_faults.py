"""The N-th allocation fails, the N-th call of libpq fails, in the batch path: test/faults/faults_batch.c. Some of all N by
default; LOYALTY_LONG=1 tries them all (of a worker that has just been started each
fifth)."""

import json
import os
import random
import subprocess

import pytest

from harness import COMPLAINT, Engine, environment, program
from shop import loyalty_program

IS_LONG = os.environ.get("LOYALTY_LONG") == "1"
RUNS = {"memory": 10, "arena": 20, "call": 8, "connection": 8}  # in the short form, of a worker that has worked before
COLD_RUNS = 4  # and of one that has just been started
COLD_STEP = 5  # of those, in the long form


@pytest.fixture(scope="module")
def engine():
    """Its own workers have nothing to do; it is there for the database."""
    with Engine() as engine:
        rewards = [{"discount_mode": "per_point", "discount": "0.01", "required_points": 50}]
        engine.call("program.put", loyalty_program(rewards=rewards), key="setup")
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


@pytest.mark.parametrize("start", ["warm", "cold"])
@pytest.mark.parametrize("kind", list(RUNS))
def test_the_nth_fails(engine, kind, start):
    """No crash, no leak, nothing half done, and true answers (the program's own checks); and the ledger holds."""
    warm, runs = (["--warm"], RUNS[kind]) if start == "warm" else ([], COLD_RUNS)
    calls = run(engine, kind, "--first", 10**8, *warm)["calls"]
    step = (1 if start == "warm" else COLD_STEP) if IS_LONG else calls // runs
    assert step > 0, f"{calls} calls are not many"
    first = 1 + random.randrange(step)  # others each time
    print(f"--first {first} --step {step}")
    done = run(engine, kind, "--first", first, "--step", step, *warm)
    assert done["runs"] >= calls // step - 1, "it ended before the last call"
    engine.assert_ledger_holds()
