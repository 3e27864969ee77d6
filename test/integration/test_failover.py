"""PostgreSQL fails over to a standby, or its standby goes away: what was answered `ok` is not lost, what is not sure is not `ok`."""

import itertools
import os
import threading
import time

import pytest

from harness import Engine, wait_until
from postgres import Servers
from raw_client import RawClient, error_of, result_of
from shop import loyalty_program, order

SECONDS_MAX = 60  # an upper bound for what takes a moment, on a busy machine

_ids = itertools.count(1)

long = pytest.mark.skipif(not os.environ.get("LOYALTY_LONG"), reason="LOYALTY_LONG=1: some of its seconds are waiting")


@pytest.fixture
def servers():
    with Servers() as servers:
        yield servers


@pytest.fixture
def pair(servers):
    """A primary, a standby that has every commit before it is answered, and an engine that knows both."""
    primary = servers.primary()
    standby = servers.standby(primary)
    with Engine("--database", servers.url()) as engine:
        engine.call("program.put", loyalty_program())
        primary.configure(synchronous_standby_names="*")
        primary.reload()
        wait_until(
            lambda: primary.query("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'", database="postgres"), SECONDS_MAX, "the standby to count"
        )
        engine.call("order.process", order(1))
        yield engine, primary, standby


class Tills:
    """Threads that send orders, each again until it is answered `ok`, and note what they were told."""

    def __init__(self, engine, count=4):
        self.engine = engine
        self.answered = {}
        self.failed = []
        self.last = time.monotonic()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(count)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def run(self, number):
        from loyalty_client import Client

        with Client(self.engine.endpoint, **self.engine.client_options()) as client:
            while not self.stopping.is_set():
                body = order(100 + number, order_id=f"T{number}-{next(_ids)}")
                try:
                    result = client.call("order.process", body, timeout=SECONDS_MAX)
                except Exception as error:
                    self.failed.append((body["order_id"], error))
                    return
                self.answered[body["order_id"]] = result["amount_total"]
                self.last = time.monotonic()

    def wait_for_more(self, count=20):
        """Until so many more orders were answered."""
        seen = len(self.answered)
        wait_until(lambda: self.failed or len(self.answered) >= seen + count, SECONDS_MAX, "more orders to be answered")
        assert not self.failed, self.failed


def stored(server):
    """The orders that a server has."""
    return {key for (key,) in server.query("SELECT key FROM request_keys WHERE scope = 1 AND order_ref > 0")}


def figures(engine):
    """What those workers say of their database that have asked it for something."""
    workers = [worker.get("stats") or {} for worker in engine.call("admin.stats")["workers"]]
    return [stats for stats in workers if stats.get("server")]


def test_orders_go_on_at_the_promoted_standby_and_none_that_was_answered_is_lost(pair):
    engine, primary, standby = pair
    with Tills(engine) as tills:
        tills.wait_for_more()
        primary.kill()
        standby.configure(synchronous_standby_names="")
        standby.promote()
        tills.wait_for_more()
        # The old primary comes back as it was, and admits writing: it has nothing to say any more.
        before = primary.start() and stored(primary)
        tills.wait_for_more()
        # Nor to a worker that starts now, and meets it first.
        killed = {name: engine.kill_process(name) for name in ("worker-1", "worker-2")}
        for name, pid in killed.items():
            engine.wait_for_new(name, pid)
        server = f"{standby.folder}:5432"
        wait_until(
            lambda: {(one["server"], one["timeline"]) for one in figures(engine)} == {(server, 2)},
            SECONDS_MAX, "all workers to find the new primary",
        )
        tills.wait_for_more()
    assert set(tills.answered) <= stored(standby)
    assert stored(primary) == before
    assert len(stored(standby)) > len(before)
    assert engine.call("admin.health")["database"] == {"server": server, "in_recovery": False, "timeline": 2}
    # The feed has moved too, and told of everything.
    wait_until(lambda: standby.query("SELECT count(*) FROM outbox") == [(0,)], SECONDS_MAX, "the feed to go on")
    (told,) = standby.query("SELECT count(*) FROM feed WHERE order_ref > 0")
    assert told == (len(stored(standby)),)
    points = standby.query("SELECT sum(points)::text FROM loyalty_cards")[0][0]
    assert float(points) == 100 * 10 * len(stored(standby))
    engine.assert_ledger_holds()


@long
def test_a_primary_that_hangs_is_left_for_the_promoted_standby(pair):
    engine, primary, standby = pair
    with Tills(engine, 2) as tills:
        tills.wait_for_more()
        primary.pause()
        standby.promote()
        tills.wait_for_more()
        primary.resume()
        moved = f"{standby.folder}:5432"
        wait_until(lambda: moved in {one["server"] for one in figures(engine)}, SECONDS_MAX, "the workers to find the new primary")
        tills.wait_for_more()
    assert set(tills.answered) <= stored(standby)
    engine.assert_ledger_holds()


def test_a_server_that_admits_no_writing_any_more_is_left(servers):
    primary = servers.primary()
    standby = servers.standby(primary)
    with Engine("--database", servers.url()) as engine, RawClient(engine.endpoint) as till:
        result_of(till.call("order.process", order(1)))
        primary.configure(default_transaction_read_only="on")  # fenced off: open sessions find it in their next transaction
        primary.reload()
        error = wait_until(lambda: refused(till), SECONDS_MAX, "the server to refuse writing")
        assert error["code"] == "unavailable" and error["retryable"], error
        before = stored(primary)
        assert error_of(till.call("order.process", order(1)))["code"] == "unavailable"
        standby.promote()
        body = order(1)
        wait_until(lambda: till.call("order.process", body)["ok"], SECONDS_MAX, "the promoted standby to be found")
        assert stored(primary) == before and body["order_id"] in stored(standby)


def refused(till):
    reply = till.call("order.process", order(1))
    return None if reply["ok"] else error_of(reply)


# With the synchronous standby gone


def waiting(primary):
    """Sessions of workers whose COMMIT waits for the standby."""
    return [pid for (pid,) in primary.query("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name LIKE 'loyalty-worker%%'", database="postgres")]


def send_and_wait(engine, primary, till, body):
    """Sends an order whose COMMIT will not be confirmed: the request's id and the session that waits."""
    request = till.send("order.process", body, ttl_ms=4000)
    return request, wait_until(lambda: waiting(primary), SECONDS_MAX, "COMMIT to wait for the standby")[0]


def test_commit_that_waits_for_a_standby_in_vain_is_answered_unavailable_and_done_once(pair):
    engine, primary, standby = pair
    standby.kill()
    with RawClient(engine.endpoint) as till:
        body = order(7)
        request, _ = send_and_wait(engine, primary, till, body)
        begun = time.monotonic()
        error = error_of(till.answer(request))
        assert error["code"] == "unavailable" and error["retryable"], error
        assert time.monotonic() - begun < SECONDS_MAX
        # Whoever comes now is told so at once, or nearly: sessions that wait for nothing are not heaped up.
        for _ in range(4):
            assert error_of(till.call("order.process", order(8), ttl_ms=4000))["code"] in ("unavailable", "busy")
        assert len(waiting(primary)) <= 2  # one for each worker
        wait_until(lambda: sum(one["in_doubt"] for one in figures(engine)) >= 1, SECONDS_MAX, "the workers to tell of it")
        standby.start()
        reply = wait_until(lambda: (lambda one: one if one["ok"] else None)(till.call("order.process", body)), SECONDS_MAX, "commits to go on")
        assert result_of(reply)["amount_total"] == "10.00"
        assert primary.query("SELECT points FROM loyalty_cards WHERE partner_id = 7") == [(1000,)]
        wait_until(lambda: body["order_id"] in stored(standby), SECONDS_MAX, "the standby to have it")
    engine.assert_ledger_holds()


@pytest.mark.parametrize("end", ["pg_cancel_backend", pytest.param("pg_terminate_backend", marks=long)])
def test_a_wait_for_the_standby_that_is_cut_short_is_in_doubt_and_never_ok(pair, end):
    engine, primary, standby = pair
    standby.kill()
    with RawClient(engine.endpoint) as till:
        body = order(7, order_id=f"cut-{end}")
        request, session = send_and_wait(engine, primary, till, body)
        assert primary.query(f"SELECT {end}(%s)", (session,), "postgres") == [(True,)]
        assert error_of(till.answer(request))["code"] == "unavailable"
        wait_until(lambda: body["order_id"] in stored(primary), SECONDS_MAX, "the commit to be seen here")
        # Committed here, and by its key it would be answered from what is stored: but the standby does not have it.
        error = error_of(till.call("order.process", body, ttl_ms=4000))
        assert error["code"] in ("unavailable", "busy"), error
        standby.start()
        reply = wait_until(lambda: (lambda one: one if one["ok"] else None)(till.call("order.process", body)), SECONDS_MAX, "commits to go on")
        assert result_of(reply)["replayed"] is True
        # Now it is sure: it is there when the primary is not.
        primary.kill()
        standby.promote()
        assert body["order_id"] in stored(standby)
        standby.configure(synchronous_standby_names="")
        standby.reload()
        replayed = wait_until(lambda: (lambda one: one if one["ok"] else None)(till.call("order.process", body)), SECONDS_MAX, "the new primary")
        assert result_of(replayed)["replayed"] is True
    assert standby.query("SELECT points FROM loyalty_cards WHERE partner_id = 7") == [(1000,)]
    engine.assert_ledger_holds()


@long
def test_what_is_stored_is_told_again_only_when_the_standby_has_it(pair):
    """A replay for nobody's card takes no lock and writes nothing: by itself it would wait for no standby."""
    engine, primary, standby = pair
    standby.kill()
    with RawClient(engine.endpoint) as till:
        body = order()
        request, session = send_and_wait(engine, primary, till, body)
        primary.query("SELECT pg_cancel_backend(%s)", (session,), "postgres")
        assert error_of(till.answer(request))["code"] == "unavailable"
        # A new worker knows of no doubt.
        for name in ("worker-1", "worker-2"):
            engine.wait_for_new(name, engine.kill_process(name))
        wait_until(lambda: body["order_id"] in stored(primary), SECONDS_MAX, "the commit to be seen here")
        assert error_of(till.call("order.process", body, ttl_ms=4000))["code"] in ("unavailable", "busy", "worker_lost")
        standby.start()
        reply = wait_until(lambda: (lambda one: one if one["ok"] else None)(till.call("order.process", body)), SECONDS_MAX, "commits to go on")
        assert result_of(reply)["replayed"] is True


# Connections


def test_too_many_connections_is_unavailable_and_passes(servers):
    primary = servers.primary(max_connections="12", superuser_reserved_connections="3")
    with Engine("--database", primary.url()) as engine, RawClient(engine.endpoint) as till:
        result_of(till.call("order.process", order(1)))
        primary.query("CREATE ROLE guest LOGIN", database="postgres")
        primary.query("CREATE ROLE program LOGIN IN ROLE loyalty_worker", database="postgres")
        guests = []
        try:
            wait_until(lambda: fill(primary, guests), SECONDS_MAX, "the connections to be used up")
            # Those of the engine end, and it gets no others: the owner may use those that are reserved, so they go too.
            owners = [primary.connect("postgres") for _ in range(2)]
            guests += owners
            owners[0].cursor().execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'loyalty-%'")
            wait_until(lambda: fill(primary, guests, "owner"), SECONDS_MAX, "the reserved connections to be used up")
            error = wait_until(lambda: refused(till), SECONDS_MAX, "a refusal")
            assert error["code"] == "unavailable" and error["retryable"], error
        finally:
            for guest in guests:
                guest.close()
        wait_until(lambda: till.call("order.process", order(1))["ok"], SECONDS_MAX, "the engine to connect again")
        engine.assert_ledger_holds()


def fill(server, guests, user="guest"):
    """Takes connections until there is none left."""
    import psycopg2

    try:
        while True:
            guests.append(server.connect("postgres", user))
    except psycopg2.OperationalError as error:
        assert "too many" in str(error) or "remaining connection slots" in str(error), error
        return True
