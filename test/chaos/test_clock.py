"""A clock that is set forward and back while orders come in: no point is lost or given twice."""

import shutil
import time

import pytest

from faults import Clock
from harness import temporary_folder
from world import World

HOUR_S = 3600


@pytest.fixture
def clock():
    folder = temporary_folder()
    yield Clock(folder)
    shutil.rmtree(folder, ignore_errors=True)


def test_the_clock_jumps(seed, clock):
    world = World.begin(prepare=clock.apply)
    try:
        with world.load(seed) as load:
            for offset_s in (2 * HOUR_S, 90 * 60, -300, -25 * HOUR_S, 40 * 24 * HOUR_S):
                clock.set(offset_s)
                time.sleep(0.2)
                world.wait_for_answers(load, 40)
                (told,) = world.engine.query("SELECT extract(epoch FROM clock_timestamp())")[0]
                assert abs(float(told) - time.time() - offset_s) < 30, "the clock was not set"
        world.report("clock set forward and back by minutes to days", load)
        world.judge()
        world.engine.stop()
    finally:
        world.engine.destroy()
