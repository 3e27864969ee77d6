"""The Python client's own: shorthands, threads, forks, event loops, closing. What it shares with the C client is in
test_clients.py."""

import asyncio
import decimal
import gc
import inspect
import multiprocessing
import os
import signal
import sys
import threading
import time

import pytest
from client_faces import HURRY
from fake_broker import FakeBroker, failure, ok

import loyalty_client
from loyalty_client import AsyncClient, Client


@pytest.fixture
def broker():
    with FakeBroker() as fake:
        yield fake


@pytest.fixture
def client(broker):
    with Client(broker.endpoint, **HURRY) as made:
        yield made


# Shorthands: what each sends.
SENT = [
    ("order_quote", ({"order_id": "A"},), {}, "order.quote", {"order_id": "A"}),
    ("order_process", ({"order_id": "A"},), {}, "order.process", {"order_id": "A"}),
    ("order_refund", ({"order_id": "A"},), {}, "order.refund", {"order_id": "A"}),
    ("order_cancel", ("A", "mistyped"), {}, "order.cancel", {"order_id": "A", "reason": "mistyped"}),
    ("order_cancel", ("A",), {}, "order.cancel", {"order_id": "A"}),
    ("order_get", ("A",), {}, "order.get", {"order_id": "A"}),
    ("card_create", (3,), {"code": "X", "points": 5}, "card.create", {"program_id": 3, "code": "X", "points": 5}),
    ("card_get", (9,), {}, "card.get", {"card_id": 9}),
    ("card_balance", (), {"partner_id": 4, "program_id": 3}, "card.balance", {"partner_id": 4, "program_id": 3}),
    ("card_history", (9,), {"limit": 2, "cursor": "c"}, "card.history", {"card_id": 9, "limit": 2, "cursor": "c"}),
    (
        "card_adjust",
        (decimal.Decimal("-2.50"), "broken jar"),
        {"card_id": 9},
        "card.adjust",
        {"points": "-2.50", "reason": "broken jar", "card_id": 9},
    ),
    ("program_put", ({"program_id": 1},), {}, "program.put", {"program_id": 1}),
    ("program_get", (1, 7), {}, "program.get", {"program_id": 1, "catalog_version": 7}),
    ("program_list", (), {"state": "draft"}, "program.list", {"state": "draft"}),
    ("program_delete", (1,), {}, "program.delete", {"program_id": 1}),
    ("reference_put", (), {"stores": [{"store_id": 1}]}, "reference.put", {"stores": [{"store_id": 1}]}),
    ("admin_health", (), {}, "admin.health", {}),
    ("admin_stats", (), {}, "admin.stats", {}),
    ("admin_ping", (), {}, "admin.ping", {}),
    ("admin_drain", ("worker-1",), {}, "admin.drain", {"worker": "worker-1"}),
    ("coupon_generate", (3, "A-########"), {"batch": "b"}, "coupon.generate",
     {"program_id": 3, "pattern": "A-########", "batch": "b"}),
    ("points_hold", (5,), {"card_id": 3}, "points.hold", {"card_id": 3, "points": 5}),
    ("points_capture", ("3-A",), {"points": 2}, "points.capture", {"hold_id": "3-A", "points": 2}),
    ("points_release", ("3-A",), {}, "points.release", {"hold_id": "3-A"}),
    ("coupon_list", ("b",), {"limit": 5}, "coupon.list", {"batch": "b", "limit": 5}),
    ("order_explain", ("O-1",), {}, "order.explain", {"order_id": "O-1"}),
    ("coupon_check", ("A-2",), {}, "coupon.check", {"code": "A-2"}),
    ("referral_create", (7, 23), {}, "referral.create", {"partner_id": 7, "program_id": 23}),
    ("card_block", ("lost",), {"card_id": 3}, "card.block", {"card_id": 3, "reason": "lost"}),
    ("card_unblock", ("found",), {"code": "X"}, "card.unblock", {"code": "X", "reason": "found"}),
    ("card_transfer", (1, "X", "new card"), {}, "card.transfer", {"from": 1, "to": "X", "reason": "new card"}),
    ("membership_get", (7,), {}, "membership.get", {"partner_id": 7}),
    ("membership_change", (7, 3, "gift"), {"until": "2030-01-01T00:00:00Z"}, "membership.change",
     {"partner_id": 7, "membership_product_id": 3, "reason": "gift", "to": "2030-01-01T00:00:00Z"}),
    ("membership_evaluate", (7,), {}, "membership.evaluate", {"partner_id": 7}),
    ("job_run", ("expire",), {"period": "2030-01-01"}, "job.run", {"job": "expire", "period": "2030-01-01"}),
    ("job_list", (), {}, "job.list", {}),
    ("job_stop", ("expire",), {}, "job.stop", {"job": "expire"}),
    ("events_read", (7,), {"topics": ["alert"]}, "events.read", {"after": 7, "topics": ["alert"]}),
    ("member_forget", (7,), {}, "member.forget", {"partner_id": 7}),
    ("member_merge", (7, 8, "twice"), {}, "member.merge", {"partner_id": 7, "into_partner_id": 8, "reason": "twice"}),
    ("card_transfer", (1, 2, "gift"), {"points": 5}, "card.transfer", {"from": 1, "to": 2, "reason": "gift", "points": 5}),
]


@pytest.mark.parametrize("name, arguments, fields, method, body", SENT, ids=[f"{row[0]}-{len(row[4])}" for row in SENT])
def test_shorthands(broker, client, name, arguments, fields, method, body):
    assert getattr(client, name)(*arguments, timeout=2, **fields)["echo"] == body
    assert broker.requests[0].method == method
    assert 0 < broker.requests[0].header["ttl_ms"] <= 2000


def test_there_is_a_shorthand_for_every_method():
    sent = {row[3] for row in SENT} | {"load.begin", "load.put", "load.commit"}
    assert sent == set(loyalty_client.METHODS)
    for name, _ in inspect.getmembers(loyalty_client._methods.Methods, inspect.isfunction):
        assert name.startswith("_") or name in {row[0] for row in SENT} | {"call", "load"}


def load_answer(request):
    if request.method == "load.begin":
        return ok(load_id=12)
    return ok(catalog_version=3) if request.method == "load.commit" else ok()


def check_load(broker, result):
    assert result == {"catalog_version": 3}
    begin, put, commit = broker.requests
    assert begin.body == {"note": "first"}
    assert put.body == {"stores": [{"store_id": 1}], "products": [{"product_id": 2}], "load_id": 12, "part": 1}
    assert commit.body == {"load_id": 12, "parts": 1}
    assert len({begin.key, put.key, commit.key}) == 3


def test_a_load(broker, client):
    broker.answer = load_answer
    check_load(broker, client.load(stores=[{"store_id": 1}], products=[{"product_id": 2}], note="first"))


def test_a_load_with_asyncio(broker):
    broker.answer = load_answer

    async def load():
        async with AsyncClient(broker.endpoint, **HURRY) as client:
            return await client.load(stores=[{"store_id": 1}], products=[{"product_id": 2}], note="first")

    check_load(broker, asyncio.run(load()))


def test_an_error_says_which_key_to_send_again(broker, client):
    broker.answer = lambda request: failure("internal")
    with pytest.raises(loyalty_client.Internal) as caught:
        client.card_create(3)
    assert caught.value.key == broker.requests[0].key


def test_threads_have_sockets_of_their_own(broker, client):
    outcomes = []

    def work(number):
        for step in range(20):
            order_id = f"{number}-{step}"
            outcomes.append(client.order_get(order_id)["echo"]["order_id"] == order_id)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [True] * 160
    by_thread = {}
    for request in broker.requests:
        by_thread.setdefault(request.body["order_id"].split("-")[0], set()).add(request.identity)
    assert all(len(identities) == 1 for identities in by_thread.values())
    assert len(set.union(*by_thread.values())) == 8


def test_a_thread_that_ends_closes_its_socket(broker, client):
    def sockets():
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    client.order_get("A")
    before = sockets()
    for _ in range(5):
        thread = threading.Thread(target=client.order_get, args=("A",))
        thread.start()
        thread.join()
    end = time.monotonic() + 5
    while sockets() > before + 2 and time.monotonic() < end:
        time.sleep(0.02)
    assert sockets() <= before + 2  # each open one would be several


def test_closed(broker, client):
    client.order_get("A")
    client.close()
    with pytest.raises(loyalty_client.LoyaltyError):
        client.order_get("A")
    assert len(broker.requests) == 1


def in_child(work):
    """Forks; `work` runs in the child, which ends with 0 when it returns true."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.alarm(20)
            code = 0 if work() else 1
        finally:
            os._exit(code)
    return pid


def assert_done(pid):
    _, status = os.waitpid(pid, 0)
    assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0, status


def test_a_fork_between_calls(broker, client):
    """As Odoo's workers do: the client is made, and used, before they fork."""
    assert client.order_get("parent")["number"] == 1
    children = [in_child(lambda: all(client.order_get("child")["echo"] for _ in range(20))) for _ in range(3)]
    for _ in range(20):
        assert client.order_get("parent")["echo"] == {"order_id": "parent"}
    for pid in children:
        assert_done(pid)
    assert client.order_get("parent")["echo"] == {"order_id": "parent"}
    identities = {request.identity for request in broker.requests if request.body["order_id"] == "child"}
    assert len(identities) == 3
    assert not identities & {request.identity for request in broker.requests if request.body["order_id"] == "parent"}


def test_a_fork_of_a_fork_and_keys_that_differ(broker, client):
    """Children that inherit the state of a random generator must not make the same keys."""
    client.card_create(1)

    def child():
        client.card_create(1)
        grandchild = in_child(lambda: client.card_create(1))
        _, status = os.waitpid(grandchild, 0)
        return status == 0

    for pid in [in_child(child), in_child(child)]:
        assert_done(pid)
    keys = [request.key for request in broker.requests]
    assert len(keys) == 5 and len(set(keys)) == 5


def test_a_fork_while_other_threads_call(broker, client):
    stop = threading.Event()

    def work():
        while not stop.is_set():
            client.order_get("parent")

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            assert_done(in_child(lambda: client.order_get("child")["echo"] == {"order_id": "child"}))
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def child_process(endpoint):
    """Runs in a process that ends as Python programs do, with exit handlers and all."""
    client = Client(endpoint, **HURRY)
    sys.exit(0 if client.order_get("child")["echo"] else 1)


def test_a_process_that_ends_without_closing_does_not_hang(broker, client):
    client.order_get("parent")
    for method in ("fork", "spawn"):
        process = multiprocessing.get_context(method).Process(target=child_process, args=(broker.endpoint,))
        process.start()
        process.join(20)
        assert process.exitcode == 0, method


def test_an_interrupted_call_leaves_the_client_usable(broker, client):
    """A late answer to a call that an exception ended is not taken for that of the next."""
    broker.answer = lambda request: broker.later(0.2, request, ok(which=request.body["order_id"]))

    class Interrupted(Exception):
        pass

    def interrupt(*_):
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Interrupted):
            client.order_get("first", timeout=3)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    broker.answer = lambda request: ok(which=request.body["order_id"])
    for _ in range(10):
        assert client.order_get("second") == {"which": "second"}
        time.sleep(0.03)


# asyncio


def test_asyncio_bounds_what_is_in_flight(broker):
    waiting = []

    def answer(request):
        waiting.append(request)
        if len(waiting) == 4:
            time.sleep(0.05)  # a fifth would come now
            for one in waiting:
                broker.later(0, one, ok(in_flight=len(waiting)))
            waiting.clear()

    broker.answer = answer

    async def run():
        async with AsyncClient(broker.endpoint, in_flight=4, **dict(HURRY, silence=3.0, timeout=10.0)) as client:
            return await asyncio.gather(*(client.order_get(str(number)) for number in range(40)))

    assert asyncio.run(run()) == [{"in_flight": 4}] * 40


def test_asyncio_in_one_loop_after_another(broker):
    client = AsyncClient(broker.endpoint, **HURRY)
    for number in (1, 2, 3):
        assert asyncio.run(client.order_get("A"))["number"] == number
    assert len({request.identity for request in broker.requests}) == 3


def test_asyncio_a_call_that_is_cancelled(broker):
    async def run():
        async with AsyncClient(broker.endpoint, **dict(HURRY, silence=2.0)) as client:
            broker.answer = lambda request: broker.later(0.1, request, ok(which="first"))
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.order_get("A"), 0.05)
            broker.answer = lambda request: ok(which="second")
            results = []
            for _ in range(10):
                results.append(await client.order_get("B"))
                await asyncio.sleep(0.02)
            return results

    assert asyncio.run(run()) == [{"which": "second"}] * 10
    assert len({request.identity for request in broker.requests}) == 1


def test_asyncio_closed_with_calls_under_way(broker):
    broker.answer = lambda request: None

    async def run():
        client = AsyncClient(broker.endpoint, **dict(HURRY, silence=2.0))
        calls = [asyncio.ensure_future(client.order_get(str(number))) for number in range(5)]
        await asyncio.sleep(0.1)
        await client.close()
        return await asyncio.gather(*calls, return_exceptions=True)

    outcomes = asyncio.run(run())
    assert len(outcomes) == 5
    assert all(isinstance(one, loyalty_client.Unavailable) and one.outcome_unknown for one in outcomes)


def test_asyncio_after_a_fork(broker):
    client = AsyncClient(broker.endpoint, **HURRY)
    assert asyncio.run(client.order_get("parent"))["number"] == 1
    assert_done(in_child(lambda: asyncio.run(client.order_get("child"))["number"] == 2))
    assert asyncio.run(client.order_get("parent"))["number"] == 3
