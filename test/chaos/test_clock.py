"""A clock that is set forward and back while orders come in: no point is lost or given twice, and every event is told."""

import shutil
import time

import pytest

from faults import Clock
from harness import temporary_folder
from subscribers import Subscribers
from world import SERVES_AGAIN_S, World, report

HOUR_S = 3600
JUMPS_S = (2 * HOUR_S, 90 * 60, -300, -25 * HOUR_S, 40 * 24 * HOUR_S)


@pytest.fixture
def clock():
    folder = temporary_folder()
    yield Clock(folder)
    shutil.rmtree(folder, ignore_errors=True)


def test_the_clock_jumps(seed, clock):
    world = World.begin(prepare=clock.apply)
    try:
        with Subscribers(world) as subscribers:
            with world.load(seed) as load:
                silent = [jump(world, clock, offset_s, load, subscribers) for offset_s in JUMPS_S]
            world.report("clock set forward and back by minutes to days", load)
            report("clock set forward and back by minutes to days", f"the next event after {max(silent):.2f} s at most")
            world.judge()
            world.judge_feed(subscribers)
        world.engine.stop()
    finally:
        world.engine.destroy()


def jump(world, clock, offset_s, load, subscribers):
    """Sets the clock, and waits until orders and events go on; the seconds without an event."""
    clock.set(offset_s)
    silent_s = subscribers.wait_for_more(SERVES_AGAIN_S)
    world.wait_for_answers(load, 40)
    (told,) = world.engine.query("SELECT extract(epoch FROM clock_timestamp())")[0]
    assert abs(float(told) - time.time() - offset_s) < 30, "the clock was not set"
    return silent_s
