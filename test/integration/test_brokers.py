"""`loyalty up --brokers 2`: what it starts and leaves word of, and how commands and clients find their way."""

import json
import signal

import pytest

import curve
from harness import Engine, loyalty, wait_until
from raw_client import RawClient
from shop import order

CREDIT = 128  # of a worker, to each broker


@pytest.fixture(scope="module")
def pair():
    with Engine(brokers=2) as engine:
        yield engine


def stats(engine, broker):
    client = engine.client(endpoint=engine.endpoints[broker])
    return client.call("admin.stats")


def test_it_leaves_word_of_all_brokers(pair):
    up = pair.up()
    assert up["endpoints"] == pair.endpoints and len(set(pair.endpoints)) == 2
    assert up["endpoint"] == ",".join(pair.endpoints) and f"ready {up['endpoint']}" in pair.output
    assert len(set(up["worker_endpoints"])) == 2
    assert {"broker", "broker-2"} <= set(up["processes"])
    for broker in range(2):
        assert sorted(worker["name"] for worker in stats(pair, broker)["workers"]) == ["worker-1", "worker-2"]


def test_commands_take_lists_of_endpoints(pair):
    key = curve.command_environment()
    up = {"LOYALTY_ENDPOINT": f"tcp://127.0.0.1:1,{pair.endpoints[1]}", **key}
    for _ in range(3):  # they begin with one at random
        done = loyalty("call", "admin.ping", env=up)
        assert done.returncode == 0 and json.loads(done.stdout) == {"draining": False}, done.stderr
    done = loyalty("call", "admin.health", "--endpoint", pair.endpoint, env=key)
    assert json.loads(done.stdout)["status"] == "ok"
    done = loyalty("call", "admin.ping", "--endpoint", "tcp://127.0.0.1:1,nowhere")
    assert done.returncode == 1 and "tcp://HOST:PORT" in done.stdout


def test_a_broker_that_is_drained_comes_back_at_its_port(pair):
    before = pair.endpoints
    old = pair.signal("broker-2", signal.SIGTERM)
    pair.wait_for_new("broker-2", old)
    client = pair.client(endpoint=before[1])
    assert client.call("admin.health", timeout=30)["status"] == "ok"
    assert pair.endpoints == before


def test_a_busy_broker_gets_all_of_the_workers_while_the_other_is_idle(pair):
    """Credit is granted to each for itself; what the workers hold of one does not take from the other."""
    workers = ("worker-1", "worker-2")
    with RawClient(pair.endpoints[0]) as busy, RawClient(pair.endpoints[1]) as late:
        for name in workers:
            pair.pause(name)
        try:
            sent = [busy.send("order.process", order()) for _ in range(3 * CREDIT)]
            queue = wait_until(lambda: full(pair, 0), 10, "the first broker's requests to be given out")
            assert queue["in_work"] == 2 * CREDIT and queue["waiting"] == CREDIT
            sent_late = [late.send("order.process", order()) for _ in range(10)]
            assert wait_until(lambda: stats(pair, 1)["queue"]["in_work"] == 10, 10, "the second one's too")
        finally:
            for name in workers:
                pair.resume(name)
        assert all(late.answer(request)["ok"] for request in sent_late)
        assert all(busy.answer(request)["ok"] for request in sent)


def full(engine, broker):
    queue = stats(engine, broker)["queue"]
    return queue if queue["in_work"] >= 2 * CREDIT else None


def test_the_next_start_takes_the_same_ports(folder):
    arguments = ("--listen", "tcp://127.0.0.1:*,tcp://127.0.0.1:*")
    with Engine(*arguments, brokers=2, data=folder / "data") as engine:
        before = engine.endpoints
        engine.stop()
        engine.arguments = [argument for argument in engine.arguments if argument not in arguments]
        engine.start()
        assert engine.endpoints == before


@pytest.mark.parametrize("listen, complaint", [
    ("tcp://127.0.0.1:*,tcp://127.0.0.1:*,tcp://127.0.0.1:*", "more endpoints than there are brokers"),
    ("x" * 300, "longer than 255"),
])  # fmt: skip
def test_listening_that_makes_no_sense(folder, listen, complaint):
    done = loyalty("up", "--data", folder, "--brokers", "2", "--listen", listen, timeout=60)
    assert done.returncode == 1 and complaint in done.stderr
