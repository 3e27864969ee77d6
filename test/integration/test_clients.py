"""Every client against a broker that a test scripts: retries, silence, failover, late and broken replies."""

import random
import socket
import textwrap
import threading
import time

import pytest
from client_faces import FACES, skip_where_not_loadable
from fake_broker import FakeBroker, failure, ok
from harness import ROOT

PARTNER_42 = 18391255480883862255  # its affinity, as in test/vectors/affinity.json


@pytest.fixture(params=sorted(FACES))
def face(request):
    """The class of a client's face."""
    if request.param == "c":
        skip_where_not_loadable()
    return FACES[request.param]


@pytest.fixture
def connect(face):
    """Makes clients of the face, and closes them."""
    clients = []

    def make(endpoints, **options):
        clients.append(face(endpoints, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def broker():
    with FakeBroker() as fake:
        yield fake


def free_endpoint():
    """An endpoint where nobody listens, though somebody might have."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


def raised(client, *call, **options):
    """What a call raises."""
    with pytest.raises(client_error(client)) as caught:
        client.call(*call, **options)
    return caught.value


def client_error(client):
    return type(client).Error


def test_a_call_and_its_header(broker, connect):
    client = connect(broker.endpoint)
    order = {"order_id": "A-1", "partner_id": 42, "lines": [{"product_id": 7, "qty": 2, "price_unit": "12.50"}]}
    assert client.call("order.process", order, timeout=2) == {"echo": order, "number": 1}
    header = broker.requests[0].header
    assert header["v"] == 1 and header["method"] == "order.process"
    assert 1500 < header["ttl_ms"] <= 2000
    assert header["affinity"] == PARTNER_42
    assert "key" not in header and "traceparent" not in header


def test_what_the_caller_sets_goes_into_the_header(broker, connect):
    client = connect(broker.endpoint)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    client.call("card.adjust", {"card_id": 1}, key="my-key", affinity=99, traceparent=trace)
    header = broker.requests[0].header
    assert (header["key"], header["affinity"], header["traceparent"]) == ("my-key", 99, trace)


def test_methods_that_need_a_key_get_a_new_one_each_time(broker, connect):
    client = connect(broker.endpoint)
    for method in ("card.create", "card.create", "program.put", "load.begin", "some.day"):
        client.call(method, {})
    for method in ("order.process", "order.cancel", "order.get", "admin.stats"):
        client.call(method, {})
    keys = [request.key for request in broker.requests]
    assert len(set(keys[:5])) == 5 and all(len(key) == 36 for key in keys[:5])
    assert keys[5:] == [None] * 4


def test_busy_comes_again_when_the_engine_says_so(broker, connect):
    broker.answer = lambda request: failure("busy", retry_after_ms=100) if request.number < 3 else ok(number=3)
    client = connect(broker.endpoint)
    assert client.call("card.create", {}) == {"number": 3}
    first, second, third = broker.requests
    assert first.key == second.key == third.key and first.key
    assert second.at - first.at >= 0.1 and third.at - second.at >= 0.1
    assert third.header["ttl_ms"] < first.header["ttl_ms"]


@pytest.mark.parametrize("code", ["worker_lost", "unavailable"])
def test_what_passes_comes_again(broker, connect, code):
    broker.answer = lambda request: failure(code, retryable=True) if request.number < 4 else ok(number=4)
    assert connect(broker.endpoint).call("order.process", {"order_id": "A"}) == {"number": 4}


def test_what_passes_until_the_deadline_is_told_as_it_came(broker, connect):
    broker.answer = lambda request: failure("unavailable", "no database", True) if request.number == 1 else failure(
        "busy", "full", True, retry_after_ms=60000  # past the deadline: there is no use in waiting
    )
    client = connect(broker.endpoint)
    error = raised(client, "order.process", {"order_id": "A"}, timeout=20)
    assert error.code == "busy" and error.retryable and str(error).endswith("full")
    assert error.outcome_unknown, "the first attempt may have been done"


@pytest.mark.parametrize("code", ["conflict", "not_found", "internal", "expired_deadline", "solar_flare"])
def test_other_errors_are_final(broker, connect, code):
    broker.answer = lambda request: failure(code, "no", path="lines[3].qty", nested={"a": [1]})
    error = raised(connect(broker.endpoint), "order.process", {"order_id": "A"})
    assert error.code == code
    assert error.details == {"path": "lines[3].qty", "nested": {"a": [1]}}
    assert not error.outcome_unknown and len(broker.requests) == 1


def test_silence_about_a_request_of_a_broker_that_lives_comes_again_through_its_socket(broker, connect):
    broker.answer = lambda request: None if request.number == 1 else ok(number=request.number)
    assert connect(broker.endpoint).call("order.process", {"order_id": "A"}) == {"number": 2}
    first, second = broker.requests
    assert first.identity == second.identity and first.body_bytes == second.body_bytes


def test_a_slow_answer_of_a_broker_that_lives_is_waited_for(broker, connect):
    broker.answer = lambda request: broker.later(1.0, request, ok(number=request.number))
    client = connect(broker.endpoint, silence=2.5)
    assert client.call("order.process", {"order_id": "A"}, timeout=5) == {"number": 1}
    assert len(broker.requests) == 1 and broker.pings >= 2


def test_a_silent_broker_is_replaced_by_a_fresh_socket(connect):
    """One that answers nothing, not even whether it lives; there is no other."""
    with FakeBroker(is_mute=True) as broker:
        broker.answer = lambda request: ok(number=request.number) if len(broker.identities()) > 1 else None
        assert connect(broker.endpoint, silence=2.5).call("order.process", {"order_id": "A"})["number"] > 1
        assert broker.requests[0].body_bytes == broker.requests[-1].body_bytes


def test_no_answer_until_the_deadline(broker, connect):
    broker.answer = lambda request: None
    client = connect(broker.endpoint)
    begun = time.monotonic()
    error = raised(client, "order.process", {"order_id": "A"}, timeout=0.5)
    assert error.code == "unavailable" and error.retryable and error.outcome_unknown
    assert 0.5 <= time.monotonic() - begun < 2


def test_nobody_there(connect):
    error = raised(connect(free_endpoint()), "order.process", {"order_id": "A"}, timeout=0.5)
    assert error.code == "unavailable" and not error.outcome_unknown


def test_an_endpoint_that_makes_no_sense(connect):
    error = raised(connect("tcp://no port here"), "order.process", {"order_id": "A"}, timeout=0.4)
    assert error.code == "unavailable" and not error.outcome_unknown


def test_a_broker_that_comes_later(connect):
    endpoint = free_endpoint()
    client = connect(endpoint)
    raised(client, "order.get", {"order_id": "A"}, timeout=0.3)
    with FakeBroker(endpoint=endpoint):
        assert client.call("order.get", {"order_id": "A"})["number"] == 1


def test_a_broker_that_restarts_between_calls(connect):
    with FakeBroker() as first:
        client = connect(first.endpoint)
        assert client.call("order.get", {})["number"] == 1
    with FakeBroker(endpoint=first.endpoint) as second:
        assert client.call("order.get", {})["number"] == 1
        assert len(second.requests) == 1


def test_a_broker_that_dies_with_the_request(connect):
    with FakeBroker() as second:
        first = FakeBroker()

        def die(request):
            first.stopping.set()

        first.answer = die
        client = connect([first.endpoint, second.endpoint])
        # The socket is closed by another thread than the one that took the request.
        reaper = threading.Thread(target=lambda: (first.stopping.wait(), first.stop()))
        reaper.start()
        assert client.call("card.create", {}, timeout=5)["number"] == 1
        reaper.join()
        assert first.requests[0].key == second.requests[0].key
        # It stays with the one that answers.
        client.call("order.get", {})
        assert len(second.requests) == 2


def test_a_broker_that_was_never_there(connect):
    with FakeBroker() as second:
        assert connect([free_endpoint(), second.endpoint]).call("order.get", {})["number"] == 1


def test_a_broker_that_hangs(connect):
    with FakeBroker() as first, FakeBroker() as second:
        client = connect([first.endpoint, second.endpoint])
        client.call("order.get", {})
        first.hanging.set()
        assert client.call("order.process", {"order_id": "A"})["number"] == 1
        first.hanging.clear()


def test_a_broker_that_hangs_is_left_within_a_second(connect):
    """With the settings that clients have by themselves."""
    with FakeBroker() as first, FakeBroker() as second:
        client = connect([first.endpoint, second.endpoint], probe=0.25, silence=2.0, connect_timeout=0.5, backoff=(0.02, 1.0))
        client.call("order.get", {})
        first.hanging.set()
        begun = time.monotonic()
        client.call("order.process", {"order_id": "A"}, timeout=10)
        assert 0.4 < time.monotonic() - begun < 1.0
        assert len(second.requests) == 1
        first.hanging.clear()


@pytest.mark.parametrize("code, reason", [("busy", "draining"), ("unavailable", "no_worker"), ("worker_lost", "draining")])
def test_a_broker_that_sends_its_clients_away(connect, code, reason):
    with FakeBroker() as first, FakeBroker() as second:
        first.answer = lambda request: failure(code, retryable=True, retry_after_ms=3000, reason=reason)
        client = connect([first.endpoint, second.endpoint], timeout=5)
        begun = time.monotonic()
        for number in range(1, 4):
            assert client.call("card.create", {}, timeout=5)["number"] == number
        assert time.monotonic() - begun < 2, "how soon the first one could does not matter"
        assert len(first.requests) == 1 and first.requests[0].key == second.requests[0].key


def test_other_refusals_do_not_send_away(connect):
    with FakeBroker() as first, FakeBroker() as second:
        first.answer = lambda request: failure("busy", retryable=True, retry_after_ms=10) if request.number < 3 else ok()
        connect([first.endpoint, second.endpoint]).call("card.create", {})
        assert len(first.requests) == 3 and not second.requests


def test_the_only_broker_is_not_left(broker, connect):
    broker.answer = lambda request: failure("busy", retryable=True, reason="draining") if request.number < 3 else ok()
    connect(broker.endpoint).call("card.create", {})
    assert len(broker.identities()) == 1


def test_when_all_brokers_send_away_clients_wait_longer_each_time(connect):
    refusal = failure("unavailable", retryable=True, reason="no_worker")
    with FakeBroker(lambda request: refusal) as first, FakeBroker(lambda request: refusal) as second:
        client = connect([first.endpoint, second.endpoint], backoff=(0.02, 1.0))
        assert raised(client, "card.create", {}, timeout=1.5).code == "unavailable"
        assert 4 <= len(first.requests) + len(second.requests) <= 16
        assert first.requests and second.requests


def test_many_at_once_move_together(connect, face):
    """All that a broker has not answered when it sends its clients away is done by the other, once each."""
    with FakeBroker() as first, FakeBroker() as second:
        first.answer = lambda request: None if request.number <= 100 else failure("busy", retryable=True, reason="draining")
        second.answer = lambda request: ok(order_id=request.body["order_id"])
        client = connect([first.endpoint, second.endpoint], silence=2.0, timeout=10)
        count = 1 if face is FACES["python"] else 101
        if count == 1:
            first.answer = lambda request: failure("busy", retryable=True, reason="draining")
        calls = [("order.get", {"order_id": f"A-{number}"}) for number in range(count)]
        assert client.call_many(calls) == [{"order_id": f"A-{number}"} for number in range(count)]
        assert len(second.requests) == count


def test_clients_spread_over_brokers(connect):
    with FakeBroker() as first, FakeBroker() as second:
        for _ in range(40):
            connect([first.endpoint, second.endpoint], in_order=False).call("order.get", {})
        assert min(len(first.requests), len(second.requests)) >= 5
        assert len(first.requests) + len(second.requests) == 40


def test_a_text_of_endpoints_with_commas(connect):
    with FakeBroker() as second:
        assert connect(f"{free_endpoint()},{second.endpoint}").call("order.get", {})["number"] == 1


def test_late_replies_are_not_taken_for_others(broker, connect):
    def answer(request):
        if request.body.get("slow"):
            broker.later(0.3, request, ok(which="slow"))
            return None
        return ok(which="fast")

    broker.answer = answer
    client = connect(broker.endpoint, silence=2.0)
    assert raised(client, "order.get", {"slow": True}, timeout=0.1).code == "unavailable"
    for _ in range(10):
        assert client.call("order.get", {}) == {"which": "fast"}
        time.sleep(0.05)


def test_replies_that_come_twice(broker, connect):
    broker.answer = lambda request: [ok(number=request.number), ok(number=-1), failure("busy")]
    client = connect(broker.endpoint)
    assert [client.call("order.get", {})["number"] for _ in range(5)] == [1, 2, 3, 4, 5]


def test_garbage_is_passed_over(broker, connect):
    broker.answer = lambda request: [
        (b"",),
        (b"garbage",),
        (b"garbage", b"garbage"),
        (b"\xc1", b"\x80"),
        (b"\x82\xa1v\x01\xa2id\xa1x", b"\x80"),
        (b"\x82\xa1v\x02\xa2id\x01", b"\x80"),
        (request.header_bytes, b"\x80", b"more"),
        ok(number=request.number),
    ]
    client = connect(broker.endpoint)
    assert [client.call("order.get", {})["number"] for _ in range(3)] == [1, 2, 3]


def test_an_answer_that_is_none(broker, connect):
    broker.answer = lambda request: b"\x93\x01\x02\x03"
    error = raised(connect(broker.endpoint), "order.process", {"order_id": "A"})
    assert error.code == "internal" and error.outcome_unknown and len(broker.requests) == 1


def test_many_at_once_answered_out_of_order(broker, connect, face):
    def answer(request):
        broker.later(random.random() * 0.05, request, ok(order_id=request.body["order_id"]))

    broker.answer = answer
    client = connect(broker.endpoint, silence=2.0)
    count = 30 if face is FACES["python"] else 500
    calls = [("order.get", {"order_id": f"A-{number}"}) for number in range(count)]
    assert client.call_many(calls) == [{"order_id": f"A-{number}"} for number in range(count)]
    assert len(broker.requests) == count, "nothing was sent twice"


def test_many_at_once_with_every_kind_of_trouble(broker, connect, face):
    """Each order is done once all the same, as far as a broker can see: it is answered in the end."""
    trouble = random.Random(7)

    def answer(request):
        kind = trouble.randrange(6)
        if kind == 0:
            return None
        if kind == 1:
            return failure("busy", retryable=True, retry_after_ms=10)
        if kind == 2:
            return failure("worker_lost", retryable=True)
        reply = ok(order_id=request.body["order_id"])
        if kind == 3:
            broker.later(0.02, request, reply)
            return None
        return [reply, (b"garbage", b"garbage")] if kind == 4 else reply

    broker.answer = answer
    client = connect(broker.endpoint, timeout=20)
    count = 10 if face is FACES["python"] else 200
    calls = [("order.process", {"order_id": f"A-{number}"}) for number in range(count)]
    assert client.call_many(calls) == [{"order_id": f"A-{number}"} for number in range(count)]


def test_a_body_that_is_too_large(broker, connect):
    client = connect(broker.endpoint)
    error = raised(client, "order.process", {"order_id": "A", "meta": "x" * (1024 * 1024)})
    assert error.code == "too_large" and not broker.requests


@pytest.mark.parametrize("key", ["", "k" * 65])
def test_a_key_that_cannot_be(broker, connect, key):
    assert raised(connect(broker.endpoint), "card.create", {}, key=key).code == "invalid_request"
    assert not broker.requests


def test_the_example_of_the_protocols_page(capsys):
    """The client in twenty lines works as it stands there."""
    page = (ROOT / "docs" / "protocol.md").read_text()
    block = page.split("## A client in twenty lines")[1].split("\n\n    ", 1)[1].split("\n\nWhat it lacks")[0]
    code = textwrap.dedent("    " + block)
    with FakeBroker() as fake:
        exec(code.replace("tcp://127.0.0.1:7600", fake.endpoint), {})
        assert [request.method for request in fake.requests] == ["card.create", "order.process"]
        assert len(fake.requests[0].key) == 36 and fake.requests[1].key is None
    assert capsys.readouterr().out.count("'ok': True") == 2


def test_endpoints_without_a_transport(face):
    with pytest.raises(face.Error) as caught:
        face("localhost:7600")
    assert caught.value.code == "invalid_request"
