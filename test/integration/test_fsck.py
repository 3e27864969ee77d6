"""`loyalty fsck`: it finds what somebody changed by hand, whatever it was, and says where."""

import json

import pytest

from harness import Engine

PROGRAM = 1
TABLES = (
    "loyalty_cards", "point_moves", "point_history", "orders", "order_refunds", "request_keys", "card_codes", "members",
)  # fmt: skip


def order(number, partner, price, **fields):
    line = {"line_id": "a", "product_id": 1, "qty": 1, "price_unit": price}
    return dict({"order_id": number, "partner_id": partner, "lines": [line]}, **fields)


@pytest.fixture(scope="module", params=[1, 8], ids=["buckets=1", "buckets=8"])
def ledger(request):
    """An engine with a small ledger: points earned, redeemed, taken back, given back, adjusted and owed."""
    with Engine(buckets=request.param) as engine:
        engine.call("program.put", {
            "program_id": PROGRAM,
            "name": "Points",
            "program_type": "loyalty",
            "expiry": {"policy": "years", "count": 1},
            "rules": [{"reward_point_mode": "money", "reward_point_amount": 1}],
            "rewards": [{"discount_mode": "per_point", "discount": "0.01", "required_points": 100}],
        })  # fmt: skip
        for partner in (1, 2, 3):
            engine.call("order.process", order(f"E{partner}", partner, "250.00"))
        claimed = engine.call("order.process", order("R1", 1, "80.00", claims=[{"program_id": PROGRAM}]))
        assert float(claimed["points_redeemed"]) > 0
        refund = order("C1", 1, "80.00", refund_of="R1")
        refund["lines"][0]["qty"] = -1
        engine.call("order.refund", refund)
        engine.call("card.adjust", {"partner_id": 2, "program_id": PROGRAM, "points": "10.00", "reason": "sorry"})
        engine.call("order.process", order("X3", 3, "20.00"))
        engine.call("order.cancel", {"order_id": "X3"})
        # Points are spent, and then the order that gave them comes back: partner 3 owes some.
        engine.call("order.process", order("S3", 3, "60.00", claims=[{"program_id": PROGRAM}]))
        back = order("C3", 3, "250.00", refund_of="E3")
        back["lines"][0]["qty"] = -1
        engine.call("order.refund", back)
        engine.query("CREATE SCHEMA kept")
        for table in TABLES:
            engine.query(f"CREATE TABLE kept.{table} AS TABLE public.{table}")
        # What the database would refuse by itself has to be found too, should a constraint ever be missing.
        for table, name in engine.query(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'c' AND NOT conislocal IS FALSE"
            " AND coninhcount = 0 AND conrelid::regclass::text = ANY (%s)",
            (list(TABLES),),
        ):
            engine.query(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        yield engine


@pytest.fixture
def whole(ledger):
    """The ledger as it was, before and after."""
    yield ledger
    for table in TABLES:
        ledger.query(f"TRUNCATE public.{table}; INSERT INTO public.{table} SELECT * FROM kept.{table}")


def card_of(engine, partner):
    return engine.query("SELECT card_id FROM loyalty_cards WHERE partner_id = %s", (partner,))[0][0]


def findings(engine):
    """What fsck finds: a list of (check, card, order, figure, expected, found)."""
    return [
        (check["name"], *(finding[name] for name in ("card", "order", "figure", "expected", "found")))
        for check in engine.fsck()["checks"]
        for finding in check["findings"]
    ]


def test_an_untouched_ledger_is_whole(whole):
    result = whole.assert_ledger_holds()
    assert result["cards"] == 3 and [(result["orders"],)] == whole.query("SELECT count(*) FROM orders")
    assert len(result["checks"]) >= 15
    kinds = {kind for (kind,) in whole.query("SELECT DISTINCT kind FROM point_history")}
    assert {1, 2, 3, 4, 5} <= kinds, "the ledger of this test holds too little"
    assert whole.query("SELECT count(*) FROM loyalty_cards WHERE debt > 0") == [(1,)]
    done = whole.command("fsck")
    assert done.returncode == 0 and done.stdout.startswith("ok: 3 cards, ")


# (SQL with the card of partner 1 as %(card)s, checks that must find it, part of a figure)
DAMAGE = {
    "points of a card": ("UPDATE loyalty_cards SET points = points + 100 WHERE card_id = %(card)s",
                         ["10_card_points_of_lots", "11_card_points_of_journal", "12_card_last_balance"], "points"),
    "debt of a card": ("UPDATE loyalty_cards SET debt = debt + 1 WHERE card_id = %(card)s", ["12_card_last_balance"], "debt"),
    "points held": ("UPDATE loyalty_cards SET held = points + 1 WHERE card_id = %(card)s", ["13_card_counts"], "held"),
    "number of lots": ("UPDATE loyalty_cards SET lot_count = lot_count + 1 WHERE card_id = %(card)s", ["13_card_counts"], "lots"),
    "first expiry of a card": ("UPDATE loyalty_cards SET first_expiry = 'infinity' WHERE card_id = %(card)s",
                               ["14_card_instants"], "first expiry"),
    "pending lots of a card": ("UPDATE point_moves SET usable_from = 'infinity' WHERE card_id = %(card)s AND lot_no = 1",
                               ["14_card_instants"], "pending until"),
    "a lot booked later than its card says": ("UPDATE point_moves SET state = 3 WHERE card_id = %(card)s AND lot_no = 1",
                                              ["14_card_instants"], "booked until"),
    "bucket of a card": ("UPDATE loyalty_cards SET bucket = bucket + 1 WHERE card_id = %(card)s", ["13_card_counts"], "bucket"),
    "a card that is gone": ("DELETE FROM loyalty_cards WHERE card_id = %(card)s",
                            ["10_card_points_of_lots", "11_card_points_of_journal", "50_codes"], "points"),
    "remaining of a lot": ("UPDATE point_moves SET remaining = remaining - 1 WHERE card_id = %(card)s AND lot_no = 1",
                           ["10_card_points_of_lots", "30_lot_uses"], "remaining of lot 1"),
    "state of a lot": ("UPDATE point_moves SET state = 2 WHERE card_id = %(card)s AND lot_no = 1", ["31_lot_states"], "state of lot 1"),
    "a lot called expired": ("UPDATE point_moves SET state = 3 WHERE card_id = %(card)s AND lot_no = 1",
                             ["10_card_points_of_lots", "30_lot_uses"], "expired of lot 1"),
    "a lot that is gone": ("DELETE FROM point_moves WHERE card_id = %(card)s AND lot_no = 1",
                           ["10_card_points_of_lots", "13_card_counts", "30_lot_uses"], "remaining of lot 1"),
    "a lot from nowhere": ("INSERT INTO point_moves SELECT bucket, card_id, 99, 1, gained, usable_from, expires, 500, 500, 0"
                           " FROM point_moves WHERE card_id = %(card)s AND lot_no = 1",
                           ["10_card_points_of_lots", "13_card_counts", "30_lot_uses"], "remaining of lot 99"),
    "amount of a journal row": ("UPDATE point_history SET points_amount = points_amount + 1 WHERE card_id = %(card)s AND seq = 1",
                                ["11_card_points_of_journal", "20_journal_chain", "21_journal_lots", "72_order_effects"], "journal row 1"),
    "balance of a journal row": ("UPDATE point_history SET points_balance = points_balance + 1 WHERE card_id = %(card)s AND seq = 1",
                                 ["20_journal_chain"], "balance of journal row 1"),
    "a journal row that is gone": ("DELETE FROM point_history WHERE card_id = %(card)s AND seq = 1",
                                   ["11_card_points_of_journal", "20_journal_chain", "30_lot_uses", "72_order_effects"], "journal row"),
    "sign of a journal row": ("UPDATE point_history SET points_amount = -points_amount WHERE card_id = %(card)s AND seq = 1",
                              ["22_journal_signs", "20_journal_chain"], "sign of journal row 1"),
    "lots of a journal row": ("UPDATE point_history SET lot_nos = '{77}' WHERE card_id = %(card)s AND seq = 1",
                              ["30_lot_uses"], "remaining of lot 77"),
    "order of a journal row": ("UPDATE point_history SET order_ref = 999999 WHERE card_id = %(card)s AND seq = 1",
                               ["61_orders_of_journal", "72_order_effects"], "order of journal row 1"),
    "a member that became nobody": ("UPDATE members SET merged_into = 999, order_count = 0, spending = 0 WHERE partner_id = 1",
                                    ["47_merged"], "merged partner 1"),
    "a member that did not become another": ("UPDATE members SET absorbed = '{77}' WHERE partner_id = 1", ["47_merged"],
                                             "partner 77 that became partner 1"),
    "a card that gave way and has points": ("UPDATE loyalty_cards SET merged_into = 424242, single = false WHERE card_id = %(card)s",
                                            ["47_merged"], "merged into card 424242"),
    "a negative balance": ("UPDATE loyalty_cards SET points = -1 WHERE card_id = %(card)s", ["40_nothing_negative"], "points"),
    "code of a card": ("UPDATE loyalty_cards SET code = 'WRONG' WHERE card_id = %(card)s", ["50_codes"], "code"),
    "a code without a card": ("INSERT INTO card_codes VALUES (0, 'NOBODY', 424242)", ["50_codes"], "code"),
    "an order that is gone": ("DELETE FROM orders WHERE order_ref = (SELECT order_ref FROM request_keys WHERE key = 'E1')",
                              ["60_keys_of_orders", "61_orders_of_journal", "72_order_effects"], "order"),
    "a key that is gone": ("DELETE FROM request_keys WHERE key = 'E1'", ["60_keys_of_orders"], "key"),
    "a key of another order": ("UPDATE request_keys SET key = 'E9' WHERE key = 'E1'", ["71_order_ids"], "order id"),
    "a refund without its original": ("UPDATE order_refunds SET original_ref = 888888", ["62_refunds"], "original"),
    "a record that is damaged": ("UPDATE orders SET record = set_byte(record, octet_length(record) / 2,"
                                 " 255 - get_byte(record, octet_length(record) / 2))"
                                 " WHERE order_ref = (SELECT order_ref FROM request_keys WHERE key = 'E1')",
                                 ["70_order_records", "72_order_effects"], "record"),
    "a record of another order": ("UPDATE orders SET record = (SELECT o.record FROM orders o JOIN request_keys k USING (order_ref)"
                                  " WHERE k.key = 'E2') WHERE order_ref = (SELECT order_ref FROM request_keys WHERE key = 'E1')",
                                  ["70_order_records", "71_order_ids", "72_order_effects"], "order"),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGE)
def test_what_was_changed_by_hand_is_found(whole, what):
    sql, checks, figure = DAMAGE[what]
    card = card_of(whole, 1)
    whole.query(sql.replace("%(card)s", str(card)))
    found = findings(whole)
    assert set(checks) <= {name for name, *_ in found}, found
    assert any(figure in finding[3] for finding in found), found
    # It blames nothing of the members that were left alone, but for what is compared across orders.
    others = {card_of(whole, 2), card_of(whole, 3)}
    if what not in ("a record of another order",):
        assert not [finding for finding in found if finding[1] in others], found


def test_a_finding_names_card_order_figure_and_both_values(whole):
    card = card_of(whole, 1)
    whole.query(f"UPDATE point_history SET points_amount = points_amount + 123 WHERE card_id = {card} AND seq = 1")
    assert ("72_order_effects", card, "E1", "points earned", "250.00", "251.23") in findings(whole)
    done = whole.command("fsck")
    assert done.returncode == 1
    assert f"card {card}, order E1, points earned: expected 250.00, found 251.23" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("NOT OK: 3 cards, ")


def test_no_more_than_a_hundred_findings_of_a_check_are_listed(whole):
    whole.query(
        "INSERT INTO card_codes SELECT 0, 'CODE' || n, 1000000 + n FROM generate_series(1, 150) AS n"
    )
    result = whole.fsck()
    codes = next(check for check in result["checks"] if check["name"] == "50_codes")
    assert len(codes["findings"]) == 100 and codes["more"] is True
    assert "and more" in whole.command("fsck").stdout


def test_it_reads_one_snapshot_while_orders_come_in(whole):
    """Orders that are written while fsck reads are all seen or not at all."""
    import threading

    stop = threading.Event()
    failures = []

    def send():
        client = whole.client()
        number = 0
        while not stop.is_set():
            number += 1
            try:
                client.order_process(order(f"N{number}", number % 20 + 10, "30.00"))
            except Exception as error:  # the main thread asserts that there was none
                failures.append(error)
                return

    sender = threading.Thread(target=send)
    sender.start()
    try:
        for _ in range(5):
            whole.assert_ledger_holds()
    finally:
        stop.set()
        sender.join()
    assert not failures
    assert json.loads(whole.command("fsck", "--json").stdout.splitlines()[-1])["orders"] > 10
