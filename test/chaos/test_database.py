"""A database that is gone, or silent: the answer is `unavailable` at once, and all is well when it comes back."""

import time

from harness import wait_until
from operations import earn
from pg_proxy import PgProxy
from raw_client import RawClient
from world import SERVES_AGAIN_S, report

DEADLINE_S = 5
AT_ONCE_S = DEADLINE_S / 2  # a bound for busy machines; the figures are in docs/reliability.md


def read(client):
    """A request that changes nothing, not sent again: its error code (None: ok), and the seconds it took."""
    start = time.monotonic()
    reply = client.answer(client.send("card.get", {"partner_id": 1}, ttl_ms=DEADLINE_S * 1000), DEADLINE_S + 10)
    return None if reply["ok"] else reply["error"]["code"], time.monotonic() - start


def answers_while_away(world, name):
    """The codes and times of some requests, changing and reading."""
    with RawClient(world.engine.endpoint) as client:
        asked = [world.ask(client, earn(f"{name}-{number}"), DEADLINE_S) for number in range(6)]
        asked += [read(client) for _ in range(6)]
    print(asked)
    return asked


def test_a_database_that_refuses_connections(world, seed):
    with PgProxy(world.engine) as proxy, world.load(seed) as load:
        proxy.refuse()
        time.sleep(0.3)
        asked = answers_while_away(world, "refused")
        time.sleep(1)
        proxy.open()
        world.wait_for_answers(load)
    assert {code for code, _ in asked} == {"unavailable"}, asked
    slowest = max(seconds for _, seconds in asked)
    assert slowest < AT_ONCE_S, asked
    report("database refuses connections", f"`unavailable` after {slowest:.3f} s at most")
    world.report("database refuses connections for 1.3 s", load)
    world.judge()


def test_a_database_that_says_nothing(world):
    """As behind a network that drops everything: the first request has to wait for it, those that come then do not."""
    with PgProxy(world.engine) as proxy:
        proxy.freeze()
        asked = answers_while_away(world, "silent")
        proxy.thaw()
        with RawClient(world.engine.endpoint) as client:
            start = time.monotonic()
            wait_until(lambda: read(client)[0] != "unavailable", SERVES_AGAIN_S, "answers")
            back = time.monotonic() - start
    assert {code for code, _ in asked} == {"unavailable"} and max(seconds for _, seconds in asked) < DEADLINE_S, asked
    told = ", ".join(f"{seconds:.2f}" for _, seconds in asked)
    report("database silent", f"`unavailable` after {told} s; serves {back:.2f} s after it is back")
    world.judge()


def test_a_database_that_says_nothing_for_a_moment(world, seed):
    with PgProxy(world.engine) as proxy, world.load(seed) as load:
        proxy.freeze()
        time.sleep(2)
        proxy.thaw()
        world.wait_for_answers(load)
    world.report("database silent for 2 s", load)
    world.judge()


def test_sessions_are_ended_by_an_operator(world, seed):
    """pg_terminate_backend, as before a failover."""
    with world.load(seed) as load:
        for _ in range(5):
            world.engine.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'loyalty-worker%'"
            )
            world.wait_for_answers(load, 30)
    world.report("sessions ended by pg_terminate_backend (5 times)", load)
    world.judge()


def test_somebody_else_keeps_a_member_locked(world, seed):
    """As an operator's forgotten transaction. That member's orders wait, and end well; the others' go on."""
    with world.load(seed, members=2000) as load:
        with RawClient(world.engine.endpoint) as client:
            assert world.ask(client, earn("kept-0", 3))[0] is None
            other = world.engine.db()
            try:
                other.cursor().execute("SELECT FROM members WHERE partner_id = 3 FOR UPDATE")
                before, end = load.answered(), time.monotonic() + 5
                asked = [world.ask(client, earn("kept-1", 3)) for _ in iter(lambda: time.monotonic() < end, False)]
                meanwhile = load.answered() - before
            finally:
                other.close()
            wait_until(lambda: world.ask(client, earn("kept-1", 3))[0] is None, SERVES_AGAIN_S, "the member's order")
        world.wait_for_answers(load)
    assert {code for code, _ in asked} == {"busy"} and meanwhile > 0, (asked, meanwhile)
    report("a member's row locked by somebody else", f"`busy` after {asked[0][1]:.2f} s; {meanwhile} answers to others in 5 s")
    world.report("a member's row locked by somebody else for 5 s", load)
    world.judge()
