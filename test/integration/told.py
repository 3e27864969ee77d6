"""What the tests of events share: what was told since a moment, read with `events.read`."""

from decimal import Decimal

from harness import wait_until


def all_numbered(engine):
    """Waits until the feed has numbered all that was committed."""
    wait_until(lambda: engine.query("SELECT count(*) FROM outbox") == [(0,)], 20, "the feed to number all events")


def newest(engine):
    """The number of the newest event."""
    all_numbered(engine)
    return engine.call("events.read")["last"]


def read_all(engine, after, **fields):
    """All events after a number, page by page."""
    all_numbered(engine)
    events = []
    while True:
        page = engine.call("events.read", dict({"after": after, "limit": 1000}, **fields))
        assert page["after"] >= after and page["last"] >= page["after"]
        events += page["events"]
        if page["after"] == page["last"]:
            return events
        assert page["after"] > after
        after = page["after"]


class Told:
    """What is told from now on."""

    def __init__(self, engine):
        self.engine = engine
        self.after = newest(engine)

    def events(self, *topics):
        """What was told since the last call; of these topics."""
        events = read_all(self.engine, self.after)
        assert [event["number"] for event in events] == list(range(self.after + 1, self.after + len(events) + 1))
        self.after += len(events)
        return [event for event in events if not topics or event["topic"] in topics]

    def one(self, topic):
        """The one event of a topic that was told since."""
        (event,) = self.events(topic)
        return event


def points_told(events):
    """How the stored points of each card changed, by what was told: {card_id: sum}."""
    sums = {}

    def add(card_id, points):
        sums[card_id] = sums.get(card_id, Decimal(0)) + Decimal(points)

    for event in events:
        if event["topic"] in ("order.processed", "order.refunded", "order.cancelled"):
            for card in event["points"]:
                add(card["card_id"], card["change"])
        elif event["topic"] in ("card.adjusted", "points.expired", "referral.booked"):
            add(event["card_id"], event["points"])
        elif event["topic"] == "card.created" and "order_id" not in event:
            for card in event["cards"]:
                add(card["card_id"], card["points"])
    return sums


def assert_points_add_up(engine):
    """What was told of each card is what it has, and nothing else was told."""
    stored = dict(engine.query("SELECT card_id, points / 100.0 FROM loyalty_cards WHERE points <> 0"))
    told = {card: points for card, points in points_told(read_all(engine, 0)).items() if points != 0}
    assert told == stored
