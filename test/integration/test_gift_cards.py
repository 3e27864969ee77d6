"""Gift cards and wallets: sold, topped up, paid with to the last cent, and given back (rules 5, 7, 10, 13, 33)."""

from decimal import Decimal

import pytest

from raw_client import at_once, error_of
from shop import TWENTY, Programs, line, loyalty_program, new_id, new_partner, order, promotion, refund, refused, total, written

GIFT, TOP_UP, GOODS = 50, 51, 1
ON_TOP = {"id": 2, "amount": "20"}
PAYS = [{"discount": 1, "discount_mode": "per_point"}]


@pytest.fixture(scope="module")
def shop(engine):
    engine.call("reference.put", {"products": [{"product_id": number} for number in (GOODS, 2, 3, GIFT, TOP_UP)]})
    return engine


@pytest.fixture(scope="module", autouse=True)
def ledger_holds(engine):
    yield
    engine.assert_ledger_holds()


@pytest.fixture
def programs(shop):
    programs = Programs(shop)
    yield programs
    programs.archive()


def gift_cards(programs, **fields):
    rules = [{"product_ids": [GIFT], "reward_point_mode": "money", "reward_point_split": True}]
    return programs.put(**{"program_type": "gift_card", "applies_on": "future", "rules": rules, "rewards": PAYS, **fields})


def wallets(programs, **fields):
    rules = [{"product_ids": [TOP_UP], "reward_point_mode": "money"}]
    return programs.put(**{"program_type": "ewallet", "applies_on": "future", "rules": rules, "rewards": PAYS, **fields})


def sold(shop, price="50.00", partner=None, **fields):
    """Sells a card with a printed code: (code, order_id)."""
    code = new_id("PRINTED")
    done = shop.call("order.process", order(partner, line(GIFT, 1, price, gift_code=code), **fields))
    assert [card["code"] for card in done["cards"]] == [code]
    return code, done["order_id"]


def pay(shop, price, *codes, **fields):
    """Buys goods at a price and pays with cards; quote and process say the same."""
    body = order(None, line(GOODS, 1, price), claims=[{"code": code} for code in codes], **fields)
    quote, done = shop.call("order.quote", body), shop.call("order.process", body)
    assert [quote[name] for name in ("amount_total", "discounts", "claims")] == [done[name] for name in ("amount_total", "discounts", "claims")]
    return done


def balance(shop, **card):
    return shop.call("card.balance", card)["balance"]


# Selling


def test_rule_13_a_printed_card_is_activated(shop, programs):
    program, code = gift_cards(programs), new_id("Printed")
    body = order(None, line(GIFT, 1, "50.00", gift_code=f" {code} "))
    quote = shop.call("order.quote", body)
    assert (quote["amount_total"], quote["cards"][0]["points"]) == ("50.00", "50.00")
    with refused("not_found"):
        shop.call("coupon.check", {"code": code})
    done = shop.call("order.process", body)
    (card,) = done["cards"]
    assert (done["amount_total"], card["program_id"], card["code"], card["points"], card["expires"]) == ("50.00", program, code.upper(), "50.00", None)
    checked = shop.call("coupon.check", {"code": code.lower()})
    assert (checked["state"], checked["points"], checked["partner_id"]) == ("usable", "50.00", None)  # the bearer's


def test_rule_13_one_card_for_each_unit(shop, programs):
    gift_cards(programs)
    done = shop.call("order.process", order(new_partner(), line(GIFT, 3, "25.00"), line(GOODS, 2, "10.00")))
    assert (done["amount_total"], [card["points"] for card in done["cards"]]) == ("95.00", ["25.00"] * 3)
    assert len({card["code"] for card in done["cards"]}) == 3
    for card in done["cards"]:
        assert balance(shop, code=card["code"]) == "25.00"


def test_rule_13_what_the_line_costs_is_on_its_cards(shop, programs):
    """With tax, less a discount by hand, to the cent: the parts are the whole."""
    gift_cards(programs)
    for given, points in (
        (line(GIFT, 1, "50.00", taxes=[ON_TOP]), ["60.00"]),
        (line(GIFT, 1, "60.00", taxes=[TWENTY]), ["60.00"]),
        (line(GIFT, 3, "33.33", discount="10"), ["30.00", "30.00", "29.99"]),
    ):
        done = shop.call("order.process", order(None, given))
        assert [card["points"] for card in done["cards"]] == points
        assert total(points) == Decimal(done["amount_total"])


@pytest.mark.parametrize(
    "path, given",
    [
        ("lines[0].qty", {"qty": "1.5"}),
        ("lines[0].qty", {"qty": 2, "gift_code": "TWO"}),
        ("lines[0].gift_code", {"gift_code": "FREE", "price_unit": "0"}),
        ("lines[0].gift_code", {"gift_code": "BOTH", "card": "ANY"}),
    ],
)
def test_rule_13_what_cannot_be_sold(shop, programs, path, given):
    program = gift_cards(programs)
    given = dict(given)
    if given.get("card"):
        given["card"] = new_id("ANY")
        shop.call("card.create", {"program_id": program, "code": given["card"]})
    if "gift_code" in given:
        given["gift_code"] = new_id(given["gift_code"])
    before = written(shop)
    with refused("invalid_request", path=path):
        shop.call("order.process", order(None, dict(line(GIFT, 1, "50.00"), **given)))
    assert written(shop) == before


def test_rule_28_a_printed_code_is_sold_once(shop, programs):
    gift_cards(programs)
    code, _ = sold(shop)
    before = written(shop)
    for again in (code, f" {code.lower()}"):
        with refused("conflict", path="lines[1].gift_code"):
            shop.call("order.process", order(None, line(GOODS), line(GIFT, 1, "50.00", gift_code=again)))
    fresh = new_id("FRESH")
    twice = order(None, line(GIFT, 1, "50.00", gift_code=fresh), line(GIFT, 1, "50.00", gift_code=fresh.lower()))
    with refused("conflict", path="lines[1].gift_code"):
        shop.call("order.process", twice)
    assert written(shop) == before
    # Nothing is kept of the code that failed.
    assert shop.call("order.process", order(None, line(GIFT, 1, "50.00", gift_code=fresh)))["cards"][0]["code"] == fresh


def test_rule_28_one_printed_code_sold_by_many_at_once(shop, programs):
    gift_cards(programs)
    code = new_id("RACE")
    replies = at_once(shop.endpoint, [("order.process", order(None, line(GIFT, 1, "50.00", gift_code=code))) for _ in range(30)])
    assert sum(reply["ok"] for reply in replies) == 1
    assert {error_of(reply)["code"] for reply in replies if not reply["ok"]} == {"conflict"}
    assert balance(shop, code=code) == "50.00"


def test_rule_13_selling_earns_nothing_and_is_never_discounted(shop, programs):
    gift_cards(programs)
    points = programs.put(**loyalty_program(new_partner()))
    tenth = programs.put(**promotion(new_partner(), 10))
    special = programs.put(rules=[{}], rewards=[{"reward_type": "special_price", "special_price": "1.00", "discount_product_ids": [GIFT]}])
    member = new_partner()
    done = shop.call("order.process", order(member, line(GIFT, 2, "50.00"), line(GOODS, 1, "10.00")))
    assert (done["amount_total"], done["points_earned"]) == ("109.00", "9.00")
    assert [(one["program_id"], one["amount"]) for one in done["discounts"]] == [(tenth, "1.00")] and special
    assert [one["discount"] for one in done["lines"]] == ["0.00", "1.00"]
    assert balance(shop, partner_id=member, program_id=points) == "9.00"
    alone = shop.call("order.process", order(member, line(GIFT, 1, "50.00")))
    assert (alone["amount_total"], alone["points_earned"], alone["discounts"]) == ("50.00", "0.00", [])


def test_rule_13_a_card_does_not_pay_for_the_order_that_sells_it(shop, programs):
    gift_cards(programs)
    code = new_id("SAME")
    body = order(None, line(GIFT, 1, "50.00", gift_code=code), line(GOODS), claims=[{"code": code}])
    with refused("claim_refused", reason="unknown_code"):
        shop.call("order.process", body)
    done = shop.call("order.process", dict(body, on_refused="skip"))
    assert (done["amount_total"], balance(shop, code=code)) == ("60.00", "50.00")


# Paying


def test_rule_13_a_card_is_spent_to_the_last_cent(shop, programs):
    gift_cards(programs)
    code, _ = sold(shop)
    for price, to_pay, left in (("19.99", "0.00", "30.01"), ("29.99", "0.00", "0.02"), ("0.01", "0.00", "0.01"), ("5.00", "4.99", "0.00")):
        done = pay(shop, price, code)
        assert (done["amount_total"], balance(shop, code=code)) == (to_pay, left)
    with refused("claim_refused", reason="not_enough_points"):
        shop.call("order.process", order(None, claims=[{"code": code}]))


def test_rule_13_two_cards_pay_one_order(shop, programs):
    """In the order in which they were entered; the second only what is left."""
    gift_cards(programs)
    first, second = sold(shop, "30.00")[0], sold(shop, "30.00")[0]
    done = pay(shop, "45.00", first, second)
    assert [one["amount"] for one in done["discounts"]] == ["30.00", "15.00"]
    assert (done["amount_total"], balance(shop, code=first), balance(shop, code=second)) == ("0.00", "0.00", "15.00")


def test_rule_13_a_payment_carries_no_tax(shop, programs):
    gift_cards(programs)
    code, _ = sold(shop)
    body = order(None, line(GOODS, 1, "12.00", taxes=[TWENTY]), line(2, 1, "5.00", taxes=[ON_TOP]), claims=[{"code": code}])
    done = shop.call("order.process", body)
    assert (done["amount_untaxed"], done["amount_tax"], done["amount_total"]) == ("-3.00", "3.00", "0.00")
    (payment,) = done["discounts"]
    assert (payment["layer"], payment["amount"], payment["points_cost"], payment["taxes"]) == ("payment", "18.00", "18.00", [])
    assert [one["amount_total"] for one in done["lines"]] == ["12.00", "6.00"]  # what the goods cost stays as it was


def test_rule_13_paying_comes_after_every_discount(shop, programs):
    gift_cards(programs)
    programs.put(**promotion(new_partner(), 10))
    code, _ = sold(shop)
    done = pay(shop, "100.00", code)
    assert [(one["layer"], one["amount"]) for one in done["discounts"]] == [("discount", "10.00"), ("payment", "50.00")]
    assert done["amount_total"] == "40.00"


def test_rule_10_a_claim_may_pay_a_part(shop, programs):
    program = gift_cards(programs)
    code, _ = sold(shop)
    claim = {"program_id": program, "card": code, "points": "12.50"}
    assert shop.call("order.process", order(None, line(GOODS, 1, "30.00"), claims=[claim]))["amount_total"] == "17.50"
    assert balance(shop, code=code) == "37.50"


def test_rule_4_paying_by_card_does_not_shrink_earning(shop, programs):
    gift_cards(programs)
    programs.put(**loyalty_program(new_partner()))
    code, _ = sold(shop)
    done = shop.call("order.process", order(new_partner(), line(GOODS, 1, "40.00"), claims=[{"code": code}]))
    assert (done["amount_total"], done["points_earned"]) == ("0.00", "40.00")


def test_rule_37_a_blocked_card(shop, programs):
    program = gift_cards(programs)
    code, _ = sold(shop)
    shop.call("card.block", {"code": code, "reason": "stolen"})
    with refused("card_blocked"):
        shop.call("order.process", order(None, claims=[{"code": code}]))
    with refused("card_blocked"):
        shop.call("order.process", order(None, cards=[code]))
    skipped = shop.call("order.process", order(None, claims=[{"program_id": program, "card": code}], on_refused="skip"))
    assert (skipped["amount_total"], skipped["claims"][0]["reason"], balance(shop, code=code)) == ("10.00", "card_blocked", "50.00")
    with refused("card_blocked"):
        shop.call("order.process", order(None, line(GIFT, 1, "10.00", card=code)))
    shop.call("card.unblock", {"code": code, "reason": "found"})
    assert pay(shop, "10.00", code)["amount_total"] == "0.00"
    # A wallet that is blocked takes no money, named or not.
    member = new_partner()
    wallet = shop.call("card.create", {"program_id": wallets(programs), "partner_id": member})["card_id"]
    shop.call("card.block", {"card_id": wallet, "reason": "dispute"})
    for given in (line(TOP_UP, 1, "10.00"), line(TOP_UP, 1, "10.00", card=wallet)):
        with refused("card_blocked", card_id=str(wallet)):
            shop.call("order.process", order(member, given))


def test_rule_19_a_card_runs_out(shop, programs):
    gift_cards(programs, expiry={"policy": "years", "count": 1})
    code = new_id("OLD")
    past = {"import": True, "date": "2020-03-01T12:00:00Z"}
    done = shop.call("order.process", order(None, line(GIFT, 1, "50.00", gift_code=code), **past))
    assert done["cards"][0]["expires"] == "2021-03-01T12:00:00Z"
    last = shop.call("order.process", order(None, line(GOODS, 1, "10.00"), claims=[{"code": code}], **dict(past, date="2021-03-01T11:59:59Z")))
    assert last["amount_total"] == "0.00"
    with refused("claim_refused", reason="expired"):
        shop.call("order.process", order(None, claims=[{"code": code}], **dict(past, date="2021-03-01T12:00:00Z")))
    assert shop.call("coupon.check", {"code": code})["state"] == "expired"


# Topping up


def test_rule_13_a_line_tops_up_the_card_that_it_names(shop, programs):
    gift_cards(programs)
    code, _ = sold(shop)
    body = order(None, line(GIFT, 1, "25.00", card=code), line(GOODS, 1, "70.00"), claims=[{"code": code}])
    done = shop.call("order.process", body)
    # The 50.00 that were there pay; the 25.00 are there for the next order.
    assert (done["amount_total"], done["cards"], balance(shop, code=code)) == ("45.00", [], "25.00")
    assert pay(shop, "30.00", code)["amount_total"] == "5.00"


def test_rule_13_a_wallet_is_topped_up(shop, programs):
    program = wallets(programs)
    member = new_partner()
    made = shop.call("order.process", order(member, line(TOP_UP, 1, "30.00")))
    assert (made["amount_total"], made["points_earned"], balance(shop, partner_id=member, program_id=program)) == ("30.00", "0.00", "30.00")
    card = shop.call("card.get", {"partner_id": member, "program_id": program})["card_id"]
    # By anybody, with any product, when the line names the wallet by its id.
    shop.call("order.process", order(member, line(GOODS, 1, "12.00", card=card)))
    body = order(member, line(TOP_UP, 1, "5.00"), line(GOODS, 1, "50.00"), claims=[{"program_id": program, "reward_id": 1}])
    done = shop.call("order.process", body)
    assert (done["amount_total"], balance(shop, card_id=card)) == ("13.00", "5.00")
    with refused("invalid_request", path="lines[0].card"):
        shop.call("order.process", order(None, line(TOP_UP, 1, "30.00")))


def test_rule_13_what_cannot_be_topped_up(shop, programs):
    points = programs.put(**loyalty_program(new_partner()))
    program = wallets(programs)
    owner = new_partner()
    wallet = shop.call("card.create", {"program_id": program, "partner_id": owner})["card_id"]
    other = shop.call("card.create", {"program_id": points, "partner_id": owner})["card_id"]
    before = written(shop)
    with refused("not_found", path="lines[0].card"):
        shop.call("order.process", order(owner, line(TOP_UP, 1, "5.00", card="NO-SUCH-CARD")))
    with refused("not_found", path="lines[0].card"):
        shop.call("order.process", order(new_partner(), line(TOP_UP, 1, "5.00", card=wallet)))
    with refused("invalid_request", path="lines[0].card"):
        shop.call("order.process", order(owner, line(TOP_UP, 1, "5.00", card=other)))
    assert written(shop) == before


# Giving back


def test_rule_33_a_card_that_was_not_spent_is_taken_back(shop, programs):
    gift_cards(programs)
    code, original = sold(shop)
    back = shop.call("order.refund", refund(original, line(GIFT, -1, "50.00")))
    assert (back["amount_total"], balance(shop, code=code)) == ("-50.00", "0.00")
    with refused("claim_refused", reason="not_enough_points"):
        shop.call("order.process", order(None, claims=[{"code": code}]))


def test_rule_33_a_card_that_is_partly_spent_is_not(shop, programs):
    gift_cards(programs)
    code, original = sold(shop)
    pay(shop, "0.01", code)
    before = written(shop)
    for body in (refund(original, line(GIFT, -1, "50.00")), refund(original, line(GIFT, -1, "50.00"), shortfall="refuse")):
        with refused("insufficient_points"):
            shop.call("order.refund", body)
    with refused("insufficient_points"):
        shop.call("order.cancel", {"order_id": original})
    assert written(shop) == before and balance(shop, code=code) == "49.99"
    # Told to, it is forgiven: the card loses what is on it.
    back = shop.call("order.refund", refund(original, line(GIFT, -1, "50.00"), shortfall="forgive"))
    assert (back["amount_total"], balance(shop, code=code)) == ("-50.00", "0.00")
    assert [(one["points"], one["became"]) for one in back["shortfall"]] == [("0.01", "forgiven")]


def test_rule_33_the_program_may_say_what_becomes_of_what_is_gone(shop, programs):
    gift_cards(programs, shortfall="debt")
    code, original = sold(shop)
    pay(shop, "20.00", code)
    shop.call("order.refund", refund(original, line(GIFT, -1, "50.00")))
    card = shop.call("card.get", {"code": code})
    assert (card["balance"], card["debt"]) == ("0.00", "20.00")
    # What tops it up pays the debt first.
    shop.call("order.process", order(None, line(GIFT, 1, "25.00", card=code)))
    assert pay(shop, "10.00", code)["amount_total"] == "5.00"


def test_rule_33_of_several_cards_the_last_go_back_first(shop, programs):
    gift_cards(programs)
    sale = order(None, line(GIFT, 3, "20.00"))
    codes = [card["code"] for card in shop.call("order.process", sale)["cards"]]
    pay(shop, "5.00", codes[0])
    back = shop.call("order.refund", refund(sale["order_id"], line(GIFT, -2, "20.00")))
    assert (back["amount_total"], [balance(shop, code=code) for code in codes]) == ("-40.00", ["15.00", "0.00", "0.00"])
    with refused("insufficient_points"):
        shop.call("order.refund", refund(sale["order_id"], line(GIFT, -1, "20.00")))


def test_rule_33_a_top_up_is_taken_back_with_its_line(shop, programs):
    gift_cards(programs)
    code, _ = sold(shop)
    sale = order(None, line(GIFT, 1, "25.00", card=code))
    shop.call("order.process", sale)
    back = shop.call("order.refund", refund(sale["order_id"], line(GIFT, -1, "25.00")))
    assert (back["amount_total"], balance(shop, code=code)) == ("-25.00", "50.00")


def test_rule_33_what_a_card_had_paid_goes_back_to_it(shop, programs):
    """In proportion to the money refunded, to the cent in all."""
    gift_cards(programs)
    code, _ = sold(shop, "10.00")
    sale = order(None, line(GOODS, 3, "10.00"), claims=[{"code": code}])
    assert shop.call("order.process", sale)["amount_total"] == "20.00"
    parts = [shop.call("order.refund", refund(sale["order_id"], line(GOODS, -1, "10.00"))) for _ in range(3)]
    assert total(part["amount_total"] for part in parts) == -20
    given = [{one["to"]: Decimal(one["amount"]) for one in part["give_back"]} for part in parts]
    assert all(sum(one.values()) == 10 for one in given)
    assert sum(amount for one in given for to, amount in one.items() if to == "card") == 10
    assert balance(shop, code=code) == "10.00"


def test_rule_36_a_cancel_gives_back_what_a_card_paid(shop, programs):
    gift_cards(programs)
    code, _ = sold(shop)
    done = pay(shop, "30.00", code)
    assert balance(shop, code=code) == "20.00"
    shop.call("order.cancel", {"order_id": done["order_id"]})
    assert balance(shop, code=code) == "50.00"


def test_rule_36_a_cancel_takes_back_the_cards_that_were_sold(shop, programs):
    gift_cards(programs)
    sale = order(None, line(GIFT, 2, "20.00"), line(GOODS))
    codes = [card["code"] for card in shop.call("order.process", sale)["cards"]]
    shop.call("order.cancel", {"order_id": sale["order_id"]})
    assert [balance(shop, code=code) for code in codes] == ["0.00", "0.00"]
