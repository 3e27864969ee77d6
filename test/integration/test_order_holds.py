"""Orders that capture a hold (`hold_id`): its points count, its lots pay first, the rest is let go (rules 7 and 22)."""

import concurrent.futures
import datetime
import time

import pytest

from loyalty_client import LoyaltyError
from shop import line, loyalty_program, new_id, new_partner, order, refund, refused, told, written

VOUCHER = [{"program_id": 1, "reward_id": 2}]  # 5.00 off for 50 points


@pytest.fixture(scope="module")
def shop(engine):
    engine.call("reference.put", {"products": [{"product_id": 1}]})
    engine.call("program.put", loyalty_program())
    engine.call("program.put", loyalty_program(2, pos_config_ids=[2]))
    return engine


@pytest.fixture(scope="module", autouse=True)
def ledger_holds(engine):
    yield
    engine.assert_ledger_holds()


def new_card(shop, points="100", **fields):
    return shop.call("card.create", {"program_id": 1, "partner_id": new_partner(), "points": points, **fields})


def hold(shop, card, points, **fields):
    return shop.call("points.hold", {"card_id": card["card_id"], "points": points, **fields})["hold_id"]


def figures(shop, card):
    balance = shop.call("card.balance", {"card_id": card["card_id"]})
    return balance["balance"], balance["held"], balance["usable"]


def lots(shop, card):
    return {lot["lot"]: lot["remaining"] for lot in shop.call("card.get", {"card_id": card["card_id"]})["lots"]}


def in_seconds(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).isoformat()


def wait_until(text):
    while datetime.datetime.now(datetime.timezone.utc) <= datetime.datetime.fromisoformat(text.replace("Z", "+00:00")):
        time.sleep(0.05)


def sale(card, hold_id, price="9.00", claims=VOUCHER, **fields):
    """An order of the card's member that earns nothing usable before it is paid, and captures the hold."""
    return order(card["partner_id"], line(price=price), claims=claims, hold_id=hold_id, **fields)


def reason_of(shop, hold_id):
    with pytest.raises(LoyaltyError) as caught:
        shop.call("points.capture", {"hold_id": hold_id})
    return caught.value.details.get("reason", caught.value.code)


def test_rule_7_the_held_points_count(shop):
    card = new_card(shop)
    held = hold(shop, card, "80")
    with refused("claim_refused", reason="not_enough_points"):
        shop.call("order.process", order(card["partner_id"], line(price="9.00"), claims=VOUCHER))
    done = shop.call("order.process", sale(card, held))
    assert (done["amount_total"], done["points_redeemed"], done["points_earned"]) == ("4.00", "50.00", "9.00")
    assert figures(shop, card) == ("59.00", "0.00", "59.00"), "what was not spent is free again"
    explained = shop.call("order.explain", {"order_id": done["order_id"]})
    assert (explained["same"], explained["input"]["hold_id"]) == (True, held)
    assert reason_of(shop, held) == "captured"
    with refused("conflict", reason="captured"):
        shop.call("order.process", sale(card, held))


def test_rule_7_a_quote_shows_the_same_and_changes_nothing(shop):
    card = new_card(shop)
    held = hold(shop, card, "80")
    before = written(shop)
    quoted = shop.call("order.quote", sale(card, held))
    assert (quoted["amount_total"], quoted["points_redeemed"], quoted["final_balance"]) == ("4.00", "50.00", "59.00")
    assert written(shop) == before and figures(shop, card) == ("100.00", "80.00", "20.00")
    done = shop.call("order.process", sale(card, held))
    for name in ("amount_total", "points_redeemed", "points_earned", "final_balance", "points", "claims"):
        assert done[name] == quoted[name], name


def test_rule_7_other_holds_stay_held(shop):
    card = new_card(shop)
    mine, other = hold(shop, card, "30"), hold(shop, card, "40")
    with refused("claim_refused", reason="not_enough_points"):
        shop.call("order.process", order(card["partner_id"], line(price="9.00"), claims=VOUCHER))
    done = shop.call("order.process", sale(card, mine))
    assert done["points_redeemed"] == "50.00"
    assert figures(shop, card) == ("59.00", "40.00", "19.00")
    assert shop.call("points.capture", {"hold_id": other})["captured"] == "40.00"


def test_rule_22_exactly_the_held_lots_first_then_in_turn(shop):
    card = new_card(shop, "20", expires=in_seconds(2 * 86400))  # lot 1
    shop.call("card.adjust", {"card_id": card["card_id"], "points": 40, "reason": "x", "expires": in_seconds(3 * 86400)})
    first = hold(shop, card, "30")  # lot 1, and 10 of lot 2
    second = hold(shop, card, "15")  # 15 of lot 2
    shop.call("points.release", {"hold_id": first})
    shop.call("card.adjust", {"card_id": card["card_id"], "points": 35, "reason": "x", "expires": in_seconds(3600)})
    done = shop.call("order.process", sale(card, second, price="5.00"))
    assert done["points_redeemed"] == "50.00"
    assert lots(shop, card) == {1: "20.00", 2: "25.00", 4: "5.00"}, "15 of lot 2, then lot 3 whole; lot 4 was earned"
    rows = shop.call("card.history", {"card_id": card["card_id"]})["history"]
    assert [(row["kind"], row["points"]) for row in rows if row.get("order_id") == done["order_id"]]
    back = shop.call("order.refund", refund(done["order_id"], line(qty=-1, price="5.00")))
    assert back["restored"] == [{"card_id": card["card_id"], "points": "50.00"}]
    assert lots(shop, card) == {1: "20.00", 2: "40.00", 3: "35.00"}


def test_rule_22_part_of_one_lot_held_and_more_of_it_spent(shop):
    card = new_card(shop, "60")
    done = shop.call("order.process", sale(card, hold(shop, card, "20")))
    assert lots(shop, card) == {1: "10.00", 2: "9.00"}
    for _ in range(2):  # in two parts: what is given back goes to the same lot twice
        shop.call("order.refund", refund(done["order_id"], line(qty="-0.5", price="9.00")))
    assert figures(shop, card) == ("60.00", "0.00", "60.00")


def test_rule_22_what_is_held_is_spent_past_its_expiry_and_the_rest_expires(shop):
    soon = in_seconds(1.5)
    card = new_card(shop, "70", expires=soon)
    held = hold(shop, card, "60")
    wait_until(soon)
    assert figures(shop, card) == ("60.00", "60.00", "0.00")
    done = shop.call("order.process", sale(card, held))
    assert (done["points_redeemed"], done["final_balance"]) == ("50.00", "9.00")
    rows = shop.call("card.history", {"card_id": card["card_id"]})["history"]
    assert sorted((row["kind"], row["points"]) for row in rows[:3]) == [("earn", "9.00"), ("expire", "-20.00"), ("redeem", "-50.00")]
    assert shop.call("card.get", {"card_id": card["card_id"]})["stored"] == "9.00"


def test_rule_22_an_order_that_spends_nothing_lets_go(shop):
    card = new_card(shop)
    held = hold(shop, card, "80")
    done = shop.call("order.process", sale(card, held, claims=[]))
    assert (done["points_redeemed"], done["amount_total"]) == ("0.00", "9.00")
    assert figures(shop, card) == ("109.00", "0.00", "109.00")
    assert reason_of(shop, held) == "released"


def test_a_hold_of_nobodys_card_shows_it(shop):
    card = shop.call("card.create", {"program_id": 1, "points": "60"})
    held = hold(shop, card, "60")
    quoted = shop.call("order.quote", order(None, line(price="9.00"), claims=VOUCHER, hold_id=held))
    done = shop.call("order.process", order(None, line(price="9.00"), claims=VOUCHER, hold_id=held))
    assert done["amount_total"] == quoted["amount_total"] == "4.00"
    assert figures(shop, card) == ("19.00", "0.00", "19.00")


def test_what_cannot_be_captured(shop):
    card, other, poor = new_card(shop), new_card(shop), new_card(shop, "40")
    few = hold(shop, poor, "30")
    held, theirs = hold(shop, card, "60"), hold(shop, other, "60")
    gone = shop.call("points.hold", {"card_id": card["card_id"], "points": "10", "ttl_s": 1})
    let_go = hold(shop, card, "10")
    shop.call("points.release", {"hold_id": let_go})
    wait_until(gone["until"])
    before = written(shop)
    for method in ("order.quote", "order.process"):
        for hold_id in ("x", f"{card['card_id']}-NOSUCH", "99999999999999999999-A"):
            with refused("not_found", path="hold_id"):
                shop.call(method, sale(card, hold_id))
        with refused("hold_expired"):
            shop.call(method, sale(card, gone["hold_id"]))
        with refused("conflict", reason="released"):
            shop.call(method, sale(card, let_go))
        with refused("invalid_request", path="hold_id"):
            shop.call(method, sale(card, theirs))
        with refused("invalid_request", path="hold_id"):
            shop.call(method, order(None, hold_id=theirs))
    with refused("claim_refused", reason="not_enough_points"):
        shop.call("order.process", sale(poor, few))
    with refused("price_changed"):
        shop.call("order.process", sale(card, held, expected_total="1.00"))
    with refused("invalid_request", path="hold_id"):
        shop.call("order.refund", dict(refund("whatever", line(qty=-1)), hold_id=held))
    assert written(shop) == before, "a refused order leaves nothing behind"
    assert figures(shop, card)[1] == "60.00", "and the hold as it was"
    shop.call("card.block", {"card_id": card["card_id"], "reason": "lost"})
    with refused("card_blocked"):
        shop.call("order.process", sale(card, held))
    shop.call("card.unblock", {"card_id": card["card_id"], "reason": "found"})
    assert shop.call("order.process", sale(card, held))["points_redeemed"] == "50.00"


def test_the_same_order_again_is_answered_from_its_record(shop):
    card = new_card(shop)
    body = sale(card, hold(shop, card, "60"))
    first = shop.call("order.process", body)
    assert shop.call("order.process", body) == dict(first, replayed=True)
    with refused("conflict", reason="key_reused"):
        shop.call("order.process", {name: value for name, value in body.items() if name != "hold_id"})
    assert figures(shop, card) == ("59.00", "0.00", "59.00")
    undone = shop.call("order.cancel", {"order_id": body["order_id"]})
    assert undone["order_id"] == body["order_id"]
    assert figures(shop, card) == ("100.00", "0.00", "100.00")


def test_rule_35_a_paid_order_whose_hold_is_gone_spends_what_is_free(shop):
    card = new_card(shop, "30")
    held = shop.call("points.hold", {"card_id": card["card_id"], "points": "30", "ttl_s": 1})
    wait_until(held["until"])
    alerts = told(shop, 10)
    done = shop.call("order.process", sale(card, held["hold_id"], paid=True, charged_total="4.00"))
    texts = [warning["text"] for warning in done["warnings"] if warning["kind"] == "difference"]
    assert [text for text in texts if text.startswith("hold_id: ")], texts
    assert (done["amount_total"], done["points"][0]["redeemed"], done["points"][0]["debt"]) == ("4.00", "39.00", "11.00")
    assert told(shop, 10) == alerts + 1


def outcome(call, *arguments):
    try:
        call(*arguments)
        return "ok"
    except LoyaltyError as error:
        return error.code


def test_two_tills_capture_one_hold_at_once(shop):
    for _ in range(5):
        card = new_card(shop)
        held = hold(shop, card, "50")
        bodies = [sale(card, held) for _ in range(4)]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda body: outcome(shop.call, "order.process", body), bodies))
        assert sorted(results) == ["conflict"] * 3 + ["ok"]
        assert figures(shop, card) == ("59.00", "0.00", "59.00")


def test_an_order_against_a_capture_and_a_release_at_once(shop):
    for _ in range(8):
        card = new_card(shop, "50")
        held = hold(shop, card, "50")
        calls = [("order.process", sale(card, held)), ("points.capture", {"hold_id": held}), ("points.release", {"hold_id": held})]
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            results = list(pool.map(lambda call: outcome(shop.call, *call), calls))
        assert sorted(results) == ["conflict", "conflict", "ok"]
        balance = {0: "9.00", 1: "0.00", 2: "50.00"}[results.index("ok")]
        assert figures(shop, card) == (balance, "0.00", balance)
