"""Two members that become one (rule 23): nothing is lost or doubled, and whoever names the one that went means the other."""

import datetime
import threading
from decimal import Decimal

import pytest

from curve import client_options
from harness import Engine
from loyalty_client import Client, LoyaltyError
from raw_client import at_once, result_of
from shop import line, loyalty_program, new_id, new_partner, order, promotion, refund, refused, written

BRONZE, SILVER, GOLD = 911, 912, 913
LEVELS = [
    {"membership_product_id": BRONZE, "sequence": 1, "threshold": "0.00"},
    {"membership_product_id": SILVER, "sequence": 2, "threshold": "100.00"},
    {"membership_product_id": GOLD, "sequence": 3, "threshold": "300.00"},
]
POINTS, COUPONS, LIMITED = 1, 2, 3


def prepare(engine):
    engine.call("reference.put", {"levels": LEVELS})
    engine.call("program.put", loyalty_program(POINTS, expiry={"policy": "days", "count": 30}))
    engine.call("program.put", {"program_id": COUPONS, "name": "Coupons", "program_type": "coupons", "rules": [{}],
                                "rewards": [{"discount_mode": "per_order", "discount": "2.00"}]})  # fmt: skip
    engine.call("program.put", promotion(LIMITED, 10, max_usage_per_customer=2, rules=[{"product_ids": [7]}]))


@pytest.fixture(scope="module", params=[1, 8])
def shop(request):
    with Engine(buckets=request.param) as engine:
        prepare(engine)
        yield engine
        engine.assert_ledger_holds()


def buy(shop, partner, price, **fields):
    return shop.call("order.process", order(partner, line(price=price), **fields))


def balance(shop, partner):
    return shop.call("card.balance", {"partner_id": partner, "program_id": POINTS})["balance"]


def merge(shop, partner, into, **fields):
    return shop.call("member.merge", {"partner_id": partner, "into_partner_id": into, **fields})


def lots(shop, partner):
    card = shop.call("card.get", {"partner_id": partner, "program_id": POINTS})
    return sorted((lot["gained"], lot["expires"], lot["remaining"]) for lot in card["lots"])


def test_rule_23_the_points_of_both_with_their_dates(shop):
    gone, stays = new_partner(), new_partner()
    buy(shop, gone, "10.00")
    buy(shop, gone, "5.00")
    buy(shop, stays, "7.00")
    before = lots(shop, gone) + lots(shop, stays)
    done = merge(shop, gone, stays)
    assert (done["partner_id"], done["merged"], done["replayed"]) == (stays, gone, False)
    assert (done["cards_moved"], done["cards_emptied"], done["points_moved"]) == (0, 1, "15.00")
    assert (done["orders"], done["lifetime_spending"], done["level"]) == (3, "22.00", BRONZE)
    assert balance(shop, stays) == "22.00" and lots(shop, stays) == sorted(before)
    shop.assert_ledger_holds()


def test_rule_23_a_card_that_the_other_has_none_of_is_its_card_now(shop):
    gone, stays = new_partner(), new_partner()
    bought = buy(shop, gone, "10.00")
    card = bought["points"][0]["card_id"]
    done = merge(shop, gone, stays)
    assert (done["cards_moved"], done["cards_emptied"], done["points_moved"]) == (1, 0, "0.00")
    cards = shop.call("card.get", {"partner_id": stays})["cards"]
    assert [(one["card_id"], one["partner_id"], one["balance"]) for one in cards] == [(card, stays, "10.00")]
    # It goes on earning on it, in whatever bucket it lies.
    assert buy(shop, stays, "1.00")["points"][0]["card_id"] == card
    assert balance(shop, stays) == "11.00"
    shop.assert_ledger_holds()


def test_rule_23_who_names_the_one_that_went_means_the_other(shop):
    gone, stays = new_partner(), new_partner()
    buy(shop, gone, "10.00")
    old = shop.call("card.get", {"partner_id": gone, "program_id": POINTS})
    buy(shop, stays, "7.00")
    merge(shop, gone, stays)
    bought = buy(shop, gone, "3.00")
    assert bought["final_balance"] == "20.00" and balance(shop, gone) == balance(shop, stays) == "20.00"
    assert shop.call("card.get", {"partner_id": gone})["partner_id"] == stays
    assert shop.call("membership.get", {"partner_id": gone})["partner_id"] == stays
    # Its card, by its id and by its code.
    for name in ({"card_id": old["card_id"]}, {"code": old["code"]}):
        assert shop.call("card.get", name)["balance"] == "20.00"
    shop.call("card.adjust", {"code": old["code"], "points": "5", "reason": "sorry"})
    assert balance(shop, stays) == "25.00"
    # What became of the old card stands in its own journal.
    history = shop.call("card.history", {"card_id": old["card_id"]})["history"]
    assert [(row["kind"], row["points"], row["balance"]) for row in history] == [("transfer", "-10.00", "0.00"), ("earn", "10.00", "10.00")]
    # Shown at the till, it is the member's.
    spent = shop.call("order.process", order(stays, cards=[old["code"]], claims=[{"card": old["code"], "reward_id": 1, "points": "4"}]))
    assert spent["points_redeemed"] == "4.00"
    assert shop.call("card.create", {"program_id": COUPONS, "partner_id": gone})["partner_id"] == stays
    shop.assert_ledger_holds()


def test_rule_23_coupons_change_their_member(shop):
    gone, stays = new_partner(), new_partner()
    coupon = shop.call("card.create", {"program_id": COUPONS, "partner_id": gone, "points": "1"})
    done = merge_known(shop, gone, stays)
    assert (done["cards_moved"], done["cards_emptied"]) == (1, 0)
    got = shop.call("card.get", {"code": coupon["code"]})
    assert (got["card_id"], got["partner_id"], got["balance"]) == (coupon["card_id"], stays, "1.00")
    assert coupon["card_id"] in [card["card_id"] for card in shop.call("card.get", {"partner_id": stays})["cards"]]
    used = shop.call("order.process", order(stays, claims=[{"card": {"card_id": coupon["card_id"]}}]))
    assert (used["amount_total"], used["discounts"][0]["card_id"]) == ("8.00", coupon["card_id"])
    shop.assert_ledger_holds()


def merge_known(shop, gone, stays):
    buy(shop, stays, "1.00")
    return merge(shop, gone, stays)


def test_rule_33_refunds_of_its_old_orders(shop):
    gone, stays = new_partner(), new_partner()
    first = buy(shop, gone, "10.00")
    spent = shop.call("order.process", order(gone, line(price="20.00"), claims=[{"program_id": POINTS, "reward_id": 1, "points": "4"}]))
    buy(shop, stays, "7.00")
    have = Decimal(balance(shop, gone)) + 7
    merge(shop, gone, stays)
    back = shop.call("order.refund", refund(first["order_id"], line(price="10.00", qty=-1)))
    assert Decimal(balance(shop, stays)) == have - 10
    assert back["points"][0]["card_id"] == shop.call("card.get", {"partner_id": stays, "program_id": POINTS})["card_id"]
    # Points that it redeemed come back too, to the card that is there now.
    again = shop.call("order.refund", refund(spent["order_id"], line(price="20.00", qty=-1)))
    net = Decimal(spent["points_earned"])
    assert Decimal(balance(shop, stays)) == have - 10 - net + 4
    assert again["membership"] is not None
    assert shop.call("membership.get", {"partner_id": stays})["lifetime_spending"] == "7.00"
    shop.assert_ledger_holds()


def test_rule_36_its_old_order_is_cancelled(shop):
    gone, stays = new_partner(), new_partner()
    spent = order(gone, line(price="20.00"), claims=[{"program_id": POINTS, "reward_id": 1, "points": "6"}])
    buy(shop, gone, "10.00")
    spent_answer = shop.call("order.process", spent)
    buy(shop, stays, "1.00")
    merge(shop, gone, stays)
    before = Decimal(balance(shop, stays))
    shop.call("order.cancel", {"order_id": spent["order_id"]})
    assert Decimal(balance(shop, stays)) == before + 6 - Decimal(spent_answer["points_earned"])
    assert shop.call("membership.get", {"partner_id": stays})["lifetime_spending"] == "11.00"
    shop.assert_ledger_holds()


def test_rule_32_both_together_reach_a_level(shop):
    gone, stays = new_partner(), new_partner()
    buy(shop, gone, "60.00")
    buy(shop, stays, "50.00")
    done = merge(shop, gone, stays)
    assert (done["level"], done["lifetime_spending"]) == (SILVER, "110.00")
    got = shop.call("membership.get", {"partner_id": gone})
    assert (got["level"], got["spending"]) == (SILVER, "110.00")


def test_rule_32_the_higher_level_of_the_two_stays(shop):
    for high_goes in (True, False):
        gone, stays = new_partner(), new_partner()
        high = gone if high_goes else stays
        buy(shop, gone, "1.00")
        buy(shop, stays, "1.00")
        shop.call("membership.change", {"partner_id": high, "membership_product_id": GOLD, "reason": "a friend", "to": "2190-01-01T00:00:00Z"})
        assert merge(shop, gone, stays)["level"] == GOLD
        got = shop.call("membership.get", {"partner_id": stays})
        assert (got["level"], got["to"]) == (GOLD, "2190-01-01T00:00:00Z")


def test_rule_35_a_late_order_finds_the_level_that_both_held_together(shop):
    def ago(days):
        return (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)).isoformat()

    gone, stays = new_partner(), new_partner()
    for partner, days in ((gone, 5), (stays, 1)):
        buy(shop, partner, "1.00")
        shop.call("membership.change", {"partner_id": partner, "membership_product_id": SILVER, "reason": "gift", "from": ago(days)})
    assert merge(shop, gone, stays)["level"] == SILVER
    shop.call("membership.change", {"partner_id": stays, "membership_product_id": BRONZE, "reason": "over"})
    for days, level in ((3, SILVER), (6, BRONZE)):
        assert buy(shop, stays, "1.00", date=ago(days))["membership"]["before"] == level


def test_rule_27_uses_of_both_count(shop):
    gone, stays = new_partner(), new_partner()

    def discounted(partner, **fields):
        return shop.call("order.process", order(partner, line(7), **fields))["amount_total"] == "9.00"

    bodies = [order(gone, line(7)), order(stays, line(7))]
    for body in bodies:
        assert shop.call("order.process", body)["amount_total"] == "9.00"
    merge(shop, gone, stays)
    assert not discounted(stays) and not discounted(gone)
    # A use of before the merge is given back to the one that stays.
    shop.call("order.refund", refund(bodies[0]["order_id"], line(7, qty=-1)))
    shop.assert_ledger_holds()
    assert discounted(stays) and not discounted(stays)


def test_rule_31_the_first_order_was_one_of_both(shop):
    program = {"program_id": 21, "name": "Welcome", "program_type": "promotion", "rules": [{"first_order": True, "product_ids": [9]}],
               "rewards": [{"discount": 50}]}  # fmt: skip
    shop.call("program.put", program)
    gone, stays = new_partner(), new_partner()
    buy(shop, gone, "1.00")
    shop.call("card.create", {"program_id": COUPONS, "partner_id": stays})
    merge(shop, gone, stays)
    assert shop.call("order.process", order(stays, line(9)))["amount_total"] == "10.00"
    shop.call("program.delete", {"program_id": 21})


def test_rule_23_debt_moves_along(shop):
    gone, stays = new_partner(), new_partner()
    bought = buy(shop, gone, "10.00")
    shop.call("card.adjust", {"partner_id": gone, "program_id": POINTS, "points": "-10", "reason": "gone"})
    shop.call("order.refund", refund(bought["order_id"], line(qty=-1)))
    assert shop.call("card.balance", {"partner_id": gone})["debt"] == "10.00"
    buy(shop, stays, "4.00")
    merge(shop, gone, stays)
    card = shop.call("card.balance", {"partner_id": stays})
    assert (card["balance"], card["debt"]) == ("0.00", "6.00")
    assert buy(shop, stays, "8.00")["final_balance"] == "2.00"
    shop.assert_ledger_holds()


def test_members_that_became_one_become_another(shop):
    first, second, third = new_partner(), new_partner(), new_partner()
    for partner, price in ((first, "1.00"), (second, "2.00"), (third, "4.00")):
        buy(shop, partner, price)
    old = shop.call("card.get", {"partner_id": first, "program_id": POINTS})
    merge(shop, first, second)
    merge(shop, second, third)
    for partner in (first, second, third):
        assert balance(shop, partner) == "7.00"
    assert shop.call("card.get", {"code": old["code"]})["balance"] == "7.00"
    assert buy(shop, first, "8.00")["final_balance"] == "15.00"
    shop.assert_ledger_holds()


def test_what_is_no_merge(shop):
    gone, stays, other = new_partner(), new_partner(), new_partner()
    buy(shop, gone, "1.00")
    buy(shop, stays, "1.00")
    before = written(shop)
    with refused("invalid_request", path="into_partner_id"):
        merge(shop, gone, gone)
    with refused("not_found", path="partner_id"):
        merge(shop, other, stays)
    assert written(shop) == before
    merge(shop, gone, stays)
    before = written(shop)
    with refused("conflict", reason="merged", partner_id=str(stays)):
        merge(shop, gone, other)
    with refused("invalid_request", path="into_partner_id"):
        merge(shop, stays, gone)  # that is itself
    assert written(shop) == before
    # Who was never met can be the one that stays.
    assert merge(shop, stays, other)["partner_id"] == other
    assert balance(shop, gone) == "2.00"


def test_a_blocked_card_keeps_what_it_has(shop):
    gone, stays = new_partner(), new_partner()
    card = buy(shop, gone, "3.00")["points"][0]["card_id"]
    buy(shop, stays, "1.00")
    shop.call("card.block", {"card_id": card, "reason": "stolen"})
    before = written(shop)
    with refused("card_blocked", card_id=str(card)):
        merge(shop, gone, stays)
    assert written(shop) == before
    shop.call("card.unblock", {"card_id": card, "reason": "found"})
    merge(shop, gone, stays)
    assert balance(shop, stays) == "4.00"


def test_the_same_key_merges_once(shop):
    gone, stays = new_partner(), new_partner()
    buy(shop, gone, "3.00")
    key, body = new_id("merge"), {"partner_id": gone, "into_partner_id": stays}
    done = shop.call("member.merge", body, key=key)
    assert shop.call("member.merge", body, key=key) == dict(done, replayed=True)
    with refused("conflict", reason="key_reused"):
        shop.call("member.merge", dict(body, reason="x"), key=key)


def test_rule_23_orders_of_both_while_they_become_one(shop):
    """Every order is counted once, wherever the merge came between them."""
    for _ in range(4):
        gone, stays = new_partner(), new_partner()
        buy(shop, gone, "1.00")
        buy(shop, stays, "1.00")
        bodies = [order(partner, line(price="1.00")) for _ in range(15) for partner in (gone, stays)]
        requests = [("order.process", body, body["order_id"]) for body in bodies]
        requests.insert(15, ("member.merge", {"partner_id": gone, "into_partner_id": stays}, new_id("merge")))
        results = [result_of(reply) for reply in at_once(shop.endpoint, requests)]
        assert len(results) == 31
        assert balance(shop, gone) == balance(shop, stays) == "32.00"
        assert shop.query(f"SELECT order_count FROM members WHERE partner_id = {stays}") == [(32,)]
        for body in bodies[::7]:
            assert shop.call("order.process", body)["replayed"] is True
        assert balance(shop, stays) == "32.00"
    shop.assert_ledger_holds()


def test_rule_22_holds_move_along(shop):
    gone, stays = new_partner(), new_partner()
    buy(shop, gone, "10.00")
    held = shop.call("points.hold", {"partner_id": gone, "program_id": POINTS, "points": "6"})["hold_id"]
    let_go = shop.call("points.hold", {"partner_id": gone, "program_id": POINTS, "points": "1"})["hold_id"]
    buy(shop, stays, "1.00")
    merge(shop, gone, stays)
    card = shop.call("card.balance", {"partner_id": stays})
    assert (card["balance"], card["held"], card["usable"]) == ("11.00", "7.00", "4.00")
    assert shop.call("points.capture", {"hold_id": held, "points": "5"})["captured"] == "5.00"
    assert shop.call("points.release", {"hold_id": let_go})["released"] == "1.00"
    card = shop.call("card.balance", {"partner_id": gone})
    assert (card["balance"], card["held"], card["usable"]) == ("6.00", "0.00", "6.00")
    shop.assert_ledger_holds()


def test_rule_35_a_late_order_of_the_one_that_went(shop):
    gone, stays = new_partner(), new_partner()
    buy(shop, gone, "10.00")
    then = datetime.datetime.now(datetime.timezone.utc).isoformat()
    buy(shop, stays, "1.00")
    merge(shop, gone, stays)
    late = buy(shop, gone, "5.00", date=then)
    assert late["late"] and balance(shop, stays) == "16.00"
    assert shop.query(f"SELECT count(*) FROM loyalty_cards WHERE partner_id = {gone}") == [(0,)]


def test_quotes_name_either(shop):
    gone, stays = new_partner(), new_partner()
    buy(shop, gone, "10.00")
    buy(shop, stays, "1.00")
    merge(shop, gone, stays)
    before = written(shop)
    quotes = [shop.call("order.quote", order(partner, line(price="2.00"), order_id="Q", at="2190-01-01T00:00:00Z")) for partner in (gone, stays)]
    assert quotes[0] == quotes[1] and quotes[0]["final_balance"] == "2.00"  # the others ran out by then
    assert written(shop) == before


def test_more_lots_than_are_read_at_once(shop):
    gone, stays = new_partner(), new_partner()
    bodies = [order(gone, line(price="1.00")) for _ in range(40)]
    at_once(shop.endpoint, [("order.process", body, body["order_id"]) for body in bodies])
    buy(shop, stays, "1.00")
    assert merge(shop, gone, stays)["points_moved"] == "40.00"
    assert shop.call("order.process", order(stays, line(price="41.00"), claims=[{"program_id": POINTS, "reward_id": 1}]))["points_redeemed"] == "82.00"  # its own 41 too
    shop.assert_ledger_holds()


@pytest.mark.parametrize("buckets", [1, 8])
def test_rule_23_a_worker_that_dies_in_the_middle(buckets):
    """Whatever a client was not told, it sends again: each merge is done once, and no point is lost or doubled."""
    with Engine(buckets=buckets) as engine:
        prepare(engine)
        pairs = [(new_partner(), new_partner()) for _ in range(12)]
        for pair in pairs:
            for partner in pair:
                buy(engine, partner, "5.00")
        failures = []

        def join(gone, stays):
            try:
                with Client(engine.endpoint, **client_options()) as client:
                    client.call("member.merge", {"partner_id": gone, "into_partner_id": stays}, key=f"merge-{gone}", timeout=60)
                    client.call("order.process", order(gone, line(price="1.00"), order_id=f"after-{gone}"), timeout=60)
            except LoyaltyError as error:
                failures.append(error)

        threads = [threading.Thread(target=join, args=pair) for pair in pairs]
        for index, thread in enumerate(threads):
            thread.start()
            if index in (3, 8):
                name = f"worker-{1 if index == 3 else 2}"
                engine.wait_for_new(name, engine.kill_process(name))
        for thread in threads:
            thread.join()
        assert not failures
        for gone, stays in pairs:
            assert balance(engine, gone) == balance(engine, stays) == "11.00"
        engine.assert_ledger_holds()
