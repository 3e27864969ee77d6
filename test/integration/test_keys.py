"""One order, one effect: what happens to a request that is sent again, in whatever way."""

import random
import signal
import threading
import time

import msgpack
import pytest

from harness import Engine
from raw_client import RawClient, at_once, error_of, result_of
from shop import line, loyalty_program, new_id, new_partner, order, refund, refused, written


@pytest.fixture(scope="module")
def shop(engine):
    engine.call("reference.put", {"products": [{"product_id": number} for number in range(1, 10)]})
    engine.call("program.put", loyalty_program())
    return engine


@pytest.fixture(scope="module", autouse=True)
def ledger_holds(engine):
    yield
    engine.assert_ledger_holds()


@pytest.fixture
def raw(shop):
    with RawClient(shop.endpoint) as client:
        yield client


def balance(engine, partner):
    return engine.call("card.balance", {"partner_id": partner, "program_id": 1})["balance"]


# Orders


def test_the_same_order_again(shop):
    sale = order(new_partner(), line(1, 1, "25.00"))
    done = shop.call("order.process", sale)
    before = written(shop)
    again = [shop.call("order.process", sale), shop.client().call("order.process", sale)]
    assert again == [dict(done, replayed=True)] * 2 and done["replayed"] is False
    assert written(shop) == before
    assert balance(shop, sale["partner_id"]) == "25.00"


def test_the_same_order_by_many_at_once(shop):
    sale = order(new_partner(), line(1, 1, "25.00"))
    results = [result_of(reply) for reply in at_once(shop.endpoint, [("order.process", sale)] * 20)]
    assert sorted(one["replayed"] for one in results) == [False] + [True] * 19
    assert all(dict(one, replayed=False) == dict(results[0], replayed=False) for one in results)
    assert balance(shop, sale["partner_id"]) == "25.00"


def test_200_requests_of_one_key_in_a_pipeline(shop, raw):
    sale = order(new_partner(), line(1, 1, "25.00"))
    results = [result_of(reply) for reply in raw.answers([raw.send("order.process", sale) for _ in range(200)])]
    assert sum(not one["replayed"] for one in results) == 1
    assert balance(shop, sale["partner_id"]) == "25.00"


def test_200_failing_requests_of_one_key_all_get_an_answer(shop, raw):
    sale = order(new_partner(), claims=[{"program_id": 1, "reward_id": 2}])
    ids = [raw.send("order.process", sale) for _ in range(200)]
    assert [error_of(reply)["code"] for reply in raw.answers(ids)] == ["claim_refused"] * 200


@pytest.mark.parametrize(
    "change",
    [
        {"partner_id": -5},
        {"partner_id": None},
        {"lines": [line(1, 1, "25.01")]},
        {"lines": [line(1, 2, "25.00")]},
        {"lines": [line(2, 1, "25.00")]},
        {"lines": [line(1, 1, "25.00"), line(2, 1, "0.00")]},
        {"lines": [line(1, 1, "25.00", line_id="a")]},
        {"store_id": 1},
        {"channel": "sale"},
        {"claims": [{"program_id": 1, "reward_id": 1}]},
        {"meta": {"a": 2}},
        {"reference": "other"},
        {"date": "2020-01-01T00:00:00Z"},
        {"auto_claim": False},
    ],
    ids=str,
)
def test_another_body_is_a_conflict_and_changes_nothing(shop, change):
    sale = order(new_partner(), line(1, 1, "25.00"), meta={"a": 1})
    shop.call("order.process", sale)
    before = written(shop)
    with refused("conflict", reason="key_reused"):
        shop.call("order.process", dict(sale, **change))
    assert written(shop) == before
    assert shop.call("order.process", sale)["replayed"] is True


def test_the_same_order_said_otherwise(shop, raw):
    """Fields in another order, decimals as strings, integers or floats, defaults spelled out: one order."""
    order_id, partner = new_id(), new_partner()
    said = [
        {"order_id": order_id, "partner_id": partner, "lines": [{"product_id": 1, "qty": 2, "price_unit": "12.50"}],
         "meta": {"b": 1, "a": [1, 2]}},
        {"meta": {"a": [1, 2], "b": 1}, "lines": [{"price_unit": 12.5, "qty": "2.000", "product_id": 1}],
         "partner_id": partner, "order_id": order_id},
        {"order_id": order_id, "explain": True, "expected_total": "99.99", "lines": [
            {"line_id": None, "product_id": 1, "qty": 2.0, "price_unit": 12.500000, "discount": 0, "taxes": []}],
         "partner_id": partner, "meta": {"a": [1, 2], "b": 1}, "auto_claim": True, "claims": []},
    ]  # fmt: skip
    first = result_of(raw.call("order.process", said[0]))
    for body in said[1:]:
        assert result_of(raw.call("order.process", body)) == dict(first, replayed=True)
    # Wide integers and strings with long headers are the same values too.
    wide = msgpack.packb(said[0]).replace(msgpack.packb(2), b"\xd3" + (2).to_bytes(8, "big"), 1)
    assert result_of(raw.call("order.process", wide)) == dict(first, replayed=True)


def test_the_key_in_the_header_may_be_left_out_but_not_differ(shop, raw):
    sale = order(new_partner())
    assert error_of(raw.call("order.process", sale, key="another"))["code"] == "invalid_request"
    assert result_of(raw.call("order.process", sale, key=sale["order_id"]))["replayed"] is False
    assert result_of(raw.call("order.process", sale))["replayed"] is True


def test_a_failed_order_leaves_no_key(shop):
    """Corrected, it is sent again under its id; as it was, it fails again."""
    partner = new_partner()
    wrong = order(partner, claims=[{"program_id": 1, "reward_id": 2}])
    before = written(shop)
    for _ in range(2):
        with refused("claim_refused", reason="not_enough_points"):
            shop.call("order.process", wrong)
    assert written(shop) == before
    right = shop.call("order.process", dict(wrong, claims=[]))
    assert right["replayed"] is False and right["final_balance"] == "10.00"
    with refused("conflict", reason="key_reused"):
        shop.call("order.process", wrong)


def test_failing_and_corrected_at_once(shop, raw):
    """In one pipeline: the failing order does not take the id from the right one that waits behind it."""
    right = order(new_partner())
    wrong = dict(right, claims=[{"program_id": 1, "reward_id": 2}])
    ids = [raw.send("order.process", body) for body in (wrong, right, wrong, right)]
    replies = raw.answers(ids)
    assert {reply["error"]["code"] for reply in replies if not reply["ok"]} <= {"claim_refused", "conflict"}
    assert [replies[0]["ok"], replies[2]["ok"]] == [False, False]
    assert sorted(result_of(replies[at])["replayed"] for at in (1, 3)) == [False, True]


def test_process_and_refund_share_their_keys(shop):
    sale = order(new_partner())
    shop.call("order.process", sale)
    back = refund(sale["order_id"], line(qty=-1))
    with refused("conflict", reason="key_reused"):
        shop.call("order.refund", dict(back, order_id=sale["order_id"], refund_of="ELSE"))
    done = shop.call("order.refund", back)
    assert shop.call("order.refund", back) == dict(done, replayed=True)
    with refused("conflict", reason="key_reused"):
        shop.call("order.process", back)


@pytest.mark.parametrize("order_id", ["é" * 32, "¨replayed\u00c2", "'; DROP TABLE orders; --", "a b\tc", "{}", "\u202e%s%n\\", "\U0001f600"])
def test_ids_of_any_text(shop, order_id):
    sale = order(new_partner(), order_id=order_id)
    done = shop.call("order.process", sale)
    assert done["order_id"] == order_id
    assert shop.call("order.process", sale) == dict(done, replayed=True)
    assert shop.call("order.get", {"order_id": order_id}) == done
    history = shop.call("card.history", {"partner_id": sale["partner_id"], "program_id": 1})["history"]
    assert history[0]["order_id"] == order_id


# Cancelling


def test_cancel_undoes_wholly(shop):
    partner = new_partner()
    shop.call("order.process", order(partner, line(1, 1, "100.00")))
    sale = order(partner, line(1, 1, "30.00"), claims=[{"program_id": 1, "reward_id": 1, "points": "60"}])
    done = shop.call("order.process", sale)
    assert (done["amount_total"], done["points_earned"], done["points_redeemed"], done["final_balance"]) == (
        "29.40", "30.00", "60.00", "70.00")  # fmt: skip
    undone = shop.call("order.cancel", {"order_id": sale["order_id"], "reason": "typo"})
    assert (undone["amount_total"], undone["points_earned"], undone["points_redeemed"], undone["final_balance"]) == (
        "-29.40", "-30.00", "-60.00", "100.00")  # fmt: skip
    assert undone["give_back"] == [{"to": "payment", "amount": "29.40"}]
    assert undone["restored"] == [{"card_id": done["points"][0]["card_id"], "points": "60.00"}]
    assert undone["shortfall"] == [] and undone["lines"][0]["qty"] == "-1"
    assert balance(shop, partner) == "100.00"
    assert shop.query("SELECT order_count, spending FROM members WHERE partner_id = %s", (partner,)) == [(1, 10000)]


def test_cancel_twice(shop):
    sale = order(new_partner())
    shop.call("order.process", sale)
    undone = shop.call("order.cancel", {"order_id": sale["order_id"]})
    before = written(shop)
    assert shop.call("order.cancel", {"order_id": sale["order_id"]}) == dict(undone, replayed=True)
    with refused("conflict", reason="key_reused"):
        shop.call("order.cancel", {"order_id": sale["order_id"], "reason": "another"})
    assert written(shop) == before


def test_a_cancelled_order_does_not_come_back(shop):
    sale = order(new_partner())
    done = shop.call("order.process", sale)
    shop.call("order.cancel", {"order_id": sale["order_id"]})
    with refused("conflict", reason="cancelled"):
        shop.call("order.process", sale)
    assert balance(shop, sale["partner_id"]) == "0.00"
    assert shop.call("order.get", {"order_id": sale["order_id"]}) == done
    # It was changed: sent again under another id.
    assert shop.call("order.process", dict(sale, order_id=new_id()))["final_balance"] == "10.00"


def test_cancel_before_process_leaves_a_tombstone(shop):
    sale = order(new_partner())
    undone = shop.call("order.cancel", {"order_id": sale["order_id"]})
    assert undone == {"order_id": sale["order_id"], "replayed": False, "cancelled": True, "was_processed": False}
    for method in ("order.process", "order.refund"):
        body = sale if method == "order.process" else dict(sale, lines=[line(qty=-1)])
        with refused("conflict", reason="cancelled"):
            shop.call(method, body)
    assert shop.call("order.cancel", {"order_id": sale["order_id"]}) == dict(undone, replayed=True)
    with refused("not_found"):
        shop.call("order.get", {"order_id": sale["order_id"]})
    with refused("not_found"):
        shop.call("card.get", {"partner_id": sale["partner_id"], "program_id": 1})


def test_the_answer_to_a_cancel_is_kept_whole_whatever_the_id(shop):
    """An id that looks like a field of the stored answer is not taken for it."""
    order_id = "¨replayed\u00c2"
    undone = shop.call("order.cancel", {"order_id": order_id + "x"})
    assert shop.call("order.cancel", {"order_id": order_id + "x"}) == dict(undone, replayed=True)


@pytest.mark.parametrize("attempt", range(5))
def test_process_and_cancel_in_a_pipeline(shop, raw, attempt):
    """Whichever is done first: in the end the order is cancelled, and the points are gone."""
    sale = order(new_partner())
    requests = [("order.process", sale), ("order.cancel", {"order_id": sale["order_id"]})] * 3
    random.Random(attempt).shuffle(requests)
    replies = raw.answers([raw.send(*request) for request in requests])
    cancels = [result_of(reply) for (method, _), reply in zip(requests, replies) if method == "order.cancel"]
    assert sorted(one["replayed"] for one in cancels) == [False, True, True]
    for (method, _), reply in zip(requests, replies):
        assert reply["ok"] or error_of(reply)["details"] == {"reason": "cancelled"}
    with refused("conflict", reason="cancelled"):
        shop.call("order.process", sale)
    rows = shop.query("SELECT COALESCE(sum(points), 0) FROM loyalty_cards WHERE partner_id = %s", (sale["partner_id"],))
    assert rows == [(0,)]


def test_cancelling_a_refund_gives_its_points_back(shop):
    """More of it in test_cancel.py; here, that it is done once."""
    partner = new_partner()
    sale = order(partner)
    shop.call("order.process", sale)
    earned = balance(shop, partner)
    back = refund(sale["order_id"], line(qty=-1))
    shop.call("order.refund", back)
    assert balance(shop, partner) < earned
    with refused("conflict"):
        shop.call("order.cancel", {"order_id": sale["order_id"]})
    cancelled = shop.call("order.cancel", {"order_id": back["order_id"]})
    before = written(shop)
    assert shop.call("order.cancel", {"order_id": back["order_id"]}) == dict(cancelled, replayed=True)
    assert balance(shop, partner) == earned and written(shop) == before


# Keys of the other changes


def test_an_operation_again(shop):
    card = {"program_id": 1, "partner_id": new_partner()}
    key = new_id("key")
    made = shop.call("card.create", card, key=key)
    before = written(shop)
    assert shop.call("card.create", card, key=key) == dict(made, replayed=True)
    assert shop.client().call("card.create", card, key=key) == dict(made, replayed=True)
    with refused("conflict", reason="key_reused"):
        shop.call("card.create", dict(card, partner_id=new_partner()), key=key)
    with refused("conflict", reason="key_reused"):
        shop.call("card.adjust", {"card_id": made["card_id"], "points": 1, "reason": "x"}, key=key)
    assert written(shop) == before


def test_an_adjustment_again_is_answered_as_then(shop):
    card = shop.call("card.create", {"program_id": 1, "partner_id": new_partner()})["card_id"]
    key, body = new_id("key"), {"card_id": card, "points": "5.00", "reason": "sorry"}
    shop.call("card.adjust", body, key=key)
    shop.call("card.adjust", body)  # without a key of one's own each is new
    assert shop.call("card.adjust", body, key=key)["balance"] == "5.00"
    assert shop.call("card.balance", {"card_id": card})["balance"] == "10.00"


def test_a_failed_operation_leaves_no_key(shop):
    card = shop.call("card.create", {"program_id": 1, "partner_id": new_partner()})["card_id"]
    key = new_id("key")
    with refused("insufficient_points", required="5.00", available="0.00"):
        shop.call("card.adjust", {"card_id": card, "points": "-5", "reason": "x"}, key=key)
    assert shop.call("card.adjust", {"card_id": card, "points": "5", "reason": "x"}, key=key)["balance"] == "5.00"


def test_200_operations_of_one_key_at_once(shop, raw):
    card = shop.call("card.create", {"program_id": 1, "partner_id": new_partner()})["card_id"]
    key, body = new_id("key"), {"card_id": card, "points": "1.00", "reason": "x"}
    results = [result_of(reply) for reply in raw.answers([raw.send("card.adjust", body, key=key) for _ in range(200)])]
    assert sum(not one["replayed"] for one in results) == 1
    assert shop.call("card.balance", {"card_id": card})["balance"] == "1.00"


def test_one_key_with_two_bodies_at_once(shop):
    """One of them is done, whichever; the other is told so."""
    card = shop.call("card.create", {"program_id": 1, "partner_id": new_partner()})["card_id"]
    key = new_id("key")
    requests = [("card.adjust", {"card_id": card, "points": points, "reason": "x"}, key) for points in (1, 2) * 10]
    replies = at_once(shop.endpoint, requests)
    winners = {body["points"] for (_, body, _), reply in zip(requests, replies) if reply["ok"]}
    assert len(winners) == 1
    assert [error_of(reply)["details"]["reason"] for reply in replies if not reply["ok"]] == ["key_reused"] * 10
    assert shop.call("card.balance", {"card_id": card})["balance"] == f"{winners.pop()}.00"


def test_operations_need_a_key(shop, raw):
    body = {"program_id": 1}
    for key in ("", "k" * 65):
        assert error_of(raw.call("card.create", body, key=key))["code"] in ("invalid_request", "too_large")
    request = msgpack.packb({"v": 1, "id": 999, "method": "card.create"})
    raw.send_frames(request, msgpack.packb(body))
    assert error_of(raw.answer(999))["code"] == "invalid_request"


def test_scopes_do_not_meet(shop):
    """One text as an order's id, as a cancelled order's and as an operation's key: three different things."""
    text, card = new_id(), {"program_id": 1, "partner_id": new_partner()}
    shop.call("card.create", card, key=text)
    assert shop.call("order.process", order(card["partner_id"], order_id=text))["replayed"] is False
    assert shop.call("order.cancel", {"order_id": text})["replayed"] is False
    assert shop.call("card.create", card, key=text)["replayed"] is True


@pytest.mark.parametrize(
    "method, body",
    [
        ("program.put", {"program_id": 800, "name": "A", "program_type": "promotion", "state": "draft"}),
        ("reference.put", {"products": [{"product_id": 900}]}),
        ("load.begin", {"note": "n"}),
    ],
)
def test_changes_of_the_catalog_again(shop, method, body):
    key = new_id("key")
    done = shop.call(method, body, key=key)
    assert shop.call(method, body, key=key) == dict(done, replayed=True) and done["replayed"] is False
    with refused("conflict", reason="key_reused"):
        shop.call("load.begin", {"note": "another"}, key=key)


# What was never committed


def test_what_does_not_commit_is_not_answered_with_ok(shop):
    """A card's id in Odoo is unique: the database refuses the second one after all was evaluated."""
    taken, partner = shop.call("card.create", {"program_id": 1, "partner_id": 42, "odoo_card_id": 7}), 42 + 8 * 7919
    while shop.buckets > 1 and not same_bucket(42, partner, shop.buckets):
        partner += 1
    assert taken["card_id"]
    before, key = written(shop), new_id("key")
    for _ in range(2):
        with refused("conflict", path="odoo_card_id"):
            shop.call("card.create", {"program_id": 1, "partner_id": partner, "odoo_card_id": 7}, key=key)
    assert written(shop) == before
    assert shop.call("card.create", {"program_id": 1, "partner_id": partner, "odoo_card_id": 8}, key=key)["replayed"] is False


def same_bucket(one, other, buckets):
    from loyalty_client import affinity

    return affinity({"partner_id": one}) % buckets == affinity({"partner_id": other}) % buckets


def test_what_the_database_refuses_at_commit_was_not_done(shop):
    """A deferred constraint fails at COMMIT itself, when every statement before it went well."""
    shop.query("""
        CREATE FUNCTION refuse_666() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF NEW.partner_id = 666 THEN RAISE EXCEPTION 'not today'; END IF; RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER refuse_666 AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION refuse_666()""")
    try:
        before = written(shop)
        with refused("internal"):
            shop.call("order.process", order(666))
        assert written(shop) == before
        # One such order does not take the others of its batch with it.
        with RawClient(shop.endpoint) as raw:
            ids = [raw.send("order.process", order(666 if number == 20 else new_partner())) for number in range(40)]
            outcomes = [reply["ok"] for reply in raw.answers(ids)]
        assert outcomes == [number != 20 for number in range(40)]
    finally:
        shop.query("DROP TRIGGER refuse_666 ON orders; DROP FUNCTION refuse_666()")


def test_a_member_of_a_batch_that_was_rolled_back_is_made_all_the_same():
    """A new member's first order shares a batch with a request that the database refuses: the batch is rolled back, and
    the member's row with it, and then done again in parts."""
    with Engine(workers=1) as engine:
        engine.call("program.put", loyalty_program())
        engine.call("card.create", {"program_id": 1, "partner_id": 1, "odoo_card_id": 7})
        with RawClient(engine.endpoint) as raw:
            raw.call("admin.stats")
            engine.signal("worker-1", signal.SIGSTOP)  # so that it takes all of these as one batch
            ids = [raw.send("order.process", order(100 + number)) for number in range(20)]
            ids.append(raw.send("card.create", {"program_id": 1, "partner_id": 2, "odoo_card_id": 7}))
            time.sleep(0.2)
            engine.signal("worker-1", signal.SIGCONT)
            replies = raw.answers(ids)
        assert [reply["ok"] for reply in replies] == [True] * 20 + [False]
        rows = engine.query("SELECT partner_id FROM members WHERE order_count = 1 ORDER BY partner_id")
        assert [partner for (partner,) in rows] == list(range(100, 120))
        assert engine.call("order.process", order(105))["final_balance"] == "20.00"
        engine.assert_ledger_holds()


def test_a_client_that_is_gone_sends_again_from_elsewhere(shop):
    """The answer was never read: the order is done, and another client is told what it came out as."""
    sale = order(new_partner())
    gone = RawClient(shop.endpoint)
    gone.call("admin.stats")
    gone.send("order.process", sale)
    time.sleep(0.3)
    gone.socket.close(0)
    assert shop.call("order.process", sale)["replayed"] is True
    assert balance(shop, sale["partner_id"]) == "10.00"


def test_threads_of_one_client(shop):
    """One client object, one order, eight threads."""
    sale, client, answers = order(new_partner()), shop.client(timeout=30), []
    threads = [threading.Thread(target=lambda: answers.append(client.call("order.process", sale))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one["replayed"] for one in answers) == [False] + [True] * 7
