"""A feed that tests script: a log of events, PUB sockets that say as much of it as they are told, and the answers of
an engine that is asked for the rest."""

import time

import msgpack
import zmq
from fake_broker import failure, ok


class FakeLog:
    """The engine's events: `answer` is one for a FakeBroker."""

    def __init__(self, count=0):
        self.events = []
        self.oldest = 1
        self.reads = []  # bodies of the requests that came
        self.page_max = 1000
        self.refuse = None  # a reply in place of the events
        self.add(count)

    @property
    def last(self):
        return len(self.events)

    def add(self, count=1, topic="order.processed", **fields):
        """Appends events; returns the numbers."""
        numbers = range(self.last + 1, self.last + 1 + count)
        self.events += [{"number": number, "topic": topic, "order_id": f"O-{number}", **fields} for number in numbers]
        return list(numbers)

    def answer(self, request):
        """What an engine answers: as docs/protocol.md says."""
        assert request.method == "events.read", request.method
        self.reads.append(request.body)
        if self.refuse is not None:
            return self.refuse
        after = request.body.get("after", self.last)
        if after + 1 < self.oldest:
            return failure("too_old", "past the retention", oldest=str(self.oldest))
        page = [event for event in self.events if event["number"] > after]
        page = page[: min(request.body.get("limit", 100), self.page_max)]
        reached = page[-1]["number"] if page else after
        topics = request.body.get("topics")
        wanted = [event for event in page if topics is None or event["topic"] in topics]
        return ok(events=wanted, after=reached, last=self.last, oldest=self.oldest)


class FakeFeed:
    """One feed: what it says of the log is the test's."""

    def __init__(self, log, endpoint=None):
        self.log = log
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.XPUB)  # to know when somebody subscribed
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        self.socket.bind(endpoint or "tcp://127.0.0.1:*")
        self.endpoint = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Closes its connections and is gone; its endpoint is free again."""
        if not self.socket.closed:
            self.socket.close()
            self.context.term()

    def wait_for_subscriber(self, events, seconds=10):
        """Lets the subscriber work until it has subscribed; it must have nothing to hand out."""
        end = time.monotonic() + seconds
        while not self.socket.poll(0):
            assert time.monotonic() < end, "nobody subscribed"
            assert events.next(0.02) is None
        assert self.socket.recv() == b"\x01", "it subscribes to everything"

    def publish(self, *numbers):
        """Says these events, in this order."""
        for number in numbers:
            event = self.log.events[number - 1]
            self.socket.send_multipart([event["topic"].encode(), msgpack.packb(event)])

    def tip(self, number=None, epoch=1, **fields):
        """Says what the newest number is."""
        number = self.log.last if number is None else number
        tip = {"number": number, "epoch": epoch, "at": "2026-01-01T00:00:00Z", "leader": "feed-1 host 77 abc", **fields}
        self.socket.send_multipart([b"tip", msgpack.packb(tip)])
