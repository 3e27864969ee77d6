"""Each process killed under load: clients wait a little, nothing is lost, nothing is doubled."""

import signal
import time


def test_a_worker_is_killed(world, seed):
    with world.load(seed) as load:
        for number in (1, 2, 1):
            world.fault()
            old = world.engine.kill_worker(number)
            world.wait_for_answers(load)
            world.engine.wait_for_new(f"worker-{number}", old)
            time.sleep(0.3)
    world.report("worker, kill -9 (3 times)", load)
    world.judge()


def test_the_broker_is_killed(world, seed):
    with world.load(seed) as load:
        world.fault()
        old = world.engine.kill_process("broker")
        world.engine.wait_for_new("broker", old)
        world.wait_for_answers(load)
    world.report("broker, kill -9", load)
    world.judge()


def test_postgresql_is_killed(world, seed):
    with world.load(seed) as load:
        world.fault()
        old = world.engine.kill_process("postgresql")
        world.engine.wait_for_new("postgresql", old)
        world.wait_for_answers(load)
    world.report("PostgreSQL, kill -9 of its first process", load)
    world.judge()
