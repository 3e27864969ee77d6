"""`loyalty events`: what it prints, where it begins and stops, and what it says when something is wrong."""

import json
import signal
import subprocess

import pytest
from fake_broker import FakeBroker, failure
from fake_feed import FakeFeed, FakeLog
from harness import environment, loyalty, program, wait_until

ORDER = {
    "number": 1, "topic": "order.processed", "at": "2026-03-02T10:37:38.906172Z", "order_id": "SHOP1-7", "store_id": 3,
    "partner_id": 42, "amount_total": "25.00", "points_earned": "2.50", "points_redeemed": "0.00",
    "final_balance": "12.50", "lines": [{"line_id": 1}], "channel": "pos",
}  # fmt: skip
EARNED = {
    "number": 2, "topic": "points.earned", "at": "2026-03-02T10:37:38.906172Z", "order_id": "SHOP1-7", "partner_id": 42,
    "points": [{"card_id": 9, "program_id": 1, "points": "2.50", "balance": "12.50", "debt": "0.00"}],
}  # fmt: skip
BLOCKED = {"number": 3, "topic": "card.blocked", "at": "2026-03-02T10:37:39Z", "card_id": 9, "reason": "lost\x1b[2J", "by": None}


@pytest.fixture
def log():
    fake = FakeLog()
    fake.events = [ORDER, EARNED, BLOCKED]
    return fake


@pytest.fixture
def broker(log):
    with FakeBroker(log.answer) as fake:
        yield fake


@pytest.fixture
def feed(log):
    with FakeFeed(log) as fake:
        yield fake


def events(broker, *arguments, **options):
    """Runs it to its end."""
    return loyalty("events", "--endpoint", broker.endpoint, *arguments, **options)


def start(broker, *arguments):
    """Runs it beside the test."""
    arguments = [program("loyalty"), "events", "--endpoint", broker.endpoint, *arguments]
    return subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )


def test_lines_for_a_person(broker):
    done = events(broker, "--from", "1", "--no-follow")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "       1  2026-03-02 10:37:38  order.processed     SHOP1-7  partner 42  store 3  total 25.00  earned 2.50"
        "  redeemed 0.00  balance 12.50",
        "       2  2026-03-02 10:37:38  points.earned       SHOP1-7  partner 42  card 9  points 2.50  balance 12.50",
        "       3  2026-03-02 10:37:39  card.blocked        card_id 9  reason lost?[2J",
    ]


def test_lines_of_json(broker):
    done = events(broker, "--from", "2", "--count", "2", "--json")
    assert done.returncode == 0
    assert [json.loads(line) for line in done.stdout.splitlines()] == [EARNED, BLOCKED]


def test_topics(broker, log):
    done = events(broker, "--from", "1", "--no-follow", "--json", "--topic", "card.blocked,order.processed")
    assert [json.loads(line)["number"] for line in done.stdout.splitlines()] == [1, 3]
    assert log.reads[-1]["topics"] == ["card.blocked", "order.processed"]


def test_an_empty_feed_ends_at_once(broker, log):
    log.events = []
    for arguments in (["--from", "1"], []):
        done = events(broker, "--no-follow", *arguments)
        assert (done.returncode, done.stdout) == (0, "")


def test_follows_until_it_is_interrupted(broker, log, feed):
    process = start(broker, "--feed", feed.endpoint, "--json")
    wait_until(lambda: feed.socket.poll(0) and log.reads, 20, "its subscription, and where it begins")
    feed.socket.recv()
    feed.publish(*log.add(2))
    assert [json.loads(process.stdout.readline())["number"] for _ in range(2)] == [4, 5]
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (0, "", "")


def test_a_closed_pipe_ends_it(broker, log):
    log.add(5000)
    process = start(broker, "--from", "1")
    assert process.stdout.readline()
    process.stdout.close()
    log.add(5000)
    assert process.wait(20) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


def test_without_a_feed_it_asks(broker, log):
    process = start(broker, "--from", "3")
    assert "card.blocked" in process.stdout.readline()
    log.add(1)
    assert "order.processed" in process.stdout.readline()
    process.terminate()
    assert process.wait(20) == 0
    process.communicate()


def test_past_the_retention(broker, log):
    log.oldest = 3
    done = events(broker, "--from", "1", "--json")
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert (error["code"], error["details"]) == ("too_old", {"oldest": 3})
    done = events(broker, "--from", "1")
    assert done.returncode == 1 and "too_old" in done.stderr and '"oldest":3' in done.stderr


def test_not_allowed(broker, log):
    log.refuse = failure("forbidden")
    for arguments in (["--from", "1"], ["--no-follow"]):
        done = events(broker, *arguments)
        assert done.returncode == 1 and "forbidden" in done.stderr


def test_says_that_it_is_still_trying(log):
    with FakeBroker(log.answer) as broker:
        endpoint = broker.endpoint
    process = start(type("Nobody", (), {"endpoint": endpoint}), "--from", "1", "--count", "3", "--timeout-ms", "200")
    assert "unavailable" in process.stderr.readline()
    with FakeBroker(log.answer, endpoint):
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 0 and len(output.splitlines()) == 3


@pytest.mark.parametrize(
    "arguments",
    [["--from", "0"], ["--count", "0"], ["now"], ["--topic", "x" * 3000], ["--topic", ",".join("abc" * 11)]],
)
def test_wrong_usage(broker, arguments):
    done = events(broker, *arguments)
    assert done.returncode == 2 and "usage: loyalty events" in done.stderr


@pytest.mark.parametrize("feed", ["nowhere", "tcp://h:1,", ",".join(["tcp://h:1"] * 40), "tcp://" + "h" * 300])
def test_a_feed_that_is_no_endpoint(broker, feed):
    done = events(broker, "--feed", feed)
    assert done.returncode == 1 and "invalid_request: feeds" in done.stderr
