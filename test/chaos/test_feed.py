"""The feed under faults: three subscribers end with the same sequence, without a gap, and with all that is in the ledger."""

import contextlib
import signal
import time

import psycopg2
import pytest

from faults import kill_cluster
from harness import wait_until
from stream_proxy import StreamProxy
from subscribers import Subscribers
from world import IS_LONG, World, report

PAUSE_S = 30 if IS_LONG else 3
SEEN_S = 60
TAKEN_OVER_S = 2  # of a leader that is gone or stopped: what is promised


class Followed:
    """A world with two feeds, and three subscribers; the first feed's is behind a network that can fail."""

    def __init__(self, stack):
        self.world = World.begin(feeds=2, brokers=2)
        stack.callback(self.world.end)
        engine = self.world.engine
        first, second = engine.feed_endpoints
        self.network = stack.enter_context(StreamProxy(first))
        self.subscribers = stack.enter_context(Subscribers(self.world, feeds=[self.network.endpoint, second]))

    @contextlib.contextmanager
    def load(self, seed, case):
        with self.world.load(seed) as load:
            yield load
        self.world.report(case, load)
        self.world.judge()
        self.world.judge_feed(self.subscribers, SEEN_S)

    def leader(self):
        """Its name and epoch."""
        with contextlib.suppress(psycopg2.Error):
            leader, epoch = self.world.engine.query("SELECT leader, epoch FROM feed_leader")[0]
            return leader.split()[0], epoch
        return None, 0


@pytest.fixture(scope="module")
def followed():
    with contextlib.ExitStack() as stack:
        yield Followed(stack)


def leader_changes(followed, epoch, seconds=20):
    start = time.monotonic()
    wait_until(lambda: followed.leader()[1] > epoch, seconds, "another leader")
    return time.monotonic() - start


def test_the_leader_is_killed(followed, seed):
    engine = followed.world.engine
    slowest = 0
    with followed.load(seed, "feed leader, kill -9 (3 times)") as load:
        for _ in range(3):
            name, epoch = followed.leader()
            old = engine.kill_process(name)
            leader_changes(followed, epoch)
            slowest = max(slowest, followed.subscribers.wait_for_more(SEEN_S))
            engine.wait_for_new(name, old)
            followed.world.wait_for_answers(load, 20)
    report("feed leader, kill -9", f"events {slowest:.2f} s after another leads, at most")


def test_the_leader_stops_for_a_while(followed, seed):
    """Another leads meanwhile; woken up, it does no harm."""
    engine = followed.world.engine
    with followed.load(seed, f"feed leader, SIGSTOP for {PAUSE_S} s") as load:
        name, epoch = followed.leader()
        engine.pause(name)
        took = leader_changes(followed, epoch)
        followed.subscribers.wait_for_more(SEEN_S)
        time.sleep(max(0.0, PAUSE_S - took))
        engine.resume(name)
        followed.world.wait_for_answers(load)
    report("feed leader, SIGSTOP", f"another leads after {took:.2f} s")


def test_a_subscriber_is_killed(followed, seed):
    """Each goes on from the last number that it wrote down."""
    with followed.load(seed, "each subscriber, kill -9 (twice)") as load:
        for number in (1, 2, 3, 1, 2, 3):
            followed.subscribers.restart(number)
            followed.world.wait_for_answers(load, 20)


def test_a_subscriber_stops_for_a_while(followed, seed):
    """What it missed meanwhile it reads; the others do not wait for it."""
    stopped = followed.subscribers.all["subscriber-1"].process
    with followed.load(seed, "subscriber, SIGSTOP") as load:
        stopped.send_signal(signal.SIGSTOP)
        followed.subscribers.wait_for_more(SEEN_S)
        followed.world.wait_for_answers(load, 200)
        stopped.send_signal(signal.SIGCONT)


def test_the_network_to_a_feed_fails(followed, seed):
    """Cut, silent, refusing: subscribers hear the other feed, or read."""
    network = followed.network
    with followed.load(seed, "network between feed and subscribers: cut, refused, silent") as load:
        network.cut()
        followed.world.wait_for_answers(load, 50)
        network.refuse()
        followed.subscribers.wait_for_more(SEEN_S)
        network.accept()
        network.freeze()
        followed.world.wait_for_answers(load, 100)
        time.sleep(PAUSE_S)
        followed.subscribers.wait_for_more(SEEN_S)
        network.thaw()


def test_postgresql_is_killed(followed, seed):
    engine = followed.world.engine
    with followed.load(seed, "PostgreSQL, kill -9, with subscribers") as load:
        old = kill_cluster(engine)
        engine.wait_for_new("postgresql", old)
        followed.world.wait_for_answers(load)
        report("feed, PostgreSQL's kill -9", f"events {followed.subscribers.wait_for_more(SEEN_S):.2f} s after it serves again")


def test_everything_is_killed(followed, seed):
    with followed.load(seed, "`loyalty up`, kill -9, with subscribers") as load:
        followed.world.keep_endpoint()
        followed.world.engine.kill()
        followed.world.engine.start()
        followed.world.wait_for_answers(load)
