"""Cards blocked and let go again (rule 37); points moved from card to card, with their dates (rules 19 to 21)."""

import concurrent.futures
import datetime
from decimal import Decimal

import pytest

from shop import line, loyalty_program, new_partner, order, refund, refused, total, written

NOW = datetime.datetime.now(datetime.timezone.utc)


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


def after(**delta):
    return (NOW + datetime.timedelta(**delta)).isoformat()


def new_card(shop, points="0", program_id=1, **fields):
    body = {"program_id": program_id, "partner_id": new_partner(), **fields}
    return shop.call("card.create", dict(body, points=points) if Decimal(points) else body)


def lots(shop, card):
    return [(lot["remaining"], lot["gained"], lot["expires"]) for lot in shop.call("card.get", {"card_id": card})["lots"]]


# Blocking


def test_rule_37_a_blocked_card_neither_earns_nor_spends(shop):
    card = new_card(shop, "100")
    blocked = shop.call("card.block", {"card_id": card["card_id"], "reason": "lost in the tram"})
    assert (blocked["state"], blocked["balance"], blocked["replayed"]) == ("blocked", "100.00", False)
    got = shop.call("card.get", {"code": card["code"]})
    assert (got["state"], got["blocked_reason"]) == ("blocked", "lost in the tram")
    sold = shop.call("order.process", order(card["partner_id"], line(price="50.00")))
    assert sold["points_earned"] == "0.00"
    with refused("claim_refused", reason="card_blocked"):
        shop.call("order.process", order(card["partner_id"], claims=[{"program_id": 1, "reward_id": 2}]))
    with refused("card_blocked", card_id=str(card["card_id"])):
        shop.call("card.adjust", {"card_id": card["card_id"], "points": 1, "reason": "no"})
    free = shop.call("card.unblock", {"card_id": card["card_id"], "reason": "found"})
    assert free["state"] == "active"
    assert "blocked_reason" not in shop.call("card.get", {"card_id": card["card_id"]})
    sold = shop.call("order.process", order(card["partner_id"], line(price="50.00")))
    assert (sold["points_earned"], sold["final_balance"]) == ("50.00", "150.00")


def test_blocking_twice_keeps_the_first_reason(shop):
    card = new_card(shop)
    shop.call("card.block", {"card_id": card["card_id"], "reason": "first"})
    before = written(shop)
    assert shop.call("card.block", {"card_id": card["card_id"], "reason": "second"})["state"] == "blocked"
    assert written(shop)["changes"] == before["changes"]
    assert shop.call("card.get", {"card_id": card["card_id"]})["blocked_reason"] == "first"


def test_blocking_is_the_offices(shop):
    with refused("not_found"):
        shop.call("card.block", {"card_id": 10**12, "reason": "who"})
    with refused("invalid_request", path="reason"):
        shop.call("card.block", {"card_id": 1})
    with refused("invalid_request"):
        shop.call("card.block", {"reason": "which"})


def test_a_card_that_an_order_met_before_is_blocked_for_the_next(shop):
    card = new_card(shop)
    shop.call("order.process", order(card["partner_id"]))
    shop.call("card.block", {"partner_id": card["partner_id"], "reason": "fraud"})
    assert shop.call("order.process", order(card["partner_id"]))["points_earned"] == "0.00"
    assert shop.call("card.balance", {"card_id": card["card_id"]})["balance"] == "10.00"


# Transfers


def test_rule_21_lots_move_with_their_dates(shop):
    giver, taker = new_card(shop), new_card(shop)
    for points, days in ((30, 20), (20, 10), (50, None)):
        body = {"card_id": giver["card_id"], "points": points, "reason": "gift"}
        shop.call("card.adjust", dict(body, expires=after(days=days)) if days else body)
    before = lots(shop, giver["card_id"])
    done = shop.call("card.transfer", {"from": giver["card_id"], "to": taker["code"], "points": "35", "reason": "to my wife"})
    assert (done["points"], done["from"]["balance"], done["to"]["balance"]) == ("35.00", "65.00", "35.00")
    # First the lot that expires soonest, whole; then a part of the next.
    assert lots(shop, taker["card_id"]) == [before[0], ("15.00",) + before[1][1:]]
    assert lots(shop, giver["card_id"]) == [("15.00",) + before[1][1:], before[2]]
    for card, points in ((giver, "-35.00"), (taker, "35.00")):
        row = shop.call("card.history", {"card_id": card["card_id"]})["history"][0]
        assert (row["kind"], row["points"], row["reason"]) == ("transfer", points, "to my wife")
    # The rest, as nothing says how much.
    done = shop.call("card.transfer", {"from": giver["code"], "to": taker["card_id"], "reason": "all"})
    assert (done["points"], done["from"]["stored"], done["to"]["stored"]) == ("65.00", "0.00", "100.00")
    assert total(lot[0] for lot in lots(shop, taker["card_id"])) == 100
    with refused("insufficient_points", available="0.00"):
        shop.call("card.transfer", {"from": giver["card_id"], "to": taker["card_id"], "reason": "more"})


def test_what_cannot_be_moved(shop):
    giver, taker, other = new_card(shop, "10"), new_card(shop), new_card(shop, program_id=2)
    before = written(shop)
    move = {"from": giver["card_id"], "to": taker["card_id"], "reason": "x"}
    with refused("insufficient_points", required="10.01", available="10.00"):
        shop.call("card.transfer", dict(move, points="10.01"))
    with refused("invalid_request", path="to"):
        shop.call("card.transfer", dict(move, to=giver["card_id"]))
    with refused("invalid_request", path="to"):
        shop.call("card.transfer", dict(move, to=other["card_id"]))
    with refused("invalid_request", path="points"):
        shop.call("card.transfer", dict(move, points=0))
    with refused("not_found"):
        shop.call("card.transfer", dict(move, to="NO-SUCH-CODE"))
    with refused("invalid_request", path="from"):
        shop.call("card.transfer", dict(move, **{"from": {}}))
    assert written(shop) == before
    shop.call("card.block", {"card_id": taker["card_id"], "reason": "lost"})
    with refused("card_blocked", card_id=str(taker["card_id"])):
        shop.call("card.transfer", move)
    with refused("card_blocked", card_id=str(taker["card_id"])):
        shop.call("card.transfer", {"from": taker["card_id"], "to": giver["card_id"], "reason": "x"})


def test_what_comes_pays_debt_first(shop):
    taker = new_card(shop)
    bought = order(taker["partner_id"], line(price="40.00"))
    shop.call("order.process", bought)
    shop.call("card.adjust", {"card_id": taker["card_id"], "points": "-40", "reason": "spent elsewhere"})
    shop.call("order.refund", refund(bought["order_id"], line(qty=-1, price="40.00")))
    assert shop.call("card.balance", {"card_id": taker["card_id"]})["debt"] == "40.00"
    giver = new_card(shop, "50")
    done = shop.call("card.transfer", {"from": giver["card_id"], "to": taker["card_id"], "reason": "help"})
    assert (done["to"]["balance"], done["to"]["debt"]) == ("10.00", "0.00")


def test_points_earned_and_moved_on_are_debt_when_taken_back(shop):
    giver, taker = new_card(shop), new_card(shop)
    bought = order(giver["partner_id"], line(price="30.00"))
    shop.call("order.process", bought)
    shop.call("card.transfer", {"from": giver["card_id"], "to": taker["card_id"], "reason": "gift"})
    shop.call("order.refund", refund(bought["order_id"], line(qty=-1, price="30.00")))
    assert shop.call("card.balance", {"card_id": giver["card_id"]})["debt"] == "30.00"
    assert shop.call("card.balance", {"card_id": taker["card_id"]})["balance"] == "30.00"


def test_points_spent_before_come_back_to_the_card_that_spent_them(shop):
    giver, taker = new_card(shop, "60"), new_card(shop)
    bought = order(giver["partner_id"], line(price="100.00"), claims=[{"program_id": 1, "reward_id": 2}])
    assert shop.call("order.process", bought)["points_redeemed"] == "50.00"
    shop.call("card.transfer", {"from": giver["card_id"], "to": taker["card_id"], "reason": "all"})
    cancelled = shop.call("order.cancel", {"order_id": bought["order_id"]})
    assert cancelled["order_id"] == bought["order_id"]
    figures = shop.call("card.balance", {"card_id": giver["card_id"]})
    moved = shop.call("card.balance", {"card_id": taker["card_id"]})
    assert Decimal(figures["balance"]) - Decimal(figures["debt"]) + Decimal(moved["balance"]) == 60


def test_transfers_in_both_directions_at_once(shop):
    """Both members are locked in one order: nothing is lost, nothing doubled, nobody waits for ever."""
    left, right = new_card(shop, "500"), new_card(shop, "500")

    def move(number):
        ends = (left, right) if number % 2 else (right, left)
        body = {"from": ends[0]["card_id"], "to": ends[1]["card_id"], "points": "7", "reason": str(number)}
        return shop.call("card.transfer", body)["points"]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(move, range(40))) == {"7.00"}
    assert [shop.call("card.balance", {"card_id": card["card_id"]})["balance"] for card in (left, right)] == ["500.00"] * 2
