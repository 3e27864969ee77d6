"""Every client's subscriber against feeds and a broker that a test scripts: lost, doubled and reordered messages,
feeds and brokers that go away, what is past its retention, a restored engine."""

import itertools
import os
import random

import pytest
from client_faces import FACES, skip_where_not_loadable
from fake_broker import FakeBroker, failure
from fake_feed import FakeFeed, FakeLog
from harness import wait_until

FOREVER = 30  # seconds: longer than anything here takes


@pytest.fixture(params=sorted(FACES))
def face(request):
    """The class of a client's face."""
    if request.param == "c":
        skip_where_not_loadable()
    return FACES[request.param]


@pytest.fixture
def log():
    return FakeLog()


@pytest.fixture
def broker(log):
    with FakeBroker(log.answer) as fake:
        yield fake


@pytest.fixture
def feed(log):
    with FakeFeed(log) as fake:
        yield fake


@pytest.fixture
def follow(face, broker):
    """Makes subscribers of the face, and closes them."""
    opened = []

    def make(feeds, after=0, endpoints=None, silence=30.0, timeout=1.0, **options):
        client = face(endpoints or broker.endpoint, timeout=timeout)
        opened.append(client)
        feeds = [one.endpoint if isinstance(one, FakeFeed) else one for one in feeds]
        events = client.events(after=after, feeds=feeds, silence=silence, **options)
        opened.append(events)
        return events

    yield make
    for one in reversed(opened):
        one.close()


def numbers(events, count, timeout=FOREVER):
    """The numbers of the next `count` events."""
    taken = []
    for _ in range(count):
        event = events.next(timeout)
        assert event is not None, f"only {taken} came: {events.stats}, {events.trouble}"
        assert event["order_id"] == f"O-{event['number']}"
        taken.append(event["number"])
    return taken


def raised(events):
    """What taking the next event raises."""
    with pytest.raises(Exception) as caught:
        events.next(FOREVER)
    assert hasattr(caught.value, "code"), caught.value
    return caught.value


def wait_for_trouble(events, code):
    """Until it says that this keeps events from being read."""

    def is_told():
        assert events.next(0.05) is None
        return events.trouble is not None and events.trouble.code == code

    wait_until(is_told, FOREVER, f"it to say {code}")


def test_catches_up_then_follows(log, feed, follow):
    log.add(2500)
    events = follow([feed], after=3)
    assert numbers(events, 2497) == list(range(4, 2501))
    assert [read["after"] for read in log.reads] == [3, 1003, 2003]
    feed.wait_for_subscriber(events)
    reads = len(log.reads)
    feed.publish(*log.add(3))
    assert numbers(events, 3) == [2501, 2502, 2503]
    assert (events.position, events.newest, len(log.reads)) == (2503, 2503, reads)
    assert events.next(0.05) is None and events.trouble is None


def test_from_now_on(log, feed, follow):
    log.add(10)
    events = follow([feed], after=None)
    feed.wait_for_subscriber(events)
    wait_until(lambda: events.next(0.01) or events.position == 10, 5, "the position")
    assert "after" not in log.reads[0]
    feed.publish(*log.add(2))
    assert numbers(events, 2) == [11, 12]


def test_what_is_published_while_it_catches_up_is_handed_out_once(log, feed, follow):
    log.add(40)
    log.page_max = 10
    events = follow([feed], after=0)
    assert numbers(events, 5) == [1, 2, 3, 4, 5]
    wait_until(lambda: feed.socket.poll(0), 5, "the subscription")
    feed.publish(*range(30, 41))
    feed.publish(*log.add(5))
    assert numbers(events, 40) == list(range(6, 46))
    assert events.next(0.05) is None


def test_doubled_lost_and_reordered_messages(log, feed, follow):
    log.add(1)
    events = follow([feed])
    assert numbers(events, 1) == [1]
    feed.wait_for_subscriber(events)
    chance = random.Random(4)
    expected = []
    for _ in range(60):
        batch = log.add(chance.randint(1, 8))
        expected += batch
        said = [number for number in batch if chance.random() < 0.8]
        said += [number for number in batch if chance.random() < 0.2]
        chance.shuffle(said)
        feed.publish(*said)
        if chance.random() < 0.5:
            feed.tip()
        if chance.random() < 0.3:
            feed.tip(max(1, log.last - 20), epoch=0)  # of a leader that was stopped
    feed.tip()
    assert numbers(events, len(expected)) == expected
    assert events.next(0.05) is None
    stats = events.stats
    assert stats["repeated"] > 0 and stats["gaps"] > 0 and stats["delivered"] == 1 + len(expected)


def test_a_tip_tells_of_a_lost_tail(log, feed, follow):
    events = follow([feed])
    feed.wait_for_subscriber(events)
    log.add(3)
    assert events.next(0.1) is None
    feed.tip()
    assert numbers(events, 3) == [1, 2, 3]


def test_messages_that_no_feed_sends_are_dropped(log, feed, follow):
    events = follow([feed])
    feed.wait_for_subscriber(events)
    for frames in ([b"alert"], [b"alert", b"\xc1"], [b"alert", b"\x80"], [b"tip", b"\x80"], [b"a", b"b", b"c"], [b"", b""]):
        feed.socket.send_multipart(frames)
    feed.publish(*log.add(1))
    assert numbers(events, 1) == [1]
    assert events.stats["garbage"] == 6


def test_only_the_topics_asked_for(log, feed, follow):
    log.add(3, "card.created")
    log.add(3, "alert")
    log.add(2, "card.created")
    events = follow([feed], topics=["alert"])
    assert numbers(events, 3) == [4, 5, 6]
    feed.wait_for_subscriber(events)
    wait_until(lambda: events.next(0.01) or events.position == 8, 5, "the position behind what it did not ask for")
    assert log.reads[0]["topics"] == ["alert"]
    feed.publish(*log.add(2, "card.created"), *log.add(1, "alert"))
    assert numbers(events, 1) == [11] and events.position == 11


def test_two_feeds_of_which_one_dies(log, feed, follow):
    with FakeFeed(log) as standby:
        events = follow([feed, standby])
        feed.wait_for_subscriber(events)
        standby.wait_for_subscriber(events)
        feed.publish(*log.add(3))
        assert numbers(events, 3) == [1, 2, 3]
        log.add(2)  # committed by the leader, which dies before it says so
        feed.stop()
        standby.tip(epoch=2)
        assert numbers(events, 2) == [4, 5]
        standby.publish(*log.add(2))
        assert numbers(events, 2) == [6, 7]


def test_a_leader_that_wakes_up_does_no_harm(log, feed, follow):
    with FakeFeed(log) as second:
        events = follow([feed, second])
        feed.wait_for_subscriber(events)
        second.wait_for_subscriber(events)
        feed.publish(*log.add(3))
        feed.tip(epoch=1)
        assert numbers(events, 3) == [1, 2, 3]
        second.tip(epoch=2)
        second.publish(*log.add(3))
        assert numbers(events, 3) == [4, 5, 6]
        feed.publish(2, 3)
        for _ in range(4):
            feed.tip(3, epoch=1)
        second.tip(epoch=2)
        second.publish(*log.add(1))
        assert numbers(events, 1) == [7]
        assert events.next(0.05) is None


def test_a_feed_that_comes_back(log, follow):
    feed = FakeFeed(log)
    events = follow([feed])
    feed.wait_for_subscriber(events)
    feed.publish(*log.add(2))
    assert numbers(events, 2) == [1, 2]
    feed.stop()
    log.add(2)
    with FakeFeed(log, feed.endpoint) as again:
        again.wait_for_subscriber(events)
        again.publish(*log.add(1))
        assert numbers(events, 3) == [3, 4, 5]


def test_without_a_feed_the_engine_is_asked(log, follow):
    events = follow(["tcp://127.0.0.1:1"], silence=0.1)
    assert events.next(0.05) is None
    log.add(3)
    assert numbers(events, 3) == [1, 2, 3]
    log.add(2)
    assert numbers(events, 2) == [4, 5]
    events = follow([], silence=0.1)
    assert numbers(events, 5) == [1, 2, 3, 4, 5]


def test_without_a_broker_it_follows_as_long_as_nothing_is_missing(log, broker, feed, follow):
    endpoint = broker.endpoint
    broker.stop()
    events = follow([feed], timeout=0.3)
    feed.wait_for_subscriber(events)
    feed.publish(*log.add(3))
    assert numbers(events, 3) == [1, 2, 3]
    feed.publish(*log.add(2)[1:])  # one is missing
    wait_for_trouble(events, "unavailable")
    assert events.position == 3
    with FakeBroker(log.answer, endpoint):
        assert numbers(events, 2) == [4, 5]
        feed.tip()
        assert events.next(0.05) is None and events.trouble is None


def test_an_engine_that_is_busy_is_asked_again(log, feed, follow):
    log.add(2)
    log.refuse = failure("busy", retryable=True, retry_after_ms=10)
    events = follow([feed], timeout=0.2)
    wait_for_trouble(events, "busy")
    log.refuse = None
    assert numbers(events, 2) == [1, 2]


def test_a_replica_that_is_behind(log, feed, follow):
    """Who answers does not have what was published: it is asked again, not for ever at once."""
    events = follow([feed])
    feed.wait_for_subscriber(events)
    reads = len(log.reads)
    feed.tip(3)
    wait_until(lambda: events.next(0.05) or len(log.reads) >= reads + 3, FOREVER, "it to ask again")
    assert len(log.reads) < reads + 10
    log.add(3)
    assert numbers(events, 3) == [1, 2, 3]


def test_too_old_is_the_callers_decision(log, feed, follow):
    log.add(20)
    log.oldest = 11
    events = follow([feed], after=3)
    assert raised(events).code == "too_old"
    assert raised(events).code == "too_old"
    assert (events.oldest, events.position) == (11, 3)
    events.resume(events.oldest - 1)
    assert numbers(events, 10) == list(range(11, 21))
    assert events.next(0.05) is None


@pytest.mark.parametrize("code", ["forbidden", "unauthenticated", "invalid_request", "internal"])
def test_what_does_not_pass_is_raised(log, feed, follow, code):
    log.add(1)
    log.refuse = failure(code)
    events = follow([feed])
    assert raised(events).code == code
    log.refuse = None
    assert numbers(events, 1) == [1]


def test_an_answer_that_is_none(log, feed, follow):
    log.add(1)
    log.refuse = {"ok": True, "result": {"events": "none"}}
    events = follow([feed])
    assert raised(events).code == "internal"
    log.refuse = None
    assert numbers(events, 1) == [1]


def test_an_engine_that_was_restored(log, feed, follow):
    log.add(5)
    events = follow([feed], after=100)
    feed.wait_for_subscriber(events)
    for _ in range(4):
        feed.tip()
    error = raised(events)
    assert error.code == "conflict" and "100" in str(error)
    events.resume(0)
    assert numbers(events, 5) == [1, 2, 3, 4, 5]


def test_goes_on_from_the_stored_number(log, feed, follow):
    """Killed again and again, at any event: each that stored its number before goes on behind it."""
    log.add(60)
    stored, taken = 0, []
    chance = random.Random(7)
    while stored < 60:
        events = follow([feed], after=stored)
        for _ in range(min(chance.randint(1, 12), 60 - stored)):
            taken += numbers(events, 1)
            stored = events.position
        events.close()
    assert taken == list(range(1, 61))


def test_a_subscriber_that_does_not_keep_up_reads_what_it_missed(log, feed, follow):
    """The feed drops what does not fit its queue to a subscriber: nothing grows, and nothing is lost."""
    events = follow([feed])
    feed.wait_for_subscriber(events)
    count, log.page_max = 12000, 200
    feed.publish(*log.add(count, text="x" * 2000))  # far more than all buffers on the way take
    taken = []
    while len(taken) < count:
        event = events.next(0.2)
        if event is None:
            feed.tip()  # the one before was lost too
        else:
            taken.append(event["number"])
    assert taken == list(range(1, count + 1))
    assert events.stats["gaps"] >= 1


def test_options_are_checked(face, broker):
    client = face(broker.endpoint)
    for options in (
        {"after": -2},
        {"feeds": ["nowhere"]},
        {"topics": [""]},
        {"silence": 0},
        {"silence": 10000.0},
    ):
        with pytest.raises(client.Error) as caught:
            client.events(**dict({"feeds": []}, **options))
        assert caught.value.code == "invalid_request"
    client.close()


# Of one client


def test_python_iterates(log, feed, broker):
    from loyalty_client import Client

    log.add(5)
    with Client(broker.endpoint) as client, client.events(after=1, feeds=feed.endpoint) as events:
        assert [event["number"] for event in itertools.islice(events, 4)] == [2, 3, 4, 5]


def test_python_goes_on_in_a_child(log, feed, broker):
    """After a fork the child has sockets of its own, and both hear everything."""
    from loyalty_client import Client

    log.add(2)
    with Client(broker.endpoint) as client, client.events(after=0, feeds=feed.endpoint) as events:
        assert numbers(events, 1) == [1]
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.write(writer, b"%d" % numbers(events, 1)[0])
                while events.next(0.05) is None:
                    pass
                code = 0
            finally:
                os._exit(code)
        os.close(writer)
        assert os.read(reader, 10) == b"2"
        wait_until(lambda: feed.socket.poll(0), 5, "the parent's subscription")
        assert feed.socket.recv() == b"\x01"
        wait_until(lambda: feed.socket.poll(0), 5, "the child's subscription")
        feed.publish(*log.add(1))
        assert numbers(events, 2) == [2, 3]
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        os.close(reader)


def test_asyncio_iterates_beside_other_work(log, feed, broker):
    import asyncio

    from loyalty_client import AsyncClient

    log.add(3)

    async def main():
        async with AsyncClient(broker.endpoint) as client, client.events(after=0, feeds=feed.endpoint) as events:
            taken = []
            async for event in events:
                taken.append(event["number"])
                if len(taken) == 3:
                    break
            waiting = asyncio.ensure_future(events.next())
            await asyncio.sleep(0.05)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            log.add(1)
            feed.tip()
            taken.append((await events.next(FOREVER))["number"])
            return taken

    assert asyncio.run(main()) == [1, 2, 3, 4]

