"""Held points at a change of level: they move with their holds, which are captured and released by the ids they had (rule 23)."""

import concurrent.futures
import datetime
import time

import pytest

from harness import Engine
from loyalty_client import LoyaltyError
from shop import line, loyalty_program, new_partner, order, refund, refused

BRONZE, SILVER, GOLD = 901, 902, 903
POINTS = {BRONZE: 1, SILVER: 2, GOLD: 3}  # the primary program of each level


@pytest.fixture(scope="module", params=[1, 8], ids=["buckets=1", "buckets=8"])
def shop(request):
    """Three levels with a primary program each; points are reset on the way to gold."""
    levels = [
        {"membership_product_id": BRONZE, "sequence": 1, "threshold": "0.00"},
        {"membership_product_id": SILVER, "sequence": 2, "threshold": "100.00"},
        {"membership_product_id": GOLD, "sequence": 3, "threshold": "1000.00", "on_change": "reset"},
    ]
    with Engine(buckets=request.param) as engine:
        engine.call("reference.put", {"products": [{"product_id": 1}], "levels": levels})
        for level, program in POINTS.items():
            engine.call("program.put", loyalty_program(program, membership_product_id=level, is_primary_loyalty=True))
        yield engine
        engine.assert_ledger_holds()


def member(shop, points="100", **fields):
    partner = new_partner()
    shop.call("order.process", order(partner, line(price="1.00")))
    shop.call("card.adjust", {"partner_id": partner, "program_id": 1, "points": points, "reason": "x", **fields})
    return partner


def card_of(shop, partner, program):
    return shop.call("card.get", {"partner_id": partner, "program_id": program})


def hold(shop, partner, points, program=1, **fields):
    body = {"card_id": card_of(shop, partner, program)["card_id"], "points": points, **fields}
    return shop.call("points.hold", body)["hold_id"]


def figures(shop, partner, program):
    card = card_of(shop, partner, program)
    balance = shop.call("card.balance", {"card_id": card["card_id"]})
    return balance["balance"], balance["held"], balance["usable"]


def to_level(shop, partner, level, **fields):
    shop.call("membership.change", {"partner_id": partner, "membership_product_id": level, "reason": "test", **fields})


def in_seconds(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).isoformat()


def test_rule_23_held_points_move_and_are_captured(shop):
    partner = member(shop)
    held = hold(shop, partner, "60")
    to_level(shop, partner, SILVER)
    assert figures(shop, partner, 1) == ("0.00", "0.00", "0.00")
    assert figures(shop, partner, 2) == ("101.00", "60.00", "41.00")
    done = shop.call("points.capture", {"hold_id": held, "points": "45"})
    assert (done["program_id"], done["captured"], done["released"], done["balance"]) == (2, "45.00", "15.00", "56.00")
    with refused("conflict", reason="captured"):
        shop.call("points.release", {"hold_id": held})


def test_rule_23_an_order_that_upgrades_moves_them(shop):
    partner = member(shop)
    held = hold(shop, partner, "60")
    done = shop.call("order.process", order(partner, line(price="150.00")))
    assert done["membership"]["after"] == SILVER
    assert figures(shop, partner, 2) == ("251.00", "60.00", "191.00")
    assert shop.call("points.release", {"hold_id": held})["program_id"] == 2
    assert figures(shop, partner, 2) == ("251.00", "0.00", "251.00")
    with refused("conflict", reason="released"):
        shop.call("points.capture", {"hold_id": held})


def test_rule_23_up_and_down_again(shop):
    """The hold moves with its points, also back to where it was made."""
    partner = member(shop)
    first, second = hold(shop, partner, "30"), hold(shop, partner, "20")
    to_level(shop, partner, SILVER)
    shop.call("points.release", {"hold_id": second})
    to_level(shop, partner, BRONZE)
    to_level(shop, partner, SILVER)
    to_level(shop, partner, BRONZE)
    assert figures(shop, partner, 1) == ("101.00", "30.00", "71.00")
    assert shop.call("points.capture", {"hold_id": first})["program_id"] == 1
    with refused("conflict", reason="captured"):
        shop.call("points.capture", {"hold_id": first})
    with refused("conflict", reason="released"):
        shop.call("points.capture", {"hold_id": second})


def test_rule_23_an_order_captures_a_hold_that_moved(shop):
    partner = member(shop)
    held = hold(shop, partner, "60")
    to_level(shop, partner, SILVER)
    claims = [{"program_id": 2, "reward_id": 2}, {"program_id": 2, "reward_id": 1}]
    body = order(partner, line(price="9.00"), claims=claims[:1], hold_id=held)
    quoted = shop.call("order.quote", body)
    done = shop.call("order.process", body)
    assert done["points_redeemed"] == quoted["points_redeemed"] == "50.00"
    assert figures(shop, partner, 2) == ("60.00", "0.00", "60.00")
    shop.call("order.refund", refund(body["order_id"], line(qty=-1, price="9.00")))
    assert figures(shop, partner, 2) == ("101.00", "0.00", "101.00")


def test_rule_23_the_order_that_captures_is_the_one_that_upgrades(shop):
    partner = member(shop)
    held = hold(shop, partner, "60")
    body = order(partner, line(price="150.00"), claims=[{"program_id": 1, "reward_id": 2}], hold_id=held)
    done = shop.call("order.process", body)
    assert (done["points_redeemed"], done["membership"]["after"]) == ("50.00", SILVER)
    assert figures(shop, partner, 2) == ("201.00", "0.00", "201.00")


def test_rule_23_held_past_its_expiry(shop):
    soon = in_seconds(2)
    partner = member(shop, "50", expires=soon)
    held = hold(shop, partner, "30")
    time.sleep(2.1)
    to_level(shop, partner, SILVER)
    assert figures(shop, partner, 2) == ("31.00", "30.00", "1.00"), "the free part ran out on the old card"
    assert figures(shop, partner, 1) == ("0.00", "0.00", "0.00")
    done = shop.call("points.capture", {"hold_id": held, "points": "20"})
    assert (done["balance"], done["stored"]) == ("1.00", "1.00"), "what is let go expires at once"


def test_rule_23_a_hold_that_ran_out_on_the_new_card(shop):
    partner = member(shop)
    held = hold(shop, partner, "60", ttl_s=1)
    to_level(shop, partner, SILVER)
    time.sleep(1.1)
    assert figures(shop, partner, 2) == ("101.00", "0.00", "101.00")
    with refused("hold_expired"):
        shop.call("points.capture", {"hold_id": held})


def test_rule_23_a_reset_leaves_what_is_held(shop):
    partner = member(shop)
    taken, let_go = hold(shop, partner, "40"), hold(shop, partner, "20")
    to_level(shop, partner, GOLD)
    assert figures(shop, partner, 3) == ("60.00", "60.00", "0.00")
    assert shop.call("points.capture", {"hold_id": taken})["captured"] == "40.00"
    shop.call("points.release", {"hold_id": let_go})
    assert figures(shop, partner, 3) == ("20.00", "0.00", "20.00")


def test_rule_23_a_blocked_card_keeps_its_holds(shop):
    partner = member(shop)
    held = hold(shop, partner, "60")
    shop.call("card.block", {"partner_id": partner, "program_id": 1, "reason": "lost"})
    to_level(shop, partner, SILVER)
    assert figures(shop, partner, 1) == ("101.00", "60.00", "41.00")
    shop.call("card.unblock", {"partner_id": partner, "program_id": 1, "reason": "found"})
    shop.call("membership.evaluate", {"partner_id": partner})
    done = shop.call("points.capture", {"hold_id": held})
    assert done["captured"] == "60.00"


def outcome(shop, method, body):
    try:
        shop.call(method, body)
        return "ok"
    except LoyaltyError as error:
        return error.code


def test_a_capture_and_a_change_of_level_at_once(shop):
    """Whoever is first: the hold is captured once, and what was not is the member's."""
    for _ in range(8):
        partner = member(shop)
        held = hold(shop, partner, "60")
        change = {"partner_id": partner, "membership_product_id": SILVER, "reason": "test"}
        calls = [("points.capture", {"hold_id": held}), ("membership.change", change), ("points.capture", {"hold_id": held})]
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            results = list(pool.map(lambda call: outcome(shop, *call), calls))
        assert results[1] == "ok" and sorted(results[::2]) == ["conflict", "ok"]
        assert figures(shop, partner, 2) == ("41.00", "0.00", "41.00")
