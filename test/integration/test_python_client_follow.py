"""A subscriber's decisions in the Python client: the vectors that every client has to pass, and the bounds."""

import itertools
import json
import random

import msgpack
import pytest
from harness import ROOT  # also puts the Python client on the path
from loyalty_client import Internal, InvalidRequest, _follow

CASES = json.loads((ROOT / "test" / "vectors" / "events.json").read_text())["cases"]


def event(topic, number, **fields):
    """An event's map, as bytes."""
    return msgpack.packb({"number": number, "topic": topic, **fields})


class Player:
    """Plays the steps of one case."""

    def __init__(self, case):
        self.now = 1000.0
        self.follow = _follow.Follow(case["after"], case["topics"], case.get("silence_ms", 2000) / 1000, self.now)

    def play(self, what, *arguments):
        getattr(self, "step_" + what)(*arguments)

    def step_event(self, topic, number):
        self.follow.message([topic.encode(), event(topic, number)], self.now)

    def step_tip(self, number, epoch):
        self.follow.message([b"tip", msgpack.packb({"number": number, "epoch": epoch})], self.now)

    def step_garbage(self, topic, data):
        self.follow.message([topic.encode(), bytes.fromhex(data)], self.now)

    def step_page(self, page):
        events = [{"number": number, "topic": topic} for topic, number in page["events"]]
        self.follow.page(dict(page, events=events), self.now)

    def step_failed(self):
        self.follow.read_failed(self.now)

    def step_wait(self, milliseconds):
        self.now += milliseconds / 1000 + 1e-9  # floating point may fall short

    def step_resume(self, after):
        self.follow.resume(after)

    def step_next(self, numbers):
        handed_out = []
        while (one := self.follow.next()) is not None:
            handed_out.append(one["number"])
        assert handed_out == numbers

    def step_reads(self, expected):
        assert (self.now >= self.follow.read_due()) == expected

    def step_limit(self, expected):
        assert self.follow.read_limit() == expected

    def step_state(self, expected):
        state = {
            "position": self.follow.position,
            "newest": self.follow.newest,
            "gap": self.follow.has_gap(),
            "ahead": self.follow.is_ahead(),
        }
        assert {name: state[name] for name in expected} == expected

    def step_count(self, expected):
        assert {name: self.follow.counts[name] for name in expected} == expected


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_vectors(case):
    player = Player(case)
    for number, step in enumerate(case["steps"], 1):
        try:
            player.play(*step)
        except AssertionError as error:
            raise AssertionError(f"step {number}: {step}") from error


def test_keeps_no_more_than_its_bound():
    follow = _follow.Follow(0, [], 2, 0)
    for number in range(2, _follow.ARRIVED_MAX + 12):
        follow.message([b"alert", event("alert", number)], 0)
    assert follow.counts["dropped"] == 10 and follow.next() is None and follow.read_due() <= 0
    follow.position = 11  # as if it had been read
    assert [one["number"] for one in iter(follow.next, None)] == list(range(12, _follow.ARRIVED_MAX + 12))


def test_keeps_no_more_bytes_than_its_bound():
    follow = _follow.Follow(0, [], 2, 0)
    for number in range(2, 30):
        follow.message([b"alert", event("alert", number, text="x" * 1000000)], 0)
        assert follow._arrived_bytes <= _follow.ARRIVED_BYTES_MAX
    assert follow.counts["dropped"] == 20


@pytest.mark.parametrize("answer", [{}, {"events": 1, "after": 1, "last": 1}, {"events": [], "after": "1", "last": 1}])
def test_an_answer_that_is_none(answer):
    follow = _follow.Follow(0, [], 2, 0)
    with pytest.raises(Internal):
        follow.page(answer, 0)
    assert follow.next() is None and 0 < follow.read_due() < 1


@pytest.mark.parametrize("after", [-1, "1", 1.5, True])
def test_after_is_a_number(after):
    with pytest.raises(InvalidRequest):
        _follow.Follow(after, [], 2, 0)


class World:
    """An engine whose messages get lost, doubled and mixed up, and whose answers are late."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.topics = self.chance.choice([[], ["alert"]])
        self.now, self.last, self.taken = 1000.0, 0, []
        self.begin()

    def begin(self):
        """A subscriber that goes on behind what was taken."""
        self.follow = _follow.Follow(self.taken[-1] if self.taken else 0, self.topics, 2, self.now)
        self.asked = None  # after which number the read under way asks

    @staticmethod
    def topic(number):
        return "card.created" if number % 3 else "alert"

    def wanted(self):
        return [number for number in range(1, self.last + 1) if not self.topics or self.topic(number) in self.topics]

    def say(self, number):
        self.follow.message([self.topic(number).encode(), event(self.topic(number), number)], self.now)

    def tip(self):
        self.follow.message([b"tip", msgpack.packb({"number": self.last, "epoch": 2})], self.now)

    def publish(self):
        new = range(self.last + 1, self.last + 1 + self.chance.randrange(12))
        self.last += len(new)
        said = [number for number in new if self.chance.random() < 0.9]
        said += [self.chance.randint(max(1, self.last - 20), self.last) for _ in range(self.chance.randrange(4)) if self.last]
        self.chance.shuffle(said)
        for number in said:
            self.say(number)
        if self.chance.random() < 0.25:
            self.tip()

    def answer(self, known, limit):
        after, events = self.asked, []
        while after < known and len(events) < limit:
            after += 1
            if not self.topics or self.topic(after) in self.topics:
                events.append({"number": after, "topic": self.topic(after)})
        self.follow.page({"events": events, "after": after, "last": known}, self.now)

    def read(self):
        """Asks, or is answered: perhaps some rounds later, when others have brought what was asked for."""
        if self.asked is None and self.now >= self.follow.read_due():
            self.asked = self.follow.position
        if self.asked is None or self.chance.random() < 0.5:
            return
        kind = self.chance.randrange(6)
        if kind == 0:
            self.follow.read_failed(self.now)
        else:
            lag = self.chance.randrange(10) if kind == 1 else 0  # a replica that is behind
            self.answer(max(0, self.last - lag), self.chance.randint(1, 30))
        self.asked = None

    def take(self, most):
        for one in itertools.islice(iter(self.follow.next, None), most):
            self.taken.append(one["number"])

    def live(self):
        while self.last < 400:
            self.now += self.chance.random() / 5
            self.publish()
            self.take(self.chance.randrange(20))
            if self.follow.next() is not None:  # taken and not dealt with, as the subscriber dies here
                self.begin()
            else:
                self.read()
            assert self.taken == self.wanted()[: len(self.taken)]
        for _ in range(800):  # all is well again
            self.now += 3
            self.tip()
            self.take(None)
            if self.now >= self.follow.read_due():
                self.asked = self.follow.position
                self.answer(self.last, 50)
            self.take(None)
            if self.follow.position == self.last:
                break
        assert self.taken == self.wanted() and self.now < self.follow.read_due()


def test_random_worlds():
    for seed in range(25):
        World(seed).live()
