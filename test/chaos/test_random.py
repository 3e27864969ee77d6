"""Faults of all kinds at random, one upon the other, by a schedule that LOYALTY_SEED repeats. Short by default;
LOYALTY_CHAOS=long goes on for minutes."""

import contextlib
import os
import random
import signal
import threading
import time

import pytest

from faults import children, kill_cluster, signal_cluster
from world import IS_LONG, World

ROUNDS = 12 if IS_LONG else 1
ROUND_S = 25 if IS_LONG else 8
PAUSE_S = (0.2, 5.0)


class Monkey:
    """Does things to an engine, and undoes those that last."""

    def __init__(self, world, seed):
        self.world = world
        self.engine = world.engine
        self.random = random.Random(f"monkey {seed}")
        self.resumes = []
        self.start = time.monotonic()

    FAULTS = (
        "kill_worker", "kill_worker", "kill_worker", "pause_worker", "pause_worker", "kill_workers", "kill_broker",
        "pause_broker", "kill_postgresql", "kill_backend", "pause_postgresql", "end_session", "end_session",
    )  # fmt: skip

    def strike(self):
        """One fault; a process that is not there at the moment is no reason to fail."""
        fault = self.random.choice(self.FAULTS)
        worker = f"worker-{self.random.randint(1, 2)}"
        seconds = self.random.uniform(*PAUSE_S)
        place = self.random.random()
        print(f"{time.monotonic() - self.start:7.2f} s  {fault} {worker if 'worker' in fault else ''}", flush=True)
        with contextlib.suppress(ProcessLookupError, KeyError):
            getattr(self, fault)(worker, seconds, place)
        return fault

    def kill(self, name):
        pid = self.engine.processes()[name]
        if pid:
            os.kill(pid, signal.SIGKILL)

    def pause(self, name, seconds):
        pid = self.engine.processes()[name]
        if pid:
            os.kill(pid, signal.SIGSTOP)
            self.later(seconds, lambda: os.kill(pid, signal.SIGCONT))

    def later(self, seconds, act):
        def run():
            with contextlib.suppress(ProcessLookupError, KeyError):
                act()

        timer = threading.Timer(seconds, run)
        timer.start()
        self.resumes.append(timer)

    def wait(self):
        for timer in self.resumes:
            timer.join()

    def kill_worker(self, worker, *_):
        self.kill(worker)

    def kill_workers(self, *_):
        self.kill("worker-1")
        self.kill("worker-2")

    def pause_worker(self, worker, seconds, _):
        self.pause(worker, seconds)

    def kill_broker(self, *_):
        self.kill("broker")

    def pause_broker(self, _, seconds, __):
        self.pause("broker", seconds)

    def kill_postgresql(self, *_):
        if self.engine.processes()["postgresql"]:
            kill_cluster(self.engine)

    def kill_backend(self, _, __, place):
        """One of the server's processes: it restarts all of them."""
        found = sorted(children(self.engine.processes()["postgresql"]))
        if found:
            os.kill(found[int(place * len(found))], signal.SIGKILL)

    def pause_postgresql(self, _, seconds, __):
        if self.engine.processes()["postgresql"]:
            signal_cluster(self.engine, signal.SIGSTOP)
            self.later(min(seconds, 3), lambda: signal_cluster(self.engine, signal.SIGCONT))

    def end_session(self, _, __, place):
        """What an operator does with pg_terminate_backend."""
        found = sorted(children(self.engine.processes()["postgresql"]))
        if found:
            os.kill(found[int(place * len(found))], signal.SIGTERM)


@pytest.fixture(scope="module")
def battered():
    world = World.begin()
    yield world
    world.end()


@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_at_random(battered, seed, round_number):
    seed += round_number
    with battered.load(seed) as load:
        monkey = Monkey(battered, seed)
        end = time.monotonic() + ROUND_S
        count = 0
        try:
            while time.monotonic() < end:
                monkey.strike()
                count += 1
                time.sleep(monkey.random.uniform(0.1, 2.5))
        finally:
            monkey.wait()
        battered.wait_for_answers(load, 200, seconds=60)
    battered.report(f"{count} faults at random, seed {seed}", load)
    battered.judge()
