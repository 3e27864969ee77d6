"""Subscribers of the feed, as processes that can be killed and go on from what they wrote down."""

import os
import pathlib
import subprocess
import sys
import time

from feed_verdict import read_events
from harness import BUILD, environment, wait_until

PYTHON = [sys.executable, str(pathlib.Path(__file__).with_name("subscriber_process.py"))]
TAIL_BYTES = 1 << 16  # of a log: some whole lines
C = [str(BUILD / "bin" / "chaos-subscriber")]


class Subscriber:
    """One that follows the feed from its first event."""

    def __init__(self, engine, name, program, feeds=None):
        self.path = engine.folder / f"{name}.events"
        endpoints = engine.endpoints if hasattr(engine, "endpoints") else [engine.endpoint]
        self.command = [*program, str(self.path), ",".join(endpoints), ",".join(feeds or engine.feed_endpoints)]
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command, env=environment())

    def kill(self):
        """kill -9, as a power cut would be; it has what it wrote down."""
        self.process.kill()
        self.process.wait()

    def last(self):
        """The number of the last event that it wrote down."""
        if not self.path.exists():
            return 0
        with open(self.path, "rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
            lines = log.read().split(b"\n")[:-1]
        return int(lines[-1].split(b"\t")[0]) if lines else 0

    def events(self):
        return read_events(self.path)


class Subscribers:
    """Three of them, in both languages: `with Subscribers (world) as subscribers`."""

    def __init__(self, world, programs=(C, C, PYTHON), feeds=None):
        self.world = world
        self.all = {
            f"subscriber-{number}": Subscriber(world.engine, f"subscriber-{number}", program, feeds)
            for number, program in enumerate(programs, 1)
        }

    def __enter__(self):
        for one in self.all.values():
            one.start()
        return self

    def __exit__(self, *_):
        for one in self.all.values():
            one.kill()

    def restart(self, number):
        """kill -9 of one, which then goes on from its last number."""
        one = self.all[f"subscriber-{number}"]
        one.kill()
        one.start()

    def logs(self):
        return {name: one.events for name, one in self.all.items()}

    def wait_for_more(self, seconds):
        """Until one of them has another event; how long that took."""
        start, before = time.monotonic(), self.newest()
        wait_until(lambda: self.newest() > before, seconds, "another event")
        return time.monotonic() - start

    def newest(self):
        return max(one.last() for one in self.all.values())

    def wait(self, seconds):
        """Until each has all that the engine did."""

        def is_all_seen():
            ((left, last),) = self.world.engine.query("SELECT (SELECT count(*) FROM outbox), (SELECT last FROM feed_state)")
            return left == 0 and all(one.last() == last for one in self.all.values())

        wait_until(is_all_seen, seconds, "the subscribers to have seen all")
