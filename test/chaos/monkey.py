"""Faults at random, one upon the other, by a schedule that the seed repeats. The clock is left alone: under libfaketime a signal
at the wrong instant stops a process of PostgreSQL for good, and here there are many signals."""

import contextlib
import os
import random
import signal
import threading
import time

import psycopg2

from faults import Memory, children, kill_cluster, signal_cluster

PAUSE_S = (0.2, 5.0)  # of what is stopped, slow or silent
DATABASE_PAUSE_S_MAX = 3.0

# What the proof of the feed does: everything dies, again and again.
KILLS = ("kill_worker", "kill_worker", "kill_broker", "kill_feed_leader", "kill_feed_leader", "kill_subscriber",
         "kill_subscriber", "kill_postgresql")  # fmt: skip
PROCESSES = ("kill_worker", "kill_worker", "kill_worker", "pause_worker", "pause_worker", "kill_workers", "kill_broker",
             "pause_broker", "kill_feed_leader", "pause_feed_leader", "kill_subscriber", "kill_postgresql", "kill_backend",
             "pause_postgresql", "end_session", "end_session")  # fmt: skip
EVERYTHING = (*PROCESSES, "no_memory", "no_memory", "slow_disk", "slow_disk", "cut_network", "silent_network", "slow_network",
              "half_close_network")  # fmt: skip


class Monkey:
    """Does things to an engine, and undoes those that last. What a fault needs and the world does not have (feeds,
    subscribers, proxies, a slow disk) keeps it from being chosen."""

    def __init__(self, world, seed, faults=PROCESSES, subscribers=None, proxies=(), slow_disk=None):
        self.world = world
        self.engine = world.engine
        self.subscribers = subscribers
        self.proxies = proxies
        self.slow_disk_of_it = slow_disk
        self.random = random.Random(f"monkey {seed}")
        self.resumes = []
        self.bounded = set()  # processes without memory at the moment
        self.start = time.monotonic()
        self.counts = {}
        needs = {"subscriber": subscribers, "network": proxies, "slow_disk": slow_disk, "feed": self.named("feed")}
        self.faults = [fault for fault in faults if all(thing for name, thing in needs.items() if name in fault)]

    def strike(self):
        """One fault; a process or a database that is not there at the moment is no reason to fail."""
        fault = self.random.choice(self.faults)
        seconds, place = self.random.uniform(*PAUSE_S), self.random.random()
        print(f"{time.monotonic() - self.start:7.2f} s  {fault} {seconds:.2f} {place:.3f}", flush=True)
        self.counts[fault] = self.counts.get(fault, 0) + 1
        with contextlib.suppress(ProcessLookupError, KeyError, FileNotFoundError, psycopg2.Error):
            getattr(self, fault)(seconds, place)

    def run(self, seconds, pause_s):
        """Strikes for so long, with pauses between two bounds; what lasts is over in the end."""
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                self.strike()
                time.sleep(self.random.uniform(*pause_s))
        finally:
            self.wait()

    def wait(self):
        for timer in self.resumes:
            timer.join()

    # What there is, and what is done to it

    def named(self, kind):
        """Names of the engine's processes of a kind."""
        return sorted(name for name in self.engine.processes() if name == kind or name.startswith(f"{kind}-"))

    def one_of(self, kind, place):
        names = self.named(kind)
        return names[int(place * len(names))]

    def leader(self, place):
        """The feed that leads; while nobody can be asked, any."""
        try:
            leader = f"feed-{self.engine.leading_feed()}"
        except (psycopg2.Error, IndexError):
            leader = None
        return leader if leader in self.named("feed") else self.one_of("feed", place)

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

    # The faults: each gets a time, and a number from 0 to 1 that chooses among what there is

    def kill_worker(self, _, place):
        self.kill(self.one_of("worker", place))

    def kill_workers(self, *_):
        for name in self.named("worker"):
            self.kill(name)

    def pause_worker(self, seconds, place):
        self.pause(self.one_of("worker", place), seconds)

    def kill_broker(self, _, place):
        self.kill(self.one_of("broker", place))

    def pause_broker(self, seconds, place):
        self.pause(self.one_of("broker", place), seconds)

    def kill_feed_leader(self, _, place):
        self.kill(self.leader(place))

    def pause_feed_leader(self, seconds, place):
        self.pause(self.leader(place), seconds)

    def kill_subscriber(self, _, place):
        self.subscribers.restart(1 + int(place * len(self.subscribers.all)))

    def kill_postgresql(self, *_):
        if self.engine.processes()["postgresql"]:
            kill_cluster(self.engine)

    def kill_backend(self, _, place):
        """One of the server's processes: it restarts all of them."""
        self.signal_backend(place, signal.SIGKILL)

    def end_session(self, _, place):
        """What an operator does with pg_terminate_backend."""
        self.signal_backend(place, signal.SIGTERM)

    def signal_backend(self, place, number):
        found = sorted(children(self.engine.processes()["postgresql"]))
        if found:
            os.kill(found[int(place * len(found))], number)

    def pause_postgresql(self, seconds, _):
        if self.engine.processes()["postgresql"]:
            signal_cluster(self.engine, signal.SIGSTOP)
            self.later(min(seconds, DATABASE_PAUSE_S_MAX), lambda: signal_cluster(self.engine, signal.SIGCONT))

    def no_memory(self, seconds, place):
        kinds = [*self.named("worker"), *self.named("broker"), *self.named("feed")]
        pid = self.engine.processes()[kinds[int(place * len(kinds))]]
        if pid and pid not in self.bounded:  # else its bound would be taken for what it had before
            self.bounded.add(pid)
            memory = Memory(pid)
            memory.bound()
            self.later(seconds, lambda: (memory.free(), self.bounded.discard(pid)))

    def slow_disk(self, seconds, place):
        self.slow_disk_of_it.set(int(1000 * place))
        self.later(seconds, lambda: self.slow_disk_of_it.set(0))

    def proxy(self, place):
        return self.proxies[int(place * len(self.proxies))]

    def cut_network(self, _, place):
        self.proxy(place).cut()

    def half_close_network(self, _, place):
        self.proxy(place).half_close()

    def silent_network(self, seconds, place):
        proxy = self.proxy(place)
        proxy.freeze()
        self.later(seconds, proxy.thaw)

    def slow_network(self, seconds, place):
        proxy = self.proxy(place)
        proxy.delay_s = place / 10
        self.later(seconds, lambda: setattr(proxy, "delay_s", 0.0))
