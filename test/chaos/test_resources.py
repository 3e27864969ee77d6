"""What an engine needs runs out: memory, connections, the speed of the disk. It says so, and goes on when it is there again."""

import concurrent.futures
import contextlib
import shutil
import time

import psycopg2
import pytest

from client_process import outcome_of
from faults import Memory, SlowDisk
from harness import process_exists, temporary_folder, wait_until
from load import Entry
from operations import earn, earn_much
from raw_client import RawClient
from world import IS_LONG, SERVES_AGAIN_S, World, report

LINES, BIG_ORDERS = 900, 24  # so many at once need far more than a worker at rest has
NO_MEMORY_S = 2
DELAYS_MS = (0, 30, 1000) if IS_LONG else (0, 30, 300)


def send_big_orders(world, name):
    """Orders of many lines, all at once, each sent once; returns the codes they were answered (None: ok)."""
    operations = [earn_much(f"{name}-{number}", 5000 + number, LINES) for number in range(BIG_ORDERS)]
    entries = [Entry(operation, time.monotonic()) for operation in operations]
    world.done += entries  # whatever becomes of them, the verdict knows
    with RawClient(world.engine.endpoint) as client:
        asked = [client.send(operation.method, operation.body, ttl_ms=3000) for operation in operations]
        for entry, request in zip(entries, asked):
            message = client.answer(request, 15)
            entry.done = time.monotonic()
            if message["ok"]:
                entry.outcome = {"ok": True, "result": message["result"]}
            else:
                error = message["error"]
                entry.outcome = {"ok": False, "code": error["code"], "message": error["message"], "unknown": True}
    return [entry.code for entry in entries]


def test_a_worker_has_no_memory(world, seed):
    for name in ("worker-1", "worker-2"):  # what one was given before it keeps, and could use
        world.engine.wait_for_new(name, world.engine.kill_process(name))
    with world.load(seed) as load:
        pids = {name: pid for name, pid in world.engine.processes().items() if name.startswith("worker-")}
        memories = [Memory(pid) for pid in pids.values()]
        for memory in memories:
            memory.bound()
        codes, end = [], time.monotonic() + NO_MEMORY_S
        while time.monotonic() < end:
            codes += send_big_orders(world, f"memory-{seed}-{len(codes)}")
        died = [name for name, pid in pids.items() if not process_exists(pid)]
        for memory in memories:
            memory.free()
        world.wait_for_answers(load)
    refused = {code: codes.count(code) for code in set(codes) if code is not None}
    assert refused, "the bound was too wide to be noticed"
    report("workers without memory", f"{len(codes)} big orders: {refused}; {len(died)} of {len(pids)} workers started again")
    world.report(f"workers without memory for {NO_MEMORY_S} s", load)
    world.judge()


def test_the_broker_has_no_memory(world, seed):
    """libzmq ends a process that gets none: it is started again, and clients send again."""
    operations = [earn_much(f"broker-{seed}-{number}", 6000 + number, LINES) for number in range(BIG_ORDERS)]
    entries = [Entry(operation, time.monotonic()) for operation in operations]
    client = world.engine.client()

    def send(entry):
        entry.outcome = outcome_of(client, entry.operation, 20)
        entry.done = time.monotonic()

    with world.load(seed) as load:
        old = world.engine.processes()["broker"]
        memory = Memory(old)
        memory.bound()
        world.done += entries
        with concurrent.futures.ThreadPoolExecutor(len(entries)) as pool:
            list(pool.map(send, entries))
        died = not process_exists(old)
        memory.free()
        world.wait_for_answers(load)
    codes = [entry.code for entry in entries]
    slowest = max(entry.done - entry.sent for entry in entries)
    report("broker without memory", f"{'started again' if died else 'went on'}; {codes.count(None)} of {len(codes)} big orders done, "
           f"the slowest in {slowest:.2f} s")  # fmt: skip
    world.report("broker without memory", load)
    world.judge()


WORKERS = "FROM pg_stat_activity WHERE application_name LIKE 'loyalty-worker%'"


def take_connections(world, taken):
    """Opens sessions until PostgreSQL refuses one."""
    with contextlib.suppress(psycopg2.OperationalError):
        while True:
            taken.append(world.engine.db())


def take_all_connections(world, taken):
    """Every session that PostgreSQL allows, those of the workers too, which come back for them at once."""
    take_connections(world, taken)
    taken[0].autocommit = True
    cursor = taken[0].cursor()

    def have_all():
        cursor.execute(f"SELECT pg_terminate_backend(pid) {WORKERS}")
        for _ in range(5):
            take_connections(world, taken)
        cursor.execute(f"SELECT count(*) {WORKERS}")
        return cursor.fetchone() == (0,)

    wait_until(have_all, SERVES_AGAIN_S, "all connections to be taken")


def test_no_connection_is_left(world, seed):
    """Somebody else has them all: `unavailable` at once, and back when there is one."""
    taken = []
    with world.load(seed) as load, RawClient(world.engine.endpoint) as client:
        try:
            take_all_connections(world, taken)
            asked = [world.ask(client, earn(f"connections-{seed}-{number}", 3)) for number in range(8)]
        finally:
            for connection in taken:
                connection.close()
        start = time.monotonic()
        wait_until(lambda: world.ask(client, earn(f"connections-{seed}", 3))[0] is None, SERVES_AGAIN_S, "an order")
        back = time.monotonic() - start
        world.wait_for_answers(load)
    slowest = max(seconds for _, seconds in asked)
    assert {code for code, _ in asked} == {"unavailable"} and slowest < 2.5, asked
    report("no connection left at PostgreSQL", f"`unavailable` after {slowest:.3f} s at most; serves {back:.2f} s after there is one")
    world.report("no connection left at PostgreSQL", load)
    world.judge()


@pytest.fixture
def slow_disk():
    folder = temporary_folder()
    yield SlowDisk(folder)
    shutil.rmtree(folder, ignore_errors=True)


def test_a_slow_disk(seed, slow_disk):
    """Every commit waits for it, and with it every order; they are as many in one commit as came meanwhile."""
    world = World.begin(prepare=slow_disk.apply)
    try:
        with world.load(seed, pause=0) as load:
            took = {}
            for delay_ms in DELAYS_MS:
                slow_disk.set(delay_ms)
                world.wait_for_answers(load, 12)
                start = time.monotonic()
                world.wait_for_answers(load, 12)
                took[delay_ms] = time.monotonic() - start
            slow_disk.set(0)
            world.wait_for_answers(load)
        assert took[DELAYS_MS[-1]] > DELAYS_MS[-1] / 1000 > took[0], f"the disk was not slow: {took}"
        told = ", ".join(f"{delay_ms} ms: {seconds:.2f} s" for delay_ms, seconds in took.items())
        report("disk with slow syncs", f"12 answers to 12 clients, by the delay of a sync: {told}")
        world.report(f"disk with syncs of up to {DELAYS_MS[-1]} ms", load)
        world.judge()
        world.engine.stop()
    finally:
        world.engine.destroy()
