"""Membership: levels reached by orders, spending that returns lower, downgrades after a grace, points that move with the level."""

import datetime
from decimal import Decimal

import pytest

from harness import Engine
from raw_client import at_once, result_of
from shop import line, loyalty_program, new_id, new_partner, order, refund, refused, told

BRONZE, SILVER, GOLD, STAFF = 901, 902, 903, 904
LEVELS = [
    {"membership_product_id": BRONZE, "sequence": 1, "threshold": "0.00"},
    {"membership_product_id": SILVER, "sequence": 2, "threshold": "100.00"},
    {"membership_product_id": GOLD, "sequence": 3, "threshold": "300.00"},
    {"membership_product_id": STAFF, "sequence": 4, "threshold": "0.00", "is_upgradable": False, "is_downgradable": False},
]


def prepare(engine):
    engine.call("reference.put", {"levels": LEVELS})
    engine.call("program.put", loyalty_program())


@pytest.fixture(scope="module", params=[1, 8])
def shop(request):
    with Engine(buckets=request.param) as engine:
        prepare(engine)
        yield engine
        engine.assert_ledger_holds()


def buy(shop, partner, price, **fields):
    return shop.call("order.process", order(partner, line(price=price), **fields))


def level_of(shop, partner):
    return shop.call("membership.get", {"partner_id": partner})["level"]


def spending(shop, partner):
    return Decimal(shop.call("membership.get", {"partner_id": partner})["lifetime_spending"])


def test_rule_32_an_order_that_reaches_a_threshold_upgrades(shop):
    partner = new_partner()
    below = buy(shop, partner, "99.99")["membership"]
    assert below == {"before": BRONZE, "after": BRONZE, "spending": "99.99", "next_level": SILVER, "missing": "0.01"}
    reached = buy(shop, partner, "0.01")["membership"]
    assert reached == {"before": BRONZE, "after": SILVER, "spending": "100.00", "next_level": GOLD, "missing": "200.00"}
    got = shop.call("membership.get", {"partner_id": partner})
    assert (got["level"], got["to"], got["lifetime_spending"], got["next_level"]) == (SILVER, None, "100.00", GOLD)
    assert buy(shop, partner, "1.00")["membership"]["before"] == SILVER


def test_rule_32_by_several_levels_at_once_and_not_to_one_by_hand(shop):
    partner = new_partner()
    answer = buy(shop, partner, "1000.00")["membership"]
    assert answer == {"before": BRONZE, "after": GOLD, "spending": "1000.00", "next_level": None, "missing": None}


def test_rule_8_a_quote_tells_and_changes_nothing(shop):
    known, unknown = new_partner(), new_partner()
    buy(shop, known, "50.00")
    for partner, total in ((known, "60.00"), (unknown, "110.00")):
        quoted = shop.call("order.quote", order(partner, line(price=total)))["membership"]
        assert quoted["after"] == SILVER and quoted["spending"] == "110.00"
    assert level_of(shop, known) == BRONZE and spending(shop, known) == 50
    with refused("not_found"):
        shop.call("membership.get", {"partner_id": unknown})


def test_no_member_no_membership(shop):
    assert shop.call("order.process", order())["membership"] is None


def test_a_replay_tells_the_same(shop):
    partner = new_partner()
    body = order(partner, line(price="150.00"))
    first = shop.call("order.process", body)
    again = shop.call("order.process", body)
    assert again["replayed"] and again["membership"] == first["membership"]
    assert shop.call("order.get", {"order_id": body["order_id"]})["membership"] == first["membership"]
    assert spending(shop, partner) == 150


def test_rule_32_a_refund_lowers_the_spending_of_its_day_and_no_level(shop):
    partner = new_partner()
    bought = buy(shop, partner, "120.00")
    assert bought["membership"]["after"] == SILVER
    back = shop.call("order.refund", refund(bought["order_id"], line(price="120.00", qty=-1)))
    assert back["membership"] == {"before": SILVER, "after": SILVER, "spending": "0.00", "next_level": GOLD, "missing": "300.00"}
    assert spending(shop, partner) == 0


def test_rule_32_an_exchange_counts_on_both_days(shop):
    partner = new_partner()
    yesterday = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=40)).isoformat()
    bought = buy(shop, partner, "80.00", date=yesterday, **{"import": True})
    shop.call("order.process", order(partner, line(price="30.00"),
                                     line(price="80.00", qty=-1, refund_of={"order_id": bought["order_id"]})))  # fmt: skip
    rows = shop.query(f"SELECT amount FROM member_spending WHERE partner_id = {partner} ORDER BY day")
    assert [int(row[0]) for row in rows] == [0, 3000]
    assert spending(shop, partner) == 30


def test_rule_32_a_cancelled_order_was_not_spent(shop):
    partner = new_partner()
    bought = buy(shop, partner, "120.00")
    undone = shop.call("order.cancel", {"order_id": bought["order_id"]})
    assert undone["membership"]["spending"] == "0.00" and spending(shop, partner) == 0


def test_rule_32_only_an_evaluation_lowers(shop):
    partner = new_partner()
    bought = buy(shop, partner, "120.00")
    shop.call("order.cancel", {"order_id": bought["order_id"]})
    assert level_of(shop, partner) == SILVER
    done = shop.call("membership.evaluate", {"partner_id": partner})
    assert (done["changed"], done["before"], done["level"]) == (True, SILVER, BRONZE)
    again = shop.call("membership.evaluate", {"partner_id": partner})
    assert (again["changed"], again["level"]) == (False, BRONZE)


def test_by_hand(shop):
    partner = new_partner()
    buy(shop, partner, "1.00")
    with refused("invalid_membership", path="membership_product_id"):
        shop.call("membership.change", {"partner_id": partner, "membership_product_id": 5, "reason": "x"})
    with refused("invalid_membership", path="to"):
        shop.call("membership.change", {"partner_id": partner, "membership_product_id": GOLD, "reason": "x", "to": "2020-01-01T00:00:00Z"})
    with refused("invalid_membership", path="from"):
        shop.call("membership.change", {"partner_id": partner, "membership_product_id": GOLD, "reason": "x", "from": "2199-01-01T00:00:00Z"})
    done = shop.call("membership.change", {"partner_id": partner, "membership_product_id": STAFF, "reason": "hired", "to": "2190-01-01T00:00:00Z"})
    assert (done["before"], done["level"], done["to"]) == (BRONZE, STAFF, "2190-01-01T00:00:00Z")
    assert shop.call("membership.evaluate", {"partner_id": partner})["level"] == STAFF
    assert buy(shop, partner, "1.00")["membership"]["before"] == STAFF


def process_requests(partner):
    bodies = [order(partner, line(price="60.00")) for _ in range(2)]
    return [("order.process", body, body["order_id"]) for body in bodies]


def test_two_orders_at_once_reach_a_threshold_once(shop):
    for _ in range(5):
        partner = new_partner()
        results = [result_of(reply) for reply in at_once(shop.endpoint, process_requests(partner))]
        changes = sorted((one["membership"]["before"], one["membership"]["after"]) for one in results)
        assert changes == [(BRONZE, BRONZE), (BRONZE, SILVER)]
        assert told(shop, 9, partner) == 1
