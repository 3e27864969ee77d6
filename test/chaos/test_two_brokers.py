"""Two brokers under load of Python and C clients: one is killed, stopped, cut off, drained; clients go on through the
other, nothing is lost, nothing is doubled."""

import signal
import time

import pytest

from load import PASSING, c_clients_can_run
from stream_proxy import StreamProxy
from world import IS_LONG, World

LANGUAGES = ["python", "c"] if c_clients_can_run() else ["python"]
NOTICED_S = 3.0  # bound on the longest wait of a request; docs/reliability.md has what is measured


@pytest.fixture(scope="module")
def pair():
    world = World.begin(brokers=2)
    yield world
    world.end()


def stats(world):
    """What each broker says of itself."""
    found = []
    for endpoint in world.engine.endpoints:
        client = world.engine.client(endpoint=endpoint)
        found.append(client.call("admin.stats"))
        client.close()
    return found


def received(world):
    return [one["counters"]["received"] for one in stats(world)]


def no_one_waited_long(case, load):
    """No request took long, with all its attempts, and none was given up (sent again, an answer may well be a refusal of which
    it is not known whether it is about the first time)."""
    answered = [entry for entry in load.entries if entry.done]
    slowest = max(answered, key=lambda entry: entry.done - entry.sent)
    assert slowest.done - slowest.sent < NOTICED_S, f"{case}: {slowest.operation} took {slowest.done - slowest.sent:.2f} s"
    given_up = [entry.outcome for entry in load.entries if entry.outcome is None or entry.code in PASSING]
    assert not given_up, f"{case}: {len(given_up)} given up, as {given_up[0]}"


def test_clients_spread_and_brokers_share_the_workers(pair, seed):
    with pair.load(seed, languages=LANGUAGES) as load:
        pair.wait_for_answers(load, 300)
        found = stats(pair)
    for one in found:
        assert sorted(worker["name"] for worker in one["workers"]) == ["worker-1", "worker-2"]
        assert one["counters"]["received"] > 50, [each["counters"]["received"] for each in found]
        assert all(worker["answered"] > 0 for worker in one["workers"])
    pair.judge()


def test_one_is_killed_then_the_other(pair, seed):
    with pair.load(seed, languages=LANGUAGES) as load:
        for name in ("broker", "broker-2"):
            old = pair.engine.kill_process(name)
            pair.wait_for_answers(load)
            pair.engine.wait_for_new(name, old)
            pair.wait_for_answers(load)
    pair.report("one of two brokers, kill -9, then the other", load)
    no_one_waited_long("killed", load)
    pair.judge()


def test_one_stops_for_a_while(pair, seed):
    """What it had waiting, it hands to workers when it goes on: all of that was done through the other meanwhile."""
    with pair.load(seed, languages=LANGUAGES) as load:
        before = received(pair)
        pair.engine.pause("broker")
        time.sleep(2)
        pair.engine.resume("broker")
        pair.wait_for_answers(load)
        assert received(pair)[1] > before[1] + 50
    pair.report("one of two brokers, SIGSTOP for 2 s", load)
    no_one_waited_long("stopped", load)
    pair.judge()


def test_one_is_cut_off_from_its_clients(pair, seed):
    """Packets are dropped and no connection breaks. Then packets pass again, and late answers find nobody."""
    with StreamProxy(pair.engine.endpoints[0]) as line:
        endpoints = f"{line.endpoint},{pair.engine.endpoints[1]}"
        with pair.load(seed, endpoint=endpoints, languages=LANGUAGES) as load:
            line.freeze()
            time.sleep(2)
            pair.wait_for_answers(load)
            line.thaw()
            pair.wait_for_answers(load)
    pair.report("one of two brokers, its clients' packets dropped", load)
    no_one_waited_long("cut off", load)
    pair.judge()


def test_one_after_the_other_is_restarted_as_an_upgrade_does(pair, seed):
    with pair.load(seed, languages=LANGUAGES) as load:
        for name in ("broker", "broker-2", "broker"):
            old = pair.engine.signal(name, signal.SIGTERM)
            pair.engine.wait_for_new(name, old)
            pair.wait_for_answers(load, 150)
    pair.report("two brokers drained and started again in turns", load)
    no_one_waited_long("drained", load)
    pair.judge()


@pytest.mark.skipif(not IS_LONG, reason="in the long form only (LOYALTY_CHAOS=long)")
def test_both_are_killed_at_once(pair, seed):
    with pair.load(seed, languages=LANGUAGES) as load:
        old = {name: pair.engine.kill_process(name) for name in ("broker", "broker-2")}
        for name, pid in old.items():
            pair.engine.wait_for_new(name, pid)
        pair.wait_for_answers(load, 150)
    pair.report("both brokers, kill -9 at once", load)
    pair.judge()
