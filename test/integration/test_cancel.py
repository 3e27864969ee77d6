"""order.cancel of orders that took something back of others: exchanges and returns are undone as if they had never been (rule 36)."""

import concurrent.futures
import datetime
import time

import pytest

from loyalty_client import LoyaltyError
from shop import line, loyalty_program, new_id, new_partner, order, promotion, refund, refused, written

POINTS, ONCE, GIFT, NEXT, FRIENDS = 1, 71, 72, 73, 74
VOUCHER = [{"program_id": POINTS, "reward_id": 2}]  # 5.00 off for 50 points


@pytest.fixture(scope="module")
def shop(engine):
    engine.call("reference.put", {"products": [{"product_id": 1}, {"product_id": 2}, {"product_id": 3}]})
    engine.call("program.put", loyalty_program(POINTS))
    engine.call("program.put", promotion(ONCE, "10", program_type="promo_code", trigger="with_code", max_usage_per_customer=1,
                                         rules=[{"mode": "with_code", "code": "ONCE"}]))  # fmt: skip
    engine.call("program.put", {"program_id": GIFT, "name": "Gift cards", "program_type": "gift_card", "applies_on": "future",
                                "rules": [{"product_ids": [2], "reward_point_mode": "money", "reward_point_amount": 1, "reward_point_split": True}],
                                "rewards": [{"discount_mode": "per_point", "discount": "1.00"}]})  # fmt: skip
    engine.call("program.put", {"program_id": NEXT, "name": "For the next order", "program_type": "next_order_coupons", "applies_on": "future",
                                "rules": [{"product_ids": [3]}], "rewards": [{"discount": "10"}]})  # fmt: skip
    engine.call("program.put", {"program_id": FRIENDS, "name": "Bring a friend", "program_type": "referral", "max_referral_usage": 1,
                                "rules": [{"reward_point_mode": "money", "reward_point_amount": "0.1"}],
                                "rewards": [{"discount_mode": "per_order", "discount": "5.00", "required_points": 10}]})  # fmt: skip
    return engine


@pytest.fixture(autouse=True)
def ledger_holds(engine):
    yield
    engine.assert_ledger_holds()


def new_member(shop, points="100", **fields):
    return shop.call("card.create", {"program_id": POINTS, "partner_id": new_partner(), "points": points, **fields})["partner_id"]


def card_of(shop, partner, program=POINTS):
    return shop.call("card.get", {"partner_id": partner, "program_id": program})


def figures(shop, partner):
    card = card_of(shop, partner)
    return card["balance"], card["debt"]


def lots(shop, partner):
    return {lot["lot"]: lot["remaining"] for lot in card_of(shop, partner)["lots"]}


def cancel(shop, order_id):
    return shop.call("order.cancel", {"order_id": order_id})


def in_seconds(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).isoformat()


def test_rule_36_a_return_is_undone(shop):
    partner = new_member(shop, "60")
    bought = order(partner, line(price="20.00"), claims=VOUCHER)
    done = shop.call("order.process", bought)
    assert (done["points_earned"], done["points_redeemed"], figures(shop, partner)) == ("20.00", "50.00", ("30.00", "0.00"))
    before = lots(shop, partner)
    back = shop.call("order.refund", refund(bought["order_id"], line(qty=-1, price="20.00")))
    assert figures(shop, partner) == ("60.00", "0.00")
    undone = cancel(shop, back["order_id"])
    assert (undone["amount_total"], undone["points_earned"], undone["points_redeemed"]) == ("15.00", "20.00", "50.00")
    assert figures(shop, partner) == ("30.00", "0.00") and lots(shop, partner) == before
    assert cancel(shop, back["order_id"]) == dict(undone, replayed=True)
    # The original can be returned again, once.
    again = refund({"order_id": bought["order_id"], "line_id": "0"}, line(qty=-1, price="20.00"))
    assert shop.call("order.refund", again)["amount_total"] == "-15.00"
    assert figures(shop, partner) == ("60.00", "0.00")
    with refused("refund_exceeds"):
        shop.call("order.refund", dict(again, order_id=new_id()))


def test_rule_36_an_exchange_is_undone(shop):
    partner = new_member(shop, "60")
    bought = order(partner, line(price="20.00"))
    shop.call("order.process", bought)
    exchange = order(partner, line(qty=-1, price="20.00", refund_of=bought["order_id"]), line(price="70.00"), claims=VOUCHER)
    done = shop.call("order.process", exchange)
    assert (done["amount_total"], figures(shop, partner)) == ("45.00", ("80.00", "0.00"))
    undone = cancel(shop, exchange["order_id"])
    assert (undone["amount_total"], figures(shop, partner)) == ("-45.00", ("80.00", "0.00"))
    assert lots(shop, partner) == {1: "60.00", 2: "20.00"}
    with refused("conflict", reason="cancelled"):
        shop.call("order.process", exchange)


def test_rule_36_returns_of_one_original_in_any_order(shop):
    """Two parts are returned; the first is undone, and returned again."""
    partner = new_member(shop, "30", expires=in_seconds(86400))
    shop.call("card.adjust", {"partner_id": partner, "program_id": POINTS, "points": "30", "reason": "x"})
    bought = order(partner, line(qty=2, price="10.00"), claims=VOUCHER)
    shop.call("order.process", bought)
    spent = lots(shop, partner)
    half = line(qty=-1, price="10.00")
    first = shop.call("order.refund", refund(bought["order_id"], half))
    second = shop.call("order.refund", refund(bought["order_id"], half))
    assert lots(shop, partner) == {1: "30.00", 2: "30.00"}
    with refused("conflict", reason="returned"):
        cancel(shop, first["order_id"])
    cancel(shop, second["order_id"])
    cancel(shop, first["order_id"])
    assert lots(shop, partner) == spent
    for _ in range(2):
        shop.call("order.refund", refund(bought["order_id"], half))
    assert lots(shop, partner) == {1: "30.00", 2: "30.00"}


def test_rule_36_a_part_that_is_not_the_last(shop):
    partner = new_member(shop, "90")
    bought = order(partner, line(qty=3, price="10.00"), claims=VOUCHER)
    shop.call("order.process", bought)
    part = line(qty=-1, price="10.00")
    first, second = (shop.call("order.refund", refund(bought["order_id"], part)) for _ in range(2))
    cancel(shop, first["order_id"])
    assert figures(shop, partner) == ("76.68", "0.00"), "what the second part took stands"
    for _ in range(2):
        shop.call("order.refund", refund(bought["order_id"], part))
    assert figures(shop, partner) == ("90.00", "0.00")
    with refused("refund_exceeds"):
        shop.call("order.refund", refund({"order_id": bought["order_id"], "line_id": "0"}, part))


def test_rule_36_what_was_returned_cannot_be_cancelled(shop):
    partner = new_member(shop)
    bought = order(partner, line(qty=2))
    shop.call("order.process", bought)
    back = shop.call("order.refund", refund(bought["order_id"], line(qty=-1)))
    before = written(shop)
    with refused("conflict", reason="returned"):
        cancel(shop, bought["order_id"])
    assert written(shop) == before
    cancel(shop, back["order_id"])
    cancel(shop, bought["order_id"])
    assert figures(shop, partner) == ("100.00", "0.00")


def test_rule_36_points_given_back_and_spent_since_are_owed(shop):
    partner = new_member(shop, "50")
    bought = order(partner, line(price="5.00"), claims=VOUCHER)
    shop.call("order.process", bought)
    back = shop.call("order.refund", refund(bought["order_id"], line(qty=-1, price="5.00")))
    assert figures(shop, partner) == ("50.00", "0.00")
    other = order(partner, line(price="5.00"), claims=VOUCHER)
    shop.call("order.process", other)
    undone = cancel(shop, back["order_id"])
    card = card_of(shop, partner)
    assert (card["balance"], card["debt"]) == ("0.00", "40.00")
    assert undone["shortfall"] == [{"card_id": card["card_id"], "points": "40.00", "became": "debt"}]
    # Both are returned: whoever comes first, all is there again.
    for one in (other, bought):
        shop.call("order.refund", refund(one["order_id"], line(qty=-1, price="5.00")))
    assert figures(shop, partner) == ("50.00", "0.00")


def test_rule_36_others_in_their_place(shop):
    """What was given back is gone, and other points are there: these are spent, and each return still finds a lot."""
    partner = new_member(shop, "50")
    bought = order(partner, line(price="5.00"), claims=VOUCHER)
    shop.call("order.process", bought)
    back = shop.call("order.refund", refund(bought["order_id"], line(qty=-1, price="5.00")))
    other = order(partner, line(price="5.00"), claims=VOUCHER)
    shop.call("order.process", other)
    shop.call("card.adjust", {"partner_id": partner, "program_id": POINTS, "points": "100", "reason": "gift"})
    cancel(shop, back["order_id"])
    assert figures(shop, partner) == ("60.00", "0.00")
    for one in (bought, other):
        shop.call("order.refund", refund(one["order_id"], line(qty=-1, price="5.00")))
    assert figures(shop, partner) == ("150.00", "0.00")


def test_rule_36_debt_that_a_return_made(shop):
    partner = new_member(shop, "0.01")
    bought = order(partner, line(price="100.00"))
    shop.call("order.process", bought)
    shop.call("card.adjust", {"partner_id": partner, "program_id": POINTS, "points": "-90", "reason": "spent"})
    back = shop.call("order.refund", refund(bought["order_id"], line(qty=-1, price="100.00")))
    assert figures(shop, partner) == ("0.00", "89.99")
    undone = cancel(shop, back["order_id"])
    assert (undone["points_earned"], figures(shop, partner)) == ("100.00", ("10.01", "0.00"))


def test_rule_36_debt_that_was_paid_meanwhile_comes_back_as_points(shop):
    partner = new_member(shop, "0.01")
    bought = order(partner, line(price="100.00"))
    shop.call("order.process", bought)
    shop.call("card.adjust", {"partner_id": partner, "program_id": POINTS, "points": "-90", "reason": "spent"})
    back = shop.call("order.refund", refund(bought["order_id"], line(qty=-1, price="100.00")))
    shop.call("order.process", order(partner, line(price="200.00")))
    assert figures(shop, partner) == ("110.01", "0.00")
    cancel(shop, back["order_id"])
    assert figures(shop, partner) == ("210.01", "0.00")


def test_rule_36_forgiven_points_stay_forgiven(shop):
    partner = new_member(shop, "0.01")
    bought = order(partner, line(price="100.00"))
    shop.call("order.process", bought)
    shop.call("card.adjust", {"partner_id": partner, "program_id": POINTS, "points": "-90", "reason": "spent"})
    back = shop.call("order.refund", refund(bought["order_id"], line(qty=-1, price="100.00"), shortfall="forgive"))
    cancel(shop, back["order_id"])
    assert figures(shop, partner) == ("10.01", "0.00")


@pytest.mark.parametrize("booked", [False, True], ids=["not booked", "booked"])
def test_rule_36_points_that_came_back_expired(shop, booked):
    """They were spent before they expired: undone, they are spent again, and nothing else is."""
    soon = in_seconds(1.5)
    partner = new_member(shop, "50", expires=soon)
    bought = order(partner, line(price="5.00"), claims=VOUCHER)
    shop.call("order.process", bought)
    time.sleep(1.6)
    shop.call("card.adjust", {"partner_id": partner, "program_id": POINTS, "points": "20", "reason": "x"})
    back = shop.call("order.refund", refund(bought["order_id"], line(qty=-1, price="5.00")))
    assert figures(shop, partner) == ("20.00", "0.00")
    if booked:
        shop.call("job.run", {"job": "expire", "period": new_id("P")})
    assert card_of(shop, partner)["stored"] == ("20.00" if booked else "70.00")
    cancel(shop, back["order_id"])
    assert figures(shop, partner) == ("25.00", "0.00"), "20, and what the order earned"
    kinds = [row["kind"] for row in shop.call("card.history", {"partner_id": partner, "program_id": POINTS})["history"]]
    assert ("unexpire" in kinds) == booked and kinds[0] == "redeem"


def test_rule_36_uses_count_again(shop):
    partner = new_partner()
    bought = order(partner, line(qty=2), claims=[{"code": "ONCE"}])
    shop.call("order.process", bought)
    backs = [shop.call("order.refund", refund(bought["order_id"], line(qty=-1))) for _ in range(2)]
    used = f"SELECT used FROM program_usage WHERE program_id = {ONCE} AND subject = {partner}"
    assert shop.query(used) == [(0,)], "nothing of it is left"
    with refused("conflict", reason="returned"):
        cancel(shop, backs[0]["order_id"])
    cancel(shop, backs[1]["order_id"])
    assert shop.query(used) == [(1,)]
    with refused("limit_reached"):
        shop.call("order.process", order(partner, claims=[{"code": "ONCE"}]))
    cancel(shop, backs[0]["order_id"])
    assert shop.query(used) == [(1,)]
    cancel(shop, bought["order_id"])
    assert shop.query(used) == [(0,)]


def test_rule_36_what_a_gift_card_had_paid(shop):
    card = shop.call("card.create", {"program_id": GIFT, "points": "30.00"})
    bought = order(None, line(price="20.00"), claims=[{"code": card["code"]}])
    assert shop.call("order.process", bought)["amount_total"] == "0.00"
    back = shop.call("order.refund", refund(bought["order_id"], line(qty=-1, price="20.00")))
    assert shop.call("card.get", {"code": card["code"]})["balance"] == "30.00"
    cancel(shop, back["order_id"])
    assert shop.call("card.get", {"code": card["code"]})["balance"] == "10.00"
    # Given back once more, and spent: a gift card owes nothing, so this cannot be undone.
    back = shop.call("order.refund", refund(bought["order_id"], line(qty=-1, price="20.00")))
    shop.call("order.process", order(None, line(price="30.00"), claims=[{"code": card["code"]}]))
    before = written(shop)
    with refused("insufficient_points"):
        cancel(shop, back["order_id"])
    assert written(shop) == before


def test_rule_36_a_coupon_and_a_gift_card_that_were_taken_back(shop):
    code = new_id("PRINTED")
    partner = new_partner()
    bought = order(partner, line(2, 1, "20.00", gift_code=code), line(3, 1, "10.00"))
    coupon = next(card for card in shop.call("order.process", bought)["cards"] if card["program_id"] == NEXT)
    back = shop.call("order.refund", refund(bought["order_id"], line(2, -1, "20.00"), line(3, -1, "10.00")))
    assert shop.call("card.get", {"code": code})["balance"] == "0.00"
    assert shop.call("card.get", {"card_id": coupon["card_id"]})["balance"] == "0.00"
    cancel(shop, back["order_id"])
    assert shop.call("card.get", {"code": code})["balance"] == "20.00"
    assert shop.call("card.get", {"card_id": coupon["card_id"]})["balance"] == coupon["points"]


def test_rule_36_an_exchange_of_two_members(shop):
    """One returns what another bought: both are as before."""
    buyer, bringer = new_member(shop), new_member(shop)
    bought = order(buyer, line(price="30.00"))
    shop.call("order.process", bought)
    exchange = order(bringer, line(qty=-1, price="30.00", refund_of=bought["order_id"]), line(price="40.00"))
    shop.call("order.process", exchange)
    assert (figures(shop, buyer)[0], figures(shop, bringer)[0]) == ("100.00", "140.00")
    cancel(shop, exchange["order_id"])
    assert (figures(shop, buyer)[0], figures(shop, bringer)[0]) == ("130.00", "100.00")


def test_rule_36_a_referral_that_was_taken_back(shop):
    """The return took the owner's points and the use of the code; undone, both are there again, once."""
    owner = shop.call("card.create", {"program_id": FRIENDS, "partner_id": new_partner(), "code": new_id("FRIEND")})
    claims = [{"code": owner["code"]}]
    bought = order(new_partner(), line(price="100.00"), claims=claims)
    assert shop.call("order.process", bought)["amount_total"] == "95.00"
    back = shop.call("order.refund", refund(bought["order_id"], line(qty=-1, price="100.00")))
    assert shop.call("card.balance", {"card_id": owner["card_id"]})["balance"] == "0.00"
    cancel(shop, back["order_id"])
    assert shop.call("card.balance", {"card_id": owner["card_id"]})["balance"] == "10.00"
    with refused("limit_reached"):
        shop.call("order.process", order(new_partner(), line(price="100.00"), claims=claims))
    shop.call("order.refund", refund(bought["order_id"], line(qty=-1, price="100.00")))
    assert shop.call("card.balance", {"card_id": owner["card_id"]})["balance"] == "0.00"


def test_rule_36_money_spent(shop):
    partner = new_member(shop)
    bought = order(partner, line(price="30.00"))
    shop.call("order.process", bought)
    spent = f"SELECT spending, order_count FROM members WHERE partner_id = {partner}"
    before = shop.query(spent)
    back = shop.call("order.refund", refund(bought["order_id"], line(qty=-1, price="30.00")))
    cancel(shop, back["order_id"])
    assert shop.query(spent) == before


def outcome(shop, method, body):
    try:
        return shop.call(method, body)["order_id"]
    except LoyaltyError as error:
        return error.code


def test_cancelling_and_returning_at_once(shop):
    """The last unit is returned again while its return is undone: in whatever order, it is back at most once."""
    for _ in range(6):
        partner = new_member(shop)
        bought = order(partner, line(price="30.00"))
        shop.call("order.process", bought)
        back = refund(bought["order_id"], line(qty=-1, price="30.00"))
        shop.call("order.refund", back)
        again = refund({"order_id": bought["order_id"], "line_id": "0"}, line(qty=-1, price="30.00"))
        calls = [("order.cancel", {"order_id": back["order_id"]}), ("order.refund", again)]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            results = list(pool.map(lambda call: outcome(shop, *call), calls))
        assert results[0] == back["order_id"] and results[1] in (again["order_id"], "refund_exceeds")
        assert figures(shop, partner)[0] == ("100.00" if results[1] == again["order_id"] else "130.00")
