"""Compares what subscribers saw of the feed with each other, with the ledger, and with what clients were told."""

import collections
import itertools

from operations import hundredths
from verdict import Finding

ORDERS = {"order.processed": 1, "order.refunded": 2, "order.cancelled": 3}  # and the kind of their rows
MOVES = {**ORDERS, "card.adjusted": 0}  # the topics that tell of points moved on cards, once for each change
POINTS = {"points.earned": "points_earned", "points.redeemed": "points_redeemed"}  # and the field of the answer

# The changes of each card, in the order of its journal: of rows of one order or operation that follow each other the last one has
# the balance. What is behind bears a time before that of a row before it (verdict.py), and told the balance as of its own.
JOURNAL = """
    WITH rows AS (
        SELECT card_id, seq, order_ref, origin, points_balance, debt,
               lag((order_ref, origin)) OVER card IS DISTINCT FROM (order_ref, origin) AS is_first,
               max(transaction_time) OVER (PARTITION BY card_id ORDER BY seq) > transaction_time AS is_behind
        FROM point_history WINDOW card AS (PARTITION BY card_id ORDER BY seq)),
    changes AS (SELECT *, count(*) FILTER (WHERE is_first) OVER (PARTITION BY card_id ORDER BY seq) AS change FROM rows)
    SELECT card_id, min(order_ref), min(origin), (array_agg(points_balance ORDER BY seq DESC))[1],
           (array_agg(debt ORDER BY seq DESC))[1], bool_or(is_behind)
    FROM changes GROUP BY card_id, change ORDER BY card_id, change"""

Change = collections.namedtuple("Change", "place balance debt is_behind")
Event = collections.namedtuple("Event", "number topic digest about money cards")


def event_of(line):
    number, topic, digest, about, money, cards = line.split("\t")
    return Event(int(number), topic, digest, about, money, cards)


def read_events(path):
    """The events of one subscriber's log, in the order in which it got them; a last line that was cut off is left out."""
    with open(path) as log:
        for line in log:
            if line.endswith("\n"):
                yield event_of(line[:-1])


class Changes:
    """What the database holds that events tell of, read at once."""

    def __init__(self, query):
        ids = {ref: key for key, ref in query("SELECT key, order_ref FROM request_keys WHERE order_ref > 0")}
        #: Orders, refunds and cancels, by kind and id, and their numbers.
        self.refs = {(kind, ids.get(ref, str(ref))): ref for ref, kind in query("SELECT order_ref, kind FROM orders")}
        self.journal = collections.defaultdict(list)
        for card, order_ref, origin, *figures in query(JOURNAL):
            self.journal[card].append(Change(order_ref or origin, *figures))
        self.cards = {card for (card,) in query("SELECT card_id FROM loyalty_cards")}
        ((self.last,),) = query("SELECT last FROM feed_state")


class FeedVerdict:
    """Judges the logs of all subscribers, which follow the feed from its first event. `logs` are callables that give the
    events of one subscriber each time they are called."""

    FINDINGS_MAX = 1000

    def __init__(self, logs, changes, entries):
        self.logs = logs
        self.changes = changes
        self.entries = entries
        self.findings = []

    def find(self, what, key, text):
        if len(self.findings) < self.FINDINGS_MAX:
            self.findings.append(Finding(what, key, text))

    def judge(self):
        """All findings; none is what a test wants."""
        for name, log in self.logs.items():
            self.judge_numbers(name, log)
        if not self.findings:  # else one difference would be found again in every event behind it
            self.judge_same()
        self.judge_effects(next(iter(self.logs.values())))
        return self.findings

    # Of each subscriber: every number once, in order, up to the last

    def judge_numbers(self, name, log):
        expected = 1
        for event in log():
            if event.number < expected:
                self.find("repeat", name, f"event {event.number} after {expected - 1}")
            elif event.number > expected:
                self.find("gap", name, f"event {event.number} after {expected - 1}")
            expected = event.number + 1
        if expected - 1 != self.changes.last:
            self.find("tail", name, f"its last event is {expected - 1}; the feed's is {self.changes.last}")

    # All of them the same

    def judge_same(self):
        for events in itertools.zip_longest(*(log() for log in self.logs.values())):
            if any(event != events[0] for event in events):
                self.find("differ", str(events[0] and events[0].number), f"{dict(zip(self.logs, events))}")
                return

    # What events tell is what was done, each once; and in the order in which it was done

    def judge_effects(self, log):
        seen, created = collections.Counter(), collections.Counter()
        money, points = {}, collections.Counter()
        moves = collections.defaultdict(list)  # of each card, in the order of the feed
        for event in log():
            if event.topic in ORDERS:
                order = ORDERS[event.topic], event.about
                seen[order] += 1
                money[order] = event.money
            for card, *figures in ([] if event.cards == "-" else (card.split(":") for card in event.cards.split(","))):
                if event.topic == "card.created":
                    created[int(card)] += 1
                elif event.topic in MOVES:
                    moves[int(card)].append((event, *figures))
                elif event.topic in POINTS:
                    points[event.topic, event.about] += hundredths(figures[0])
        self.judge_all("order", seen, self.changes.refs)
        self.judge_all("card", created, self.changes.cards)
        self.judge_answers(money)
        self.judge_points(points)
        for card in moves.keys() | self.changes.journal.keys():
            self.judge_card(card, moves[card])

    def judge_all(self, what, seen, stored):
        """Each has one event, and each event is of one."""
        for one, count in seen.items():
            if count > 1:
                self.find("doubled", str(one), f"{count} events of this {what}")
            if one not in stored:
                self.find("stranger", str(one), f"an event tells of this {what}, and the ledger does not know it")
        for one in stored:
            if one not in seen:
                self.find("untold", str(one), f"this {what} is in the ledger, and has no event")

    def judge_answers(self, money):
        """The order's total in the event is what its client was told."""
        kinds = {"earn": 1, "redeem": 1, "refund": 2, "cancel": 3}
        for entry in self.entries:
            if not entry.ok or entry.operation.kind not in kinds:
                continue
            told = entry.outcome["result"]["amount_total"]
            event = money.get((kinds[entry.operation.kind], entry.operation.key), told)  # none: was found before
            if event != told:
                self.find("wrong", entry.operation.key, f"was answered {told}, and its event tells {event}")

    def judge_points(self, points):
        """What an order earned and redeemed is told as it was answered. (What a cancel takes back may have been spent: it is in the
        journal.)"""
        cancelled = {entry.operation.original for entry in self.entries if entry.ok and entry.operation.kind == "cancel"}
        for entry in self.entries:
            key = entry.operation.key
            if entry.ok and entry.operation.kind in ("earn", "redeem") and key not in cancelled:
                for topic, field in POINTS.items():
                    told = hundredths(entry.outcome["result"][field])
                    if points[topic, key] != told:
                        self.find("points", key, f"its events of {topic} tell {points[topic, key]}; {told} follow from the answers")

    def judge_card(self, card, moves):
        """Its events are the changes of its journal, in their order, with the balances that they left."""
        journal = self.changes.journal[card]
        known = {change.place for change in journal}
        told = []
        for event, moved, balance, debt in moves:
            place = self.place(event)
            if place in known:
                told.append((place, hundredths(balance), hundredths(debt)))
            elif hundredths(moved) != 0:
                self.find("card", str(card), f"event {event.number} of {event.about} moved {moved} points; its journal knows nothing")
        if [place for place, _, _ in told] != [change.place for change in journal]:
            self.find("card", str(card), f"its events are {[place for place, _, _ in told][-8:]}, and its journal has "
                      f"{[change.place for change in journal][-8:]} in the end")  # fmt: skip
            return
        for (place, *figures), change in zip(told, journal):
            if not change.is_behind and figures != [change.balance, change.debt]:
                self.find("balance", str(card), f"{place} left {change.balance}, {change.debt}, and its event tells {figures}")

    def place(self, event):
        """What the journal's rows of an event bear: the order's number, or an operation's reason."""
        return self.changes.refs.get((MOVES[event.topic], event.about)) if event.topic in ORDERS else event.about
