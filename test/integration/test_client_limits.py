"""Bounds on clients by the names of their keys: all connections of one name count together."""

import time

import pytest
import zmq

import curve
from test_broker import Broker, Client, code_of


class KeyedBroker(Broker):
    """With a list of keys of the test's own, whatever the suite has."""

    has_keys = False

    def __init__(self, ring, **settings):
        self.ring = ring
        super().__init__("--keys", str(ring.list), unavailable_after_ms=600000, **settings)

    def dealer_of(self, name):
        dealer = self.context.socket(zmq.DEALER)
        dealer.linger = 0
        curve.set_keys(dealer, self.ring.file(name))
        dealer.connect(self.client_endpoint)
        self.sockets.append(dealer)
        return dealer


class KeyedClient(Client):
    def __init__(self, broker, name):
        self.socket = broker.dealer_of(name)
        self.replies = {}
        self.last_id = 0

    def is_refused(self):
        """Whether a request is refused at once; else it waits for a worker that does not exist."""
        request_id = self.send()
        assert self.stats()  # answered after it
        reply = self.replies.get(request_id)
        assert reply is None or code_of(reply) == "busy"
        return reply


@pytest.fixture(scope="module")
def ring():
    ring = curve.KeyRing()
    ring.make("till-1", "till")
    ring.make("till-2", "till")
    ring.make("back-office", "admin")
    return ring


def test_connections_of_one_key_have_one_bound(ring):
    with KeyedBroker(ring, client_requests_max=3) as broker:
        first, again, other = (KeyedClient(broker, name) for name in ("till-1", "till-1", "till-2"))
        assert not first.is_refused() and not again.is_refused() and not again.is_refused()
        assert first.is_refused() and again.is_refused()
        assert not other.is_refused()
        stats = KeyedClient(broker, "back-office").stats()
        assert [(each["user"], each["requests"], each["rate"]) for each in stats["limited"]] == [("till-1", 2, 0)]
        assert stats["counters"]["limited"] == 2
        assert "client till-1" in broker.log_text() and "till-2" not in broker.log_text()


def test_a_new_connection_of_a_key_has_no_new_rate(ring):
    with KeyedBroker(ring, client_rate_per_s=1, client_burst=3) as broker:
        clients = [KeyedClient(broker, "till-1") for _ in range(5)]
        begin = time.monotonic()
        replies = [client.is_refused() for client in clients]
        if time.monotonic() - begin < 0.9:  # else the machine was so slow that a further one was due
            assert [reply is None for reply in replies] == [True] * 3 + [False] * 2
        waits = [reply["error"]["details"]["retry_after_ms"] for reply in replies if reply]
        assert waits == sorted(waits) and all(0 < wait <= 2000 for wait in waits)
        assert not KeyedClient(broker, "till-2").is_refused()
        # Who comes when it was told to is taken.
        time.sleep(max(waits) / 1000)
        assert not clients[0].is_refused()
