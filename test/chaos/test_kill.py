"""Each process killed or stopped under load: clients wait a little, nothing is lost, nothing is doubled."""

import signal
import time

from faults import kill_cluster, signal_cluster
from world import IS_LONG

PAUSE_S = 30 if IS_LONG else 3  # longer than any heartbeat; in the long form longer than any deadline


def test_workers_are_killed(world, seed):
    with world.load(seed) as load:
        for number in (1, 2, 1):
            old = world.engine.kill_worker(number)
            world.wait_for_answers(load)
            world.engine.wait_for_new(f"worker-{number}", old)
            world.wait_for_answers(load)
    world.report("worker, kill -9 (3 times)", load)
    world.judge()


def test_all_workers_are_killed_at_once(world, seed):
    with world.load(seed) as load:
        old = [world.engine.kill_worker(number) for number in (1, 2)]
        for number, pid in zip((1, 2), old):
            world.engine.wait_for_new(f"worker-{number}", pid)
        world.wait_for_answers(load)
    world.report("all workers, kill -9 at once", load)
    world.judge()


def test_a_worker_stops_for_a_while(world, seed):
    """As a machine that hangs. It goes on where it was, and does no harm."""
    with world.load(seed) as load:
        world.engine.pause("worker-1")
        time.sleep(PAUSE_S)
        world.wait_for_answers(load)
        world.engine.resume("worker-1")
        world.wait_for_answers(load)
    world.report(f"worker, SIGSTOP for {PAUSE_S} s", load)
    world.judge()


def test_the_broker_is_killed(world, seed):
    with world.load(seed) as load:
        old = world.engine.kill_process("broker")
        world.engine.wait_for_new("broker", old)
        world.wait_for_answers(load)
    world.report("broker, kill -9", load)
    world.judge()


def test_the_broker_stops_for_a_while(world, seed):
    with world.load(seed) as load:
        world.engine.pause("broker")
        time.sleep(PAUSE_S)
        world.engine.resume("broker")
        world.wait_for_answers(load)
    world.report(f"broker, SIGSTOP for {PAUSE_S} s", load)
    world.judge()


def test_postgresql_is_killed(world, seed):
    with world.load(seed) as load:
        old = kill_cluster(world.engine)
        world.engine.wait_for_new("postgresql", old)
        world.wait_for_answers(load)
    world.report("PostgreSQL, kill -9 of all its processes", load)
    world.judge()


def test_postgresql_stops_for_a_while(world, seed):
    with world.load(seed) as load:
        signal_cluster(world.engine, signal.SIGSTOP)
        time.sleep(PAUSE_S)
        signal_cluster(world.engine, signal.SIGCONT)
        world.wait_for_answers(load)
    world.report(f"PostgreSQL, SIGSTOP of all its processes for {PAUSE_S} s", load)
    world.judge()


def test_everything_is_killed(world, seed):
    """kill -9 of `loyalty up`, which takes all with it, as a power cut would; then it is started again."""
    with world.load(seed) as load:
        world.keep_endpoint()
        world.engine.kill()
        world.engine.start()
        world.wait_for_answers(load)
    world.report("`loyalty up`, kill -9, started again at once", load)
    world.judge()


def test_everything_is_stopped_in_order(world, seed):
    """SIGTERM: what is in hand is answered, and nothing that was answered is missing after the next start."""
    with world.load(seed) as load:
        world.keep_endpoint()
        start = time.monotonic()
        world.engine.stop()
        stopped = time.monotonic() - start
        world.engine.start()
        world.wait_for_answers(load)
    print(f"stopped in {stopped:.1f} s")
    world.report("`loyalty up`, SIGTERM, started again at once", load)
    world.judge()
