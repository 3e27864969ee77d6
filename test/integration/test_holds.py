"""Points that are held for a time: captured, released, or free again by themselves (rule 22)."""

import concurrent.futures
import datetime
import time

import pytest

from loyalty_client import LoyaltyError
from shop import line, loyalty_program, new_id, new_partner, order, refused, written


@pytest.fixture(scope="module")
def shop(engine):
    engine.call("reference.put", {"products": [{"product_id": 1}]})
    engine.call("program.put", loyalty_program())
    return engine


@pytest.fixture(scope="module", autouse=True)
def ledger_holds(engine):
    yield
    engine.assert_ledger_holds()


def new_card(shop, points="100", **fields):
    return shop.call("card.create", {"program_id": 1, "partner_id": new_partner(), "points": points, **fields})


def figures(shop, card):
    balance = shop.call("card.balance", {"card_id": card["card_id"]})
    return balance["balance"], balance["held"], balance["usable"]


def hold(shop, card, points, **fields):
    return shop.call("points.hold", {"card_id": card["card_id"], "points": points, **fields})


def in_seconds(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).isoformat()


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def wait_until(text):
    while datetime.datetime.now(datetime.timezone.utc) <= instant(text):
        time.sleep(0.05)


def test_rule_22_held_then_captured(shop):
    card = new_card(shop)
    held = hold(shop, card, "60")
    assert (held["points"], held["balance"], held["held"], held["usable"]) == ("60.00", "100.00", "60.00", "40.00")
    left = instant(held["until"]) - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(minutes=13) < left < datetime.timedelta(minutes=17)
    with refused("insufficient_points", available="40.00"):
        shop.call("card.adjust", {"card_id": card["card_id"], "points": "-41", "reason": "somebody else"})
    with refused("claim_refused", reason="not_enough_points"):
        shop.call("order.process", order(card["partner_id"], line(price="9.00"), claims=[{"program_id": 1, "reward_id": 2}]))
    done = shop.call("points.capture", {"hold_id": held["hold_id"], "points": "45", "reason": "receipt 12"})
    assert (done["captured"], done["released"], done["balance"], done["held"]) == ("45.00", "15.00", "55.00", "0.00")
    row = shop.call("card.history", {"card_id": card["card_id"]})["history"][0]
    assert (row["kind"], row["points"], row["reason"]) == ("redeem", "-45.00", "receipt 12")
    with refused("conflict", reason="captured"):
        shop.call("points.capture", {"hold_id": held["hold_id"]})
    with refused("conflict", reason="captured"):
        shop.call("points.release", {"hold_id": held["hold_id"]})


def test_rule_22_held_then_released(shop):
    card = new_card(shop)
    held = hold(shop, card, "100")
    with refused("insufficient_points", available="0.00"):
        hold(shop, card, "0.01")
    done = shop.call("points.release", {"hold_id": held["hold_id"]})
    assert (done["captured"], done["released"], done["usable"]) == ("0.00", "100.00", "100.00")
    with refused("conflict", reason="released"):
        shop.call("points.capture", {"hold_id": held["hold_id"]})
    assert len(shop.call("card.history", {"card_id": card["card_id"]})["history"]) == 1, "nothing moved"


def test_rule_22_exactly_its_lots(shop):
    """Two holds take lots in the order in which they expire; each captures its own, whatever came since."""
    card = new_card(shop, "10", expires=in_seconds(86400))
    shop.call("card.adjust", {"card_id": card["card_id"], "points": 20, "reason": "x", "expires": in_seconds(2 * 86400)})
    first, second = hold(shop, card, "15"), hold(shop, card, "10")
    shop.call("card.adjust", {"card_id": card["card_id"], "points": 5, "reason": "x", "expires": in_seconds(3600)})
    shop.call("points.capture", {"hold_id": second["hold_id"]})
    lots = {lot["lot"]: lot["remaining"] for lot in shop.call("card.get", {"card_id": card["card_id"]})["lots"]}
    assert lots == {1: "10.00", 2: "10.00", 3: "5.00"}
    shop.call("points.capture", {"hold_id": first["hold_id"]})
    lots = {lot["lot"]: lot["remaining"] for lot in shop.call("card.get", {"card_id": card["card_id"]})["lots"]}
    assert lots == {2: "5.00", 3: "5.00"}


def test_rule_22_what_is_held_does_not_expire(shop):
    soon = in_seconds(1.5)
    card = new_card(shop, "10", expires=soon)
    taken, let_go = hold(shop, card, "6"), hold(shop, card, "3")
    wait_until(soon)
    assert figures(shop, card) == ("9.00", "9.00", "0.00"), "the part that nobody holds is gone"
    done = shop.call("points.release", {"hold_id": let_go["hold_id"]})
    assert (done["balance"], done["held"]) == ("6.00", "6.00"), "what is let go expires at once"
    done = shop.call("points.capture", {"hold_id": taken["hold_id"], "points": "5"})
    assert (done["captured"], done["balance"], done["held"], done["stored"]) == ("5.00", "0.00", "0.00", "0.00")
    kinds = [(row["kind"], row["points"]) for row in shop.call("card.history", {"card_id": card["card_id"]})["history"]]
    assert kinds[:2] == [("expire", "-5.00"), ("redeem", "-5.00")]


def test_rule_22_an_expired_hold_releases_itself(shop):
    card = new_card(shop)
    held = hold(shop, card, "80", ttl_s=1)
    wait_until(held["until"])
    assert figures(shop, card) == ("100.00", "0.00", "100.00")
    with refused("hold_expired"):
        shop.call("points.capture", {"hold_id": held["hold_id"]})
    bought = order(card["partner_id"], line(price="100.00"), claims=[{"program_id": 1, "reward_id": 2}])
    assert shop.call("order.process", bought)["points_redeemed"] == "50.00"
    with refused("hold_expired"):
        shop.call("points.capture", {"hold_id": held["hold_id"]})
    with refused("hold_expired"):
        shop.call("points.release", {"hold_id": held["hold_id"]})


def test_what_cannot_be_held(shop):
    card = new_card(shop, "10")
    before = written(shop)
    for body, path in (({"points": "0"}, "points"), ({"points": "1", "ttl_s": 0}, "ttl_s"),
                       ({"points": "1", "ttl_s": 604801}, "ttl_s")):  # fmt: skip
        with refused("invalid_request", path=path):
            shop.call("points.hold", dict(body, card_id=card["card_id"]))
    for hold_id in ("x", "12", f"{card['card_id']}-NOSUCH", "99999999999999999999-A", "-A"):
        with refused("not_found"):
            shop.call("points.capture", {"hold_id": hold_id})
    with refused("insufficient_points", required="10.01", available="10.00"):
        hold(shop, card, "10.01")
    assert written(shop) == before
    held = hold(shop, card, "5")
    with refused("invalid_request", path="points"):
        shop.call("points.capture", {"hold_id": held["hold_id"], "points": "5.01"})
    shop.call("card.block", {"card_id": card["card_id"], "reason": "lost"})
    for method, body in (("points.hold", {"card_id": card["card_id"], "points": 1}),
                         ("points.capture", {"hold_id": held["hold_id"]})):  # fmt: skip
        with refused("card_blocked"):
            shop.call(method, body)
    assert shop.call("points.release", {"hold_id": held["hold_id"]})["held"] == "0.00"


def test_a_card_has_so_many_holds(shop):
    card = new_card(shop)
    for _ in range(100):
        hold(shop, card, "0.5")
    with refused("limit_reached", limit="holds"):
        hold(shop, card, "0.5")


def test_the_same_key_holds_once(shop):
    card, key = new_card(shop), new_id("key")
    body = {"card_id": card["card_id"], "points": "10"}
    held = shop.call("points.hold", body, key=key)
    assert shop.call("points.hold", body, key=key) == dict(held, replayed=True)
    assert figures(shop, card)[1] == "10.00"


def outcome(call, *arguments):
    try:
        call(*arguments)
        return "ok"
    except LoyaltyError as error:
        return error.code


def test_two_captures_at_once(shop):
    """One of them gets the points."""
    for _ in range(5):
        card = new_card(shop)
        held = hold(shop, card, "70")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            body = {"hold_id": held["hold_id"]}
            results = list(pool.map(lambda _: outcome(shop.call, "points.capture", body), range(4)))
        assert sorted(results) == ["conflict"] * 3 + ["ok"]
        assert figures(shop, card) == ("30.00", "0.00", "30.00")


def test_holding_against_spending(shop):
    """Whoever comes first has them; nobody has them twice."""
    card = new_card(shop)

    def either(number):
        if number % 2:
            return outcome(shop.call, "points.hold", {"card_id": card["card_id"], "points": "15"})
        body = {"card_id": card["card_id"], "points": "-15", "reason": "spend"}
        return outcome(shop.call, "card.adjust", body)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(either, range(24)))
    assert results.count("ok") == 6 and results.count("insufficient_points") == 18
    held = 15 * sum(result == "ok" for result in results[1::2])
    assert figures(shop, card) == (f"{10 + held}.00", f"{held}.00", "10.00")
