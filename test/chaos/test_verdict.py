"""The verdict itself: whatever is changed in the clients' logs or in the ledger, it finds."""

import copy

import pytest

from load import Entry
from verdict import Ledger, Verdict
from world import World


@pytest.fixture(scope="module")
def judged():
    """A world with a ledger in which everything is right."""
    world = World.begin()
    try:
        yield right(world)
    finally:
        world.end()


def right(world):
    with world.load(seed_number=1, warm_up=300):
        pass
    world.judge()
    kinds = {entry.operation.kind for entry in world.done if entry.ok}
    assert kinds == {"earn", "redeem", "refund", "cancel", "adjust"}, kinds
    return world


def pick(entries, *kinds):
    """An entry that was answered ok, and that nothing was done about later."""
    touched = {entry.operation.original for entry in entries}
    return next(entry for entry in entries if entry.ok and entry.operation.kind in kinds and entry.operation.key not in touched)


# What may be wrong in a log: how to make it so, and what has to be found


def told_more_points(entries):
    result = pick(entries, "earn").outcome["result"]
    result["points_earned"] = f"{float(result['points_earned']) + 1:.2f}"


def told_another_balance(entries):
    pick(entries, "redeem").outcome["result"]["points"][0]["balance"] = "0.01"


def told_another_price(entries):
    pick(entries, "redeem").outcome["result"]["amount_total"] = "0.01"


def told_ok_and_nothing_done(entries):
    entry = copy.deepcopy(pick(entries, "earn"))
    entry.operation.key = entry.operation.body["order_id"] = entry.outcome["result"]["order_id"] = "never"
    entries.append(entry)


def told_of_an_adjustment_and_nothing_done(entries):
    entry = copy.deepcopy(pick(entries, "adjust"))
    entry.operation.key = "never"
    entries.append(entry)


def told_no_and_done(entries):
    pick(entries, "earn").outcome = {"ok": False, "code": "claim_refused", "message": "no", "unknown": False}


def told_nothing(entries):
    pick(entries, "adjust").outcome = None


def told_unavailable(entries):
    pick(entries, "refund").outcome = {"ok": False, "code": "unavailable", "message": "no", "unknown": True}


def never_asked_for(entries):
    entries.remove(pick(entries, "earn"))


LOGS = {
    told_more_points: {"wrong"},
    told_another_balance: {"wrong"},
    told_another_price: {"wrong", "sum"},
    told_ok_and_nothing_done: {"lost"},
    told_of_an_adjustment_and_nothing_done: {"lost"},
    told_no_and_done: {"refused", "sum"},
    told_nothing: {"unsettled", "sum"},
    told_unavailable: {"unsettled", "sum"},
    never_asked_for: {"stranger", "sum"},
}


@pytest.mark.parametrize("change", LOGS, ids=lambda change: change.__name__)
def test_a_log_that_is_not_true_is_found(judged, change):
    entries = copy.deepcopy(judged.done)
    change(entries)
    findings = Verdict(entries, Ledger(judged.engine.query)).judge()
    assert {finding.what for finding in findings} == LOGS[change], findings


# What may be wrong in the ledger: SQL, and what has to be found. %(ref)s is the reference of an earning order, %(key)s
# its id, %(card)s its card; %(op)s is the key of an adjustment.

ONE_MORE_ROW = """
    INSERT INTO point_history (bucket, card_id, seq, recorded_at, kind, points_amount, points_balance, debt,
        transaction_time, order_ref, origin, lot_nos, lot_points) SELECT bucket, card_id, journal_count + 1, recorded_at, kind, points_amount,
        points + points_amount, card_debt, transaction_time, order_ref, origin, lot_nos, lot_points
    FROM (SELECT h.*, c.points, c.debt AS card_debt, c.journal_count FROM point_history h JOIN loyalty_cards c USING (bucket, card_id)
          WHERE h.order_ref = {ref} AND h.origin = {origin} AND c.card_id = {card}) one;
    UPDATE loyalty_cards SET points = points + (SELECT points_amount FROM point_history
        WHERE order_ref = {ref} AND origin = {origin} LIMIT 1) WHERE card_id = {card}"""
LEDGERS = {
    "an order is gone": ("DELETE FROM orders WHERE order_ref = %(ref)s", {"lost"}),
    "an order and its key are gone": (
        "DELETE FROM orders WHERE order_ref = %(ref)s; DELETE FROM request_keys WHERE order_ref = %(ref)s", {"lost", "sum"}),
    "its key is gone": ("DELETE FROM request_keys WHERE order_ref = %(ref)s", {"lost", "stranger", "sum"}),
    "its points were not booked": ("DELETE FROM point_history WHERE order_ref = %(ref)s", {"lost"}),
    "an order is there twice": (
        "INSERT INTO orders SELECT bucket, order_ref, recorded_at + interval '1 s', kind, state, partner_id, record"
        " FROM orders WHERE order_ref = %(ref)s", {"doubled"}),
    "an order is there twice, by another number": (
        "INSERT INTO orders SELECT bucket, 999999, recorded_at, kind, state, partner_id, record"
        " FROM orders WHERE order_ref = %(ref)s", {"stranger"}),
    "its points were booked twice": (ONE_MORE_ROW.format(ref="%(ref)s", origin="%(key)s", card="%(card)s"), {"doubled", "sum"}),
    "an adjustment was booked twice": (
        ONE_MORE_ROW.format(ref="0", origin="%(op)s", card="%(op_card)s"), {"doubled", "sum"}),
    "a point was created": ("UPDATE loyalty_cards SET points = points + 1 WHERE card_id = %(card)s", {"sum"}),
    "a debt was forgotten": ("UPDATE loyalty_cards SET debt = debt + 1 WHERE card_id = %(card)s", {"sum"}),
    "an order was not counted": (
        "UPDATE members SET order_count = order_count + 1 WHERE partner_id = %(partner)s", {"sum"}),
    "a cancelled order stands": (
        "UPDATE orders SET state = 1 WHERE order_ref = (SELECT min(order_ref) FROM orders WHERE state = 2)", {"wrong"}),
    "a key that nobody sent": ("UPDATE request_keys SET key = 'stranger' WHERE order_ref = %(ref)s", {"lost", "stranger", "sum"}),
}  # fmt: skip


@pytest.mark.parametrize("what", LEDGERS)
def test_a_ledger_that_is_not_true_is_found(judged, what):
    sql, expected = LEDGERS[what]
    order = pick(judged.done, "earn")
    adjustment = pick([entry for entry in judged.done if entry.operation.points > 0], "adjust")
    connection = judged.engine.db()
    try:
        with connection.cursor() as cursor:

            def query(text, parameters=None):
                cursor.execute(text, parameters)
                return cursor.fetchall() if cursor.description else []

            names = {
                "key": order.operation.key,
                "partner": order.operation.partner,
                "card": order.outcome["result"]["points"][0]["card_id"],
                "ref": query("SELECT order_ref FROM request_keys WHERE scope = 1 AND key = %s", (order.operation.key,))[0][0],
                "op": adjustment.operation.key,
                "op_card": adjustment.outcome["result"]["card_id"],
            }
            query(sql, names)
            findings = Verdict(judged.done, Ledger(query)).judge()
    finally:
        connection.rollback()
        connection.close()
    assert {finding.what for finding in findings} == expected, findings


def test_an_unanswered_request_is_sent_again_before_the_verdict(judged):
    """Whether it was done or not: it is settled by its key, and there once."""
    done = pick(judged.done, "earn")
    not_done = Entry(copy.deepcopy(done.operation), done.sent)
    not_done.operation.key = not_done.operation.body["order_id"] = "new"
    told, done.outcome = done.outcome, {"ok": False, "code": "unavailable", "message": "no", "unknown": True}
    judged.done.append(not_done)
    judged.judge()
    assert done.outcome["result"] == dict(told["result"], replayed=True)
    assert not_done.outcome["result"]["replayed"] is False
