"""The verdict on the feed itself: whatever is changed in the subscribers' logs or in the ledger, it finds."""

import pytest

from feed_verdict import Changes, FeedVerdict
from subscribers import Subscribers
from world import World

SEEN_S = 60


@pytest.fixture(scope="module")
def judged():
    """A world whose feed three subscribers have seen whole, and their logs, which are right."""
    world = World.begin()
    try:
        with Subscribers(world) as subscribers:
            with world.load(seed_number=1, warm_up=200):
                pass
            world.judge()
            subscribers.wait(SEEN_S)
            logs = {name: list(log()) for name, log in subscribers.logs().items()}
        assert judge(logs, Changes(world.engine.query), world.done) == []
        topics = {event.topic for log in logs.values() for event in log}
        assert {"order.processed", "order.refunded", "order.cancelled", "card.created", "card.adjusted", "points.earned"} <= topics
        yield world, logs
    finally:
        world.end()


def judge(logs, changes, entries):
    return FeedVerdict({name: log.__iter__ for name, log in logs.items()}, changes, entries).judge()


def findings_of(logs, world):
    return {finding.what for finding in judge(logs, Changes(world.engine.query), world.done)}


def numbered(events):
    """With dense numbers again."""
    return [event._replace(number=number) for number, event in enumerate(events, 1)]


def index_of(events, *topics):
    """Of an event that moved points, of an order that nothing else is about, or of no order."""
    orders = {}
    for event in events:
        if event.topic in ORDERS:
            orders.setdefault(event.about, []).append(event.topic)
    return next(
        index for index, event in enumerate(events)
        if event.topic in topics and event.cards != "-" and orders.get(event.about, ["order.processed"]) == ["order.processed"]
    )  # fmt: skip


ORDERS = ("order.processed", "order.refunded", "order.cancelled")


# What may be wrong in one subscriber's log


def one_is_missing(events):
    del events[len(events) // 2]


def one_came_twice(events):
    events.insert(len(events) // 2, events[len(events) // 2 - 1])


def two_changed_places(events):
    middle = len(events) // 2
    events[middle], events[middle + 1] = events[middle + 1], events[middle]


def the_first_is_missing(events):
    del events[0]


def the_last_is_missing(events):
    del events[-1]


def one_tells_something_else(events):
    events[5] = events[5]._replace(digest="0" * 32)


def one_bears_anothers_number(events):
    middle = len(events) // 2
    one, other = events[middle], events[middle + 1]
    events[middle : middle + 2] = [other._replace(number=one.number), one._replace(number=other.number)]


OF_ONE = {
    one_is_missing: {"gap"},
    one_came_twice: {"repeat"},
    two_changed_places: {"gap", "repeat"},
    the_first_is_missing: {"gap"},
    the_last_is_missing: {"tail"},
    one_tells_something_else: {"differ"},
    one_bears_anothers_number: {"differ"},
}


@pytest.mark.parametrize("number", (0, 1, 2))
@pytest.mark.parametrize("change", OF_ONE, ids=lambda change: change.__name__)
def test_a_log_that_is_not_true_is_found(judged, change, number):
    world, logs = judged
    logs = {name: list(log) for name, log in logs.items()}
    change(list(logs.values())[number])
    assert OF_ONE[change] <= findings_of(logs, world)


# What may be wrong in the feed itself, so that all saw the same


def an_order_is_not_told(events):
    del events[index_of(events, "order.processed")]
    events.append(events[-1]._replace(topic="alert"))


def an_order_is_told_twice(events):
    events.append(events[index_of(events, "order.processed")])
    del events[index_of(events, "points.earned")]


def an_order_is_told_of_another(events):
    index = index_of(events, "order.processed")
    events[index] = events[index]._replace(about="never")


def another_price_is_told(events):
    index = index_of(events, "order.processed")
    events[index] = events[index]._replace(money="0.01")


def another_balance_is_told(events):
    index = index_of(events, "card.adjusted")
    card, change, balance, debt = events[index].cards.split(":")
    events[index] = events[index]._replace(cards=f"{card}:{change}:{float(balance) + 0.01:.2f}:{debt}")


def an_adjustment_is_not_told(events):
    index = index_of(events, "card.adjusted")
    events[index] = events[index]._replace(topic="alert")


def points_earned_are_not_told(events):
    index = index_of(events, "points.earned")
    events[index] = events[index]._replace(topic="alert")


def other_points_redeemed_are_told(events):
    index = index_of(events, "points.redeemed")
    card, points, *rest = events[index].cards.split(":")
    events[index] = events[index]._replace(cards=":".join([card, f"{float(points) + 1:.2f}", *rest]))


def a_card_is_not_told(events):
    index = index_of(events, "card.created")
    events[index] = events[index]._replace(topic="alert")


def points_of_nobody_are_told(events):
    index = index_of(events, "card.adjusted")
    events[index] = events[index]._replace(about="never")


def changes_of_a_card_are_told_in_another_order(events):
    """Two adjustments of a card that follow each other."""
    last = {}
    for index, event in enumerate(events):
        if event.topic not in (*ORDERS, "card.adjusted") or event.cards == "-":
            continue
        card = event.cards.split(":")[0]
        if event.topic == "card.adjusted" and card in last and events[last[card]].topic == "card.adjusted":
            events[index], events[last[card]] = events[last[card]], events[index]
            return
        last[card] = index
    raise AssertionError("no two adjustments of a card follow each other")


OF_ALL = {
    an_order_is_not_told: {"untold", "card"},
    an_order_is_told_twice: {"doubled", "card", "points"},
    an_order_is_told_of_another: {"untold", "stranger", "card"},
    another_price_is_told: {"wrong"},
    another_balance_is_told: {"balance"},
    an_adjustment_is_not_told: {"card"},
    points_earned_are_not_told: {"points"},
    other_points_redeemed_are_told: {"points"},
    a_card_is_not_told: {"untold"},
    points_of_nobody_are_told: {"card"},
    changes_of_a_card_are_told_in_another_order: {"card"},
}


@pytest.mark.parametrize("change", OF_ALL, ids=lambda change: change.__name__)
def test_a_feed_that_is_not_true_is_found(judged, change):
    world, logs = judged
    events = list(next(iter(logs.values())))
    change(events)
    assert findings_of(dict.fromkeys(logs, numbered(events)), world) == OF_ALL[change]


# What may be wrong in the ledger

LEDGERS = {
    "an order is gone": ("DELETE FROM orders WHERE order_ref = (SELECT max(order_ref) FROM orders WHERE kind = 1)", {"stranger", "card"}),
    "an order that nobody was told of": (
        "INSERT INTO orders SELECT bucket, 999999, recorded_at, kind, state, partner_id, record FROM orders LIMIT 1", {"untold"}),
    "a change of a card is gone": (
        "DELETE FROM point_history WHERE (card_id, seq) = (SELECT card_id, max(seq) FROM point_history GROUP BY card_id"
        " ORDER BY count(*) DESC LIMIT 1)", {"card", "balance"}),
    "a balance is another": (
        "UPDATE point_history SET points_balance = points_balance + 1 WHERE (card_id, seq) = (SELECT card_id, max(seq)"
        " FROM point_history GROUP BY card_id ORDER BY count(*) DESC LIMIT 1)", {"balance"}),
    "the feed has more": ("UPDATE feed SET number = number + 1 WHERE number = (SELECT max(number) FROM feed)", {"tail"}),
}  # fmt: skip


@pytest.mark.parametrize("what", LEDGERS)
def test_a_ledger_that_is_not_true_is_found(judged, what):
    world, logs = judged
    sql, expected = LEDGERS[what]
    connection = world.engine.db()
    try:
        with connection.cursor() as cursor:

            def query(text):
                cursor.execute(text)
                return cursor.fetchall() if cursor.description else []

            query(sql)
            found = {finding.what for finding in judge(logs, Changes(query), world.done)}
    finally:
        connection.rollback()
        connection.close()
    assert found and found <= expected, found
