"""A member that is forgotten: nothing tells who it was, every sum stays, and the ledger holds."""

import datetime
import itertools
import json
import threading
from decimal import Decimal

import pytest

from curve import client_options
from harness import Engine
from loyalty_client import Client, LoyaltyError
from raw_client import at_once, result_of
from shop import line, loyalty_program, new_id, order, promotion, refund, refused

POINTS, COUPONS, LIMITED, BIRTHDAY = 1, 2, 3, 4
BRONZE, SILVER = 921, 922
_numbers = itertools.count(1)


def new_person():
    """A number that stands in no figure by chance."""
    return 7_310_000_007_000_000 + next(_numbers) * 1_000_003


@pytest.fixture(scope="module", params=[1, 8])
def shop(request):
    with Engine(buckets=request.param) as engine:
        engine.call("reference.put", {"levels": [{"membership_product_id": BRONZE, "sequence": 1, "threshold": "0.00"},
                                                 {"membership_product_id": SILVER, "sequence": 2, "threshold": "100.00"}]})  # fmt: skip
        engine.call("program.put", loyalty_program(POINTS))
        engine.call("program.put", {"program_id": COUPONS, "name": "Coupons", "program_type": "coupons", "rules": [{}],
                                    "rewards": [{"discount_mode": "per_order", "discount": "2.00"}]})  # fmt: skip
        engine.call("program.put", promotion(LIMITED, 10, max_usage_per_customer=2, rules=[{"product_ids": [7]}]))
        engine.call("program.put", promotion(BIRTHDAY, 20, rules=[{"product_ids": [8], "birthday": {"days_before": 3, "days_after": 3}}]))
        yield engine
        engine.assert_ledger_holds()


def buy(shop, partner, price, **fields):
    return shop.call("order.process", order(partner, line(price=price), **fields))


def forget(shop, partner, **options):
    return shop.call("member.forget", {"partner_id": partner}, **options)


def traces(shop, *texts):
    """The tables in which one of these texts stands, and which."""
    tables = [name for (name,) in shop.query("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")]
    asked = [(table, text) for table in tables for text in texts]
    query = " UNION ALL ".join(f"SELECT '{table}', %s::text WHERE EXISTS (SELECT FROM {table} t WHERE t::text ILIKE %s)" for table, _ in asked)
    return shop.query(query, [value for _, text in asked for value in (text, f"%{text}%")])


def sums(shop):
    return shop.query("SELECT (SELECT sum(points) FROM loyalty_cards), (SELECT sum(debt) FROM loyalty_cards), (SELECT count(*) FROM orders),"
                      " (SELECT sum(order_count) FROM members), (SELECT sum(spending) FROM members), (SELECT sum(amount) FROM member_spending),"
                      " (SELECT sum(used) FROM program_usage), (SELECT sum(points_amount) FROM point_history)")  # fmt: skip


def told(shop, order_id):
    return json.dumps([shop.call("order.get", {"order_id": order_id}), shop.call("order.explain", {"order_id": order_id})])


def test_nothing_tells_who_it_was_and_every_sum_stays(shop):
    person = new_person()
    shop.call("reference.put", {"partners": [{"partner_id": person, "name": "Ottilie Wildermuth", "birthday": "1917-02-22"}]})
    bought = [buy(shop, person, "60.00", reference="R-OTTILIE", meta={"phone": "0711-OTTILIE"}, cashier_id=5),
              buy(shop, person, "70.00", claims=[{"program_id": POINTS, "reward_id": 1, "points": "10"}])]  # fmt: skip
    discounted = shop.call("order.process", order(person, line(7)))
    assert discounted["amount_total"] == "9.00"
    back = shop.call("order.refund", refund(bought[1]["order_id"], line(price="70.00", qty=-1), reference="x"))
    card = shop.call("card.get", {"partner_id": person, "program_id": POINTS})
    shop.call("card.adjust", {"card_id": card["card_id"], "points": "3", "reason": "for Ottilie"})
    shop.call("points.hold", {"card_id": card["card_id"], "points": "2"})
    shop.call("membership.change", {"partner_id": person, "membership_product_id": SILVER, "reason": "asked OTTILIE"})
    coupon = shop.call("card.create", {"program_id": COUPONS, "partner_id": person, "points": "1"})
    key = new_id("key")
    shop.call("membership.evaluate", {"partner_id": person}, key=key)
    texts = (str(person), "ottilie", card["code"])
    assert traces(shop, *texts) and str(person) in told(shop, bought[0]["order_id"])
    before = sums(shop)
    figures = {one["order_id"]: shop.call("order.get", {"order_id": one["order_id"]}) for one in (*bought, back, discounted)}

    done = forget(shop, person)
    assert (done["done"], done["orders"], done["cards_blocked"], done["cards_unlinked"]) == (True, 4, 1, 1)
    assert traces(shop, *texts) == []
    for order_id, was in figures.items():
        text = told(shop, order_id)
        assert not any(one in text.lower() for one in (str(person), "ottilie", card["code"].lower()))
        now = shop.call("order.get", {"order_id": order_id})
        for discount in was["discounts"] + now["discounts"]:
            discount["code"] = None
        for name in ("amount_total", "lines", "discounts", "points", "points_earned", "membership"):
            assert now[name] == was[name]
    assert sums(shop) == before
    shop.assert_ledger_holds()

    # Its card is of no use any more; a coupon is the bearer's.
    with refused("not_found"):
        shop.call("card.get", {"code": card["code"]})
    left = shop.call("card.get", {"card_id": card["card_id"]})
    assert (left["state"], left["held"]) == ("blocked", "0.00") and Decimal(left["balance"]) > 0
    assert left["partner_id"] < 0
    assert shop.call("coupon.check", {"code": coupon["code"]})["partner_id"] is None
    assert shop.call("order.process", order(None, claims=[{"card": coupon["code"]}]))["amount_total"] == "8.00"
    # What a key had answered is not told again, and is not done again.
    assert shop.call("membership.evaluate", {"partner_id": person}, key=key) == {"replayed": True, "forgotten": True}


def test_who_comes_again_is_new(shop):
    person = new_person()
    body = order(person, line(7), reference="again")
    first = shop.call("order.process", body)
    forget(shop, person)
    with refused("not_found"):
        shop.call("membership.get", {"partner_id": person})
    with refused("not_found", path="partner_id"):
        forget(shop, person)
    # An order that a till sends once more is still done.
    again = shop.call("order.process", body)
    assert again["replayed"] and again["amount_total"] == first["amount_total"]
    assert shop.query(f"SELECT count(*) FROM members WHERE partner_id = {person} AND order_count > 0") == [(0,)]
    new = shop.call("order.process", order(person, line(7)))
    assert (new["amount_total"], new["final_balance"]) == ("9.00", "9.00")
    assert shop.call("membership.get", {"partner_id": person})["lifetime_spending"] == "9.00"


def test_rule_33_what_it_bought_can_be_returned(shop):
    person = new_person()
    limited = shop.call("order.process", order(person, line(7)))
    spent = shop.call("order.process", order(person, line(price="20.00"), claims=[{"program_id": POINTS, "reward_id": 1, "points": "4"}]))
    forget(shop, person)
    back = shop.call("order.refund", refund(limited["order_id"], line(7, qty=-1)))
    assert back["amount_total"] == "-9.00"
    shop.call("order.refund", refund(spent["order_id"], line(price="20.00", qty=-1)))
    shop.assert_ledger_holds()
    cancelled = buy(shop, new := new_person(), "5.00")
    forget(shop, new)
    shop.call("order.cancel", {"order_id": cancelled["order_id"]})
    shop.assert_ledger_holds()


def test_rule_30_a_birthday_gift_is_given_back(shop):
    person = new_person()
    born = (datetime.date.today() - datetime.timedelta(days=1)).replace(year=1984 if datetime.date.today().month > 2 else 1985)
    shop.call("reference.put", {"partners": [{"partner_id": person, "name": "Kind", "birthday": born.isoformat()}]})
    gift = shop.call("order.process", order(person, line(8)))
    assert gift["amount_total"] == "8.00"
    forget(shop, person)
    shop.call("order.refund", refund(gift["order_id"], line(8, qty=-1)))
    shop.assert_ledger_holds()


def test_members_that_became_one_are_forgotten_together(shop):
    people = [new_person() for _ in range(3)]
    cards = []
    for person in people:
        buy(shop, person, "5.00")
        cards.append(shop.call("card.get", {"partner_id": person, "program_id": POINTS}))
    shop.call("member.merge", {"partner_id": people[0], "into_partner_id": people[1]})
    buy(shop, people[0], "1.00")
    shop.call("member.merge", {"partner_id": people[1], "into_partner_id": people[2]})
    buy(shop, people[1], "1.00")
    before = sums(shop)
    done = forget(shop, people[0])
    assert (done["done"], done["orders"], done["cards_blocked"]) == (True, 5, 3)
    assert traces(shop, *map(str, people), *(card["code"] for card in cards)) == []
    assert sums(shop) == before
    shop.assert_ledger_holds()
    assert buy(shop, people[0], "2.00")["final_balance"] == "2.00"
    assert buy(shop, people[2], "3.00")["final_balance"] == "3.00"


def test_many_orders_take_several_calls(shop):
    person = new_person()
    count = 1100
    for _ in range(count // 100):
        bodies = [order(person, line(price="1.00"), reference="r") for _ in range(100)]
        at_once(shop.endpoint, [("order.process", body, body["order_id"]) for body in bodies])
    first = forget(shop, person, timeout=60)
    assert (first["done"], first["orders"]) == (False, 1000)
    # It is still there, and buys.
    assert buy(shop, person, "1.00")["final_balance"] == "1101.00"
    second = forget(shop, person, timeout=60)
    assert (second["done"], second["orders"]) == (True, 101)
    assert traces(shop, str(person)) == []
    shop.assert_ledger_holds()


def test_orders_while_it_is_forgotten(shop):
    """Each order is the old member's or the new one's; the figures of both are all."""
    person = new_person()
    buy(shop, person, "1.00")
    before = sums(shop)[0]
    bodies = [order(person, line(price="1.00")) for _ in range(30)]
    requests = [("order.process", body, body["order_id"]) for body in bodies]
    requests.insert(15, ("member.forget", {"partner_id": person}, new_id("forget")))
    results = [result_of(reply) for reply in at_once(shop.endpoint, requests)]
    assert len(results) == 31
    after = sums(shop)[0]
    assert after[0] == before[0] + 3000 and after[2] == before[2] + 30 and after[3] == before[3] + 30
    shop.assert_ledger_holds()


def test_orders_of_friends_do_not_name_it(shop):
    """Who brought a friend stands in the friend's order too, and its code."""
    shop.call("program.put", {"program_id": 31, "name": "Bring a friend", "program_type": "referral",
                              "rules": [{"reward_point_mode": "money", "reward_point_amount": "0.1"}],
                              "rewards": [{"discount_mode": "per_order", "discount": "5.00", "required_points": 10}]})  # fmt: skip
    owner, friend, code = new_person(), new_person(), new_id("KNOWS-OTTO")
    card = shop.call("card.create", {"program_id": 31, "partner_id": owner, "code": code})["card_id"]
    sale = shop.call("order.process", order(friend, line(price="100.00"), claims=[{"code": code.lower()}]))
    assert sale["amount_total"] == "95.00" and shop.call("card.balance", {"card_id": card})["balance"] == "10.00"
    assert str(owner) in told(shop, sale["order_id"]) or code.lower() in told(shop, sale["order_id"])
    done = forget(shop, owner)
    assert (done["done"], done["orders"], done["cards_blocked"]) == (True, 1, 1)
    text = told(shop, sale["order_id"])
    assert str(owner) not in text and "otto" not in text.lower()
    assert str(friend) in text, "the friend was not forgotten"
    assert shop.call("order.explain", {"order_id": sale["order_id"]})["same"] is True
    assert traces(shop, str(owner), code) == []
    # It can be returned: the points go back that the owner got.
    shop.call("order.refund", refund(sale["order_id"], line(price="100.00", qty=-1)))
    assert shop.call("card.balance", {"card_id": card})["balance"] == "0.00"
    shop.assert_ledger_holds()
    shop.call("program.delete", {"program_id": 31})


def test_sent_again_it_leaves_no_trace_either(shop):
    person, key = new_person(), new_id("again")
    sale = order(person, line(price="6.00"))
    shop.call("order.process", sale)
    done = forget(shop, person, key=key)
    assert traces(shop, str(person)) == []
    assert forget(shop, person, key=key) == dict(done, replayed=True)
    assert traces(shop, str(person)) == []
    # Nor does what it was told before, in one batch with what others do.
    for _ in range(3):
        others = [("order.process", order(new_person(), line()), None) for _ in range(20)]
        answers = at_once(shop.endpoint, [("order.process", sale, None), *others, ("order.process", sale, None)])
        assert [result_of(answer)["replayed"] for answer in answers] == [True] + [False] * 20 + [True]
    assert traces(shop, str(person)) == []


@pytest.mark.parametrize("buckets", [1, 8])
def test_a_worker_that_dies_in_the_middle(buckets):
    """What is sent again is done once: whole, or not at all."""
    with Engine(buckets=buckets) as engine:
        engine.call("program.put", loyalty_program(POINTS))
        people = [new_person() for _ in range(8)]
        for person in people:
            buy(engine, person, "5.00")
        before = sums(engine)
        failures = []

        def leave(person):
            try:
                with Client(engine.endpoint, **client_options()) as client:
                    client.call("member.forget", {"partner_id": person}, key=f"forget-{person}", timeout=60)
            except LoyaltyError as error:
                failures.append(error)

        threads = [threading.Thread(target=leave, args=(person,)) for person in people]
        for index, thread in enumerate(threads):
            thread.start()
            if index in (2, 5):
                name = f"worker-{1 if index == 2 else 2}"
                engine.wait_for_new(name, engine.kill_process(name))
        for thread in threads:
            thread.join()
        assert not failures
        assert [trace for trace in traces(engine, *map(str, people)) if trace[0] != "request_keys"] == []  # the keys are the test's
        assert sums(engine) == before
        engine.assert_ledger_holds()
