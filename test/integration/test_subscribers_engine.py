"""Subscribers of a real engine, in every client: whatever dies, each has every event once, in order, without a gap."""

import json
import signal
import subprocess
import threading

import pytest
from client_faces import FACES, HURRY, skip_where_not_loadable
from harness import Engine, environment, program, wait_until
from shop import loyalty_program, new_partner, order

WAIT = 60  # seconds: for a machine that is busy


@pytest.fixture(scope="module")
def engine():
    """Two feeds, two brokers, two workers, and a loyalty program."""
    with Engine(feeds=2, brokers=2) as engine:
        engine.call("program.put", loyalty_program())
        yield engine


@pytest.fixture(params=sorted(FACES))
def face(request):
    """The class of a client's face."""
    if request.param == "c":
        skip_where_not_loadable()
    return FACES[request.param]


class Subscriber:
    """One of them, with what it took."""

    def __init__(self, engine, face, after=None, **options):
        self.client = face(engine.endpoint.split(","), timeout=HURRY["timeout"], **engine.client_options())
        self.events = self.client.events(after=after, feeds=engine.feed_endpoints, **options)
        self.taken = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.events.close()
        self.client.close()

    def take_until(self, last, seconds=WAIT):
        """Takes events up to this number."""
        while self.events.position is None or self.events.position < last:
            event = self.events.next(seconds)
            assert event is not None, f"at {self.events.position}: {self.events.stats}, {self.events.trouble}"
            self.taken.append(event)
        return self.taken

    def is_ready(self):
        """Whether it knows where it begins; what was told before that is of no interest."""
        self.events.next(0.02)
        return self.events.position is not None


def newest(engine):
    """The newest number, once all that was committed has one."""
    wait_until(lambda: engine.query("SELECT count(*) FROM outbox")[0][0] == 0, WAIT, "an empty outbox")
    return engine.query("SELECT last FROM feed_state")[0][0]


def epoch(engine):
    """One more with every leader."""
    return engine.query("SELECT epoch FROM feed_leader")[0][0]


def sell(engine, count, partner_id=None):
    """Processes orders; their ids."""
    partner_id = partner_id or new_partner()
    orders = [order(partner_id) for _ in range(count)]
    for one in orders:
        engine.call("order.process", one, timeout=WAIT)
    return [one["order_id"] for one in orders]


def read_all(engine, after, topics=None):
    """What the engine itself tells, page by page."""
    events, body = [], {"after": after, "limit": 1000}
    while True:
        answer = engine.call("events.read", dict(body, **({"topics": topics} if topics else {})))
        events += answer["events"]
        if answer["after"] == body["after"] or answer["after"] >= answer["last"]:
            return events
        body["after"] = answer["after"]


def assert_complete(events, after, last):
    assert [event["number"] for event in events] == list(range(after + 1, last + 1))


def test_follows_what_is_sold(engine, face):
    with Subscriber(engine, face) as subscriber:
        wait_until(lambda: subscriber.is_ready() and subscriber.events.stats["received"], WAIT, "the leader's tip")
        after = subscriber.events.position
        orders = sell(engine, 20)
        last = newest(engine)
        events = subscriber.take_until(last)
        assert_complete(events, after, last)
        assert events == read_all(engine, after), "published and read alike"
        assert [event["order_id"] for event in events if event["topic"] == "order.processed"] == orders
        assert subscriber.events.next(0.1) is None
        assert subscriber.events.stats["received"] > 20, "not only what was read"


def test_from_the_first_event(engine, face):
    sell(engine, 3)
    last = newest(engine)
    with Subscriber(engine, face, after=0) as subscriber:
        assert_complete(subscriber.take_until(last), 0, last)


def test_some_topics(engine, face):
    after = newest(engine)
    orders = sell(engine, 5)
    last = newest(engine)
    with Subscriber(engine, face, after=after, topics=["points.earned"]) as subscriber:
        while subscriber.events.position < last:
            event = subscriber.events.next(0.1)
            if event is not None:
                subscriber.taken.append(event)
        assert [event["order_id"] for event in subscriber.taken] == orders
        assert {event["topic"] for event in subscriber.taken} == {"points.earned"}
        assert subscriber.taken == read_all(engine, after, ["points.earned"])


def test_an_unknown_topic_is_refused(engine, face):
    with Subscriber(engine, face, topics=["order.juggled"]) as subscriber:
        with pytest.raises(Exception) as caught:
            subscriber.events.next(WAIT)
        assert caught.value.code == "invalid_request"


def test_the_leader_dies(engine, face):
    with Subscriber(engine, face) as subscriber:
        wait_until(subscriber.is_ready, WAIT, "its beginning")
        after = subscriber.events.position
        for _ in range(2):
            sell(engine, 5)
            leader, before = engine.leading_feed(), epoch(engine)
            killed = engine.kill_feed(leader)
            sell(engine, 5)
            engine.wait_for_new(f"feed-{leader}", killed)
            wait_until(lambda: epoch(engine) > before, WAIT, "another leader")
        last = newest(engine)
        assert_complete(subscriber.take_until(last), after, last)


def test_the_leader_is_stopped_and_wakes(engine, face):
    with Subscriber(engine, face) as subscriber:
        wait_until(subscriber.is_ready, WAIT, "its beginning")
        after = subscriber.events.position
        sell(engine, 5)
        leader, before = engine.leading_feed(), epoch(engine)
        engine.pause(f"feed-{leader}")
        try:
            sell(engine, 5)
            wait_until(lambda: epoch(engine) > before, WAIT, "another leader")
            sell(engine, 5)
        finally:
            engine.resume(f"feed-{leader}")
        sell(engine, 5)
        last = newest(engine)
        assert_complete(subscriber.take_until(last), after, last)


def test_brokers_and_workers_die(engine, face):
    with Subscriber(engine, face) as subscriber:
        wait_until(subscriber.is_ready, WAIT, "its beginning")
        after = subscriber.events.position
        for name in ("broker", "worker-1", "broker-2"):
            sell(engine, 3)
            killed = engine.kill_process(name)
            sell(engine, 3)
            engine.wait_for_new(name, killed)
        last = newest(engine)
        assert_complete(subscriber.take_until(last), after, last)


def test_a_subscriber_is_killed_and_goes_on_from_its_number(engine, tmp_path):
    """A process that stores each number behind the event, killed wherever it is: nothing is missing and nothing doubled
    but what it had not stored."""
    after = newest(engine)
    done = threading.Event()
    seller = threading.Thread(target=lambda: [sell(engine, 1) for _ in range(60)] and done.set())
    seller.start()
    taken = []
    while not done.is_set():
        command = [program("loyalty"), "events", "--data", str(engine.data), "--json"]
        command += ["--from", str(taken[-1] + 1 if taken else after + 1)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
        for line in process.stdout:
            taken.append(json.loads(line)["number"])
            if len(taken) % 17 == 0 or done.is_set():
                break
        process.send_signal(signal.SIGKILL)
        process.communicate()
    seller.join()
    last = newest(engine)
    done = engine.command("events", "--json", "--no-follow", "--from", str(taken[-1] + 1))
    taken += [json.loads(line)["number"] for line in done.stdout.splitlines()]
    assert taken == list(range(after + 1, last + 1))


def test_too_old(engine, face):
    """What is past its retention: last, as it takes events away."""
    sell(engine, 3)
    oldest = engine.query("UPDATE feed_leader SET dropped = greatest(dropped, 2) RETURNING dropped + 1")[0][0]
    with Subscriber(engine, face, after=0) as subscriber:
        with pytest.raises(Exception) as caught:
            subscriber.events.next(WAIT)
        assert (caught.value.code, subscriber.events.oldest) == ("too_old", oldest)
        subscriber.events.resume(oldest - 1)
        last = newest(engine)
        assert_complete(subscriber.take_until(last), oldest - 1, last)


def test_top_shows_the_feed(engine):
    sell(engine, 1)
    last = newest(engine)
    figures = json.loads(engine.command("top", "--json").stdout.splitlines()[-1])
    assert figures["feed"]["state"] == "live" and figures["feed"]["number"] >= last and figures["feed"]["epoch"] > 0
    assert figures["feed"]["leader"].startswith(f"feed-{engine.leading_feed()}")
    assert len(figures["brokers"]) == 2 and {row["state"] for row in figures["brokers"]} == {"ready"}


def test_lines_of_events(engine):
    after = newest(engine)
    partner_id = new_partner()
    (order_id,) = sell(engine, 1, partner_id)
    done = engine.command("events", "--from", str(after + 1), "--topic", "order.processed", "--count", "1")
    assert done.returncode == 0, done.stderr
    assert f"order.processed     {order_id}  partner {partner_id}  total 10.00  earned 10.00" in done.stdout
