"""Faults of all kinds at random, one upon the other, by a schedule that LOYALTY_SEED repeats. Short by default;
LOYALTY_CHAOS=long goes on for minutes."""

import contextlib
import shutil

import pytest

from faults import SlowDisk
from harness import temporary_folder
from monkey import EVERYTHING, Monkey
from stream_proxy import StreamProxy
from subscribers import Subscribers
from world import IS_LONG, World

ROUNDS = 24 if IS_LONG else 1
ROUND_S = 25 if IS_LONG else 8
BETWEEN_S = (0.1, 2.5)
SEEN_S = 60


class Battered:
    """A world with two brokers and two feeds, subscribers, a slow disk, and a network before the first broker and the first
    feed."""

    def __init__(self, stack):
        folder = temporary_folder()
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        self.slow_disk = SlowDisk(folder)
        self.world = World.begin(feeds=2, brokers=2, prepare=self.slow_disk.apply)
        stack.callback(self.world.engine.destroy)
        engine = self.world.engine
        first, *others = engine.endpoints
        before_broker = stack.enter_context(StreamProxy(first))
        before_feed = stack.enter_context(StreamProxy(engine.feed_endpoints[0]))
        self.proxies = (before_broker, before_feed)
        self.endpoint = ",".join([before_broker.endpoint, *others])
        self.subscribers = stack.enter_context(Subscribers(self.world, feeds=[before_feed.endpoint, *engine.feed_endpoints[1:]]))


@pytest.fixture(scope="module")
def battered():
    with contextlib.ExitStack() as stack:
        place = Battered(stack)
        yield place
        place.world.engine.stop()


@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_at_random(battered, seed, round_number):
    world = battered.world
    seed += round_number
    with world.load(seed, endpoint=battered.endpoint) as load:
        monkey = Monkey(world, seed, EVERYTHING, battered.subscribers, battered.proxies, battered.slow_disk)
        monkey.run(ROUND_S, BETWEEN_S)
        world.wait_for_answers(load, 200, seconds=60)
    world.report(f"{sum(monkey.counts.values())} faults at random, seed {seed}", load)
    world.judge()
    world.judge_feed(battered.subscribers, SEEN_S)
