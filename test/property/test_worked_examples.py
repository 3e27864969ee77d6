"""Orders worked out by hand: programs, a cart, and what has to come out, with the arithmetic beside it.

R and a number is a rule of docs/semantics.md; S8 is its list of what Odoo gets wrong.
"""

import itertools

import pytest

from loyalty_client import LoyaltyError
from model import carts
from model.compare import claim_of
from model.figures import minor

numbers = itertools.count(1)
MONDAY_NOON = "2031-03-03T12:00:00Z"
CARDS = {501: {11: "500.00", 12: "37.25"}, 502: {}}  # partner: program: points
HAS_500, NEW = 501, 502

VAT20 = {"id": 1, "amount": "20", "included": True}
VAT10 = {"id": 2, "amount": "10", "included": True}
SALES = {"id": 3, "amount": "8.25"}
EXCISE = {"id": 4, "amount": "4", "affects_base": True}
DEPOSIT = {"id": 5, "amount_type": "fixed", "amount": "0.25"}

# Products are those of model/carts.py: 1 is in category 1, 2 (tag sale) in 2 below 1, 3 in 3 below 2, 4 and 5 in 4.


def line(product, price, qty=1, *taxes, **more):
    return dict({"product_id": product, "price_unit": price, "qty": str(qty), "taxes": list(taxes)}, **more)


def promotion(id, reward, rule=None, **more):
    rewards = reward if isinstance(reward, list) else [reward]
    return dict({"program_id": id, "program_type": "promotion", "rules": [rule or {}], "rewards": rewards}, **more)


def loyalty(id, reward=None, rule=None, **more):
    rules, rewards = [rule] if rule is not None else [], [reward] if reward else []
    return dict({"program_id": id, "program_type": "loyalty", "rules": rules, "rewards": rewards}, **more)


def percent(rate, **more):
    return dict({"discount": rate}, **more)


def fixed(amount, **more):
    return dict({"discount": amount, "discount_mode": "per_order"}, **more)


def per_point(rate, **more):
    return dict({"discount": rate, "discount_mode": "per_point"}, **more)


def on(*products, **more):
    """A reward on products."""
    return dict({"discount_applicability": "specific", "discount_product_ids": list(products)}, **more)


MONEY = {"reward_point_mode": "money"}
UNIT = {"reward_point_mode": "unit"}


def case(name, programs, lines, claims=(), marks=(), **order_and_expected):
    expected = {
        key: order_and_expected.pop(key)
        for key in ("total", "untaxed", "tax", "given", "costs", "claimed", "earned", "line_discounts")
        if key in order_and_expected
    }
    order = dict({"lines": lines, "claims": list(claims)}, **order_and_expected)
    return pytest.param(programs, order, expected, id=name, marks=marks)


CASES = [
    # ---- discounts and their rounding
    # 3 × 19.99 = 59.97; 10 % = 5.997
    case("R10 a percentage, to the cent", [promotion(1, percent("10"))], [line(1, "19.99", 3)],
         total="53.97", given=["6.00"]),
    # 100 − 33.33 % = 66.67; 10 % = 6.667
    case("a discount by hand comes first", [promotion(1, percent("10"))], [line(1, "100", discount="33.33")],
         total="60.00", given=["6.67"]),
    # 50 % of 0.01 is 0.005: halves away from zero
    case("R10 halves round away from zero", [promotion(1, percent("50"))], [line(1, "0.01")], total="0.00", given=["0.01"]),
    # 50 % of 100 = 50.00
    case("R10 discount_max_amount", [promotion(1, percent("50", discount_max_amount="15"))], [line(1, "100")],
         total="85.00", given=["15.00"]),
    # 5.00 on a product of 3.00
    case("R10 no more than what is left of the base", [promotion(1, fixed("5", **on(2)))], [line(1, "100"), line(2, "3")],
         total="100.00", given=["3.00"]),
    # 0.10 over three lines of 3.33: 0.0333 each, so 0.03 each; the cent over goes to the first
    case("R12 the largest remainder, the first winning a tie", [promotion(1, fixed("0.10"))], [line(1, "3.33")] * 3,
         total="9.89", line_discounts=["0.04", "0.03", "0.03"]),
    # 0.10 over 1, 2, 4: 0.0142…, 0.0285…, 0.0571…: 0.01 + 0.02 + 0.05 = 0.08; cents over to .857 and .714
    case("R12 cents over go to the largest remainders", [promotion(1, fixed("0.10"))],
         [line(1, "1"), line(1, "2"), line(1, "4")], line_discounts=["0.01", "0.03", "0.06"]),
    case("R11 lines worth zero are not discounted", [promotion(1, fixed("1"))], [line(1, "0"), line(1, "10")],
         total="9.00", line_discounts=["0.00", "1.00"]),
    # (100 − 30) × 10 % = 7.00, all of it from the line above zero
    case("R11 returns lower the base, and nothing is taken from them", [promotion(1, percent("10"))],
         [line(1, "100"), line(2, "30", -1)], total="63.00", line_discounts=["7.00", "0.00"]),
    case("R10 an order below zero gets no discount", [promotion(1, percent("10"))], [line(1, "10"), line(2, "30", -1)],
         total="-20.00", given=[]),
    # ---- taxes
    # 12.00 has 2.00; of 5.00 off 0.8333 is tax
    case("R12 S8 5.00 off takes 5.00", [promotion(1, fixed("5"))], [line(1, "12", 1, VAT20)],
         total="7.00", tax="1.17", untaxed="5.83", given=["5.00"]),
    # 8.25 % of 10.00 = 0.825
    case("a tax on top", [], [line(1, "10", 1, SALES)], total="10.83", tax="0.83", untaxed="10.00"),
    # 4 % of 100 = 4.00; 8.25 % of 104.00 = 8.58
    case("a tax on a tax", [], [line(1, "100", 1, EXCISE, SALES)], total="112.58", tax="12.58"),
    # 8.25 % of 0.10 = 0.00825: 0.01 three times, or 0.02475 once
    case("taxes rounded per line", [], [line(1, "0.10", 1, SALES)] * 3, total="0.33", tax="0.03"),
    case("taxes rounded once", [], [line(1, "0.10", 1, SALES)] * 3, total="0.32", tax="0.02", tax_rounding="global"),
    # 60.00 has 10.00 tax, 30.00 has 2.73. 10.00 splits 6.67 and 3.33, of which 6.67 / 6 = 1.11 and 3.33 / 11 = 0.30
    # are tax; left 8.89 and 2.43
    case("R12 S8 a fixed sum is split over tax groups", [promotion(1, fixed("10"))],
         [line(1, "60", 1, VAT20), line(2, "30", 1, VAT10)],
         total="80.00", tax="11.32", untaxed="68.68", line_discounts=["6.67", "3.33"]),
    # 0.99 + 0.07 + 0.01 tax
    case("R12 100 % off leaves nothing, no tax either", [promotion(1, percent("100"))],
         [line(1, "0.33", 3, VAT20), line(2, "0.07", 1, SALES)], total="0.00", tax="0.00", untaxed="0.00"),
    # 3 × (1.00 + 0.25); the deposit is left
    case("R11 fixed per-unit taxes stay", [promotion(1, percent("100"))], [line(1, "1", 3, DEPOSIT)],
         total="0.75", tax="0.75", given=["3.00"]),
    # 10.00 + 0.83 of tax: the percentage is of what is paid
    case("R10 a percentage of a price with tax on top", [promotion(1, percent("50"))], [line(1, "10", 1, SALES)],
         total="5.41", given=["5.42"]),
    # ---- stacking
    # 20 % of 50.00 = 10.00
    case("R25 S8 20 % is not better than 15.00", [promotion(1, percent("20")), promotion(2, fixed("15"))],
         [line(1, "50")],
         total="35.00", given=["15.00"]),
    # both save 10.00
    case("R25 of equal ones the first stays", [promotion(1, percent("20")), promotion(2, fixed("10"))], [line(1, "50")],
         [{"program_id": 2}, {"program_id": 1}], total="40.00", given=["10.00"], claimed=["ok", "better_discount"]),
    case("R25 a later claim that is better replaces an earlier one",
         [promotion(1, percent("5")), promotion(2, percent("10"))], [line(1, "50")], [{"program_id": 1}, {"program_id": 2}],
         total="45.00", given=["5.00"], claimed=[("replaced_by", 1), "ok"]),
    # 50 % of 20 = 10; 10 % of 80 + 10 = 9
    case("R24 specific before order-wide", [promotion(1, percent("10")), promotion(2, percent("50", **on(2)))],
         [line(1, "80"), line(2, "20")], total="81.00", given=["10.00", "9.00"]),
    # 10 % of 100 = 8 + 2; 50 % of 20 − 2 = 9
    case("R24 priority first", [promotion(1, percent("10"), priority=-1), promotion(2, percent("50", **on(2)))],
         [line(1, "80"), line(2, "20")], total="81.00", given=["10.00", "9.00"], line_discounts=["8.00", "11.00"]),
    # 50 % of 20 = 10; 10 % of 80 + 20 = 10
    case("R26 initial", [promotion(1, percent("10"), discount_base="initial"), promotion(2, percent("50", **on(2)))],
         [line(1, "80"), line(2, "20")], total="80.00", given=["10.00", "10.00"]),
    # 80 % of 20 = 16; 50 % of the first 20 would be 10, but 4 are left
    case("R26 initial takes no more than is left",
         [promotion(1, percent("80", **on(2))), promotion(2, percent("50", **on(2)), discount_base="initial")],
         [line(1, "80"), line(2, "20")], total="80.00", given=["16.00", "4.00"]),
    case("R25 exclusive leaves the layer to itself",
         [promotion(1, percent("50", **on(1))), promotion(2, percent("5"), stacking="exclusive")], [line(1, "100")],
         total="95.00", given=["5.00"]),
    case("R25 exclusive that saves nothing keeps nobody out",
         [promotion(1, percent("50", **on(1))), promotion(2, percent("5", **on(5)), stacking="exclusive")], [line(1, "100")],
         total="50.00", given=["50.00"]),
    # 10 % of 100 = 10.00 against 15.00; the third is of no group: 50 % of 100 − 15
    case("R25 best_of", [promotion(1, percent("10", **on(1)), stacking="best_of", best_of="a"),
                         promotion(2, fixed("15", **on(1)), stacking="best_of", best_of="a"),
                         promotion(3, percent("50", **on(1)))], [line(1, "100")],
         total="42.50", given=["15.00", "42.50"]),
    # ---- rules
    # 120.00 with 20 % is 100.00 without
    case("R3 a minimum without tax, reached",
         [promotion(1, fixed("1"), {"minimum_amount": "100", "minimum_amount_tax_mode": "excl"})],
         [line(1, "120", 1, VAT20)], given=["1.00"]),
    case("R3 a minimum without tax, missed by a cent",
         [promotion(1, fixed("1"), {"minimum_amount": "100.01", "minimum_amount_tax_mode": "excl"})],
         [line(1, "120", 1, VAT20)], given=[]),
    case("R2 units of a category and what is below it",
         [promotion(1, fixed("1"), {"minimum_qty": "2", "category_id": 1})],
         [line(1, "10"), line(3, "10")], given=["1.00"]),
    case("R2 an excluded tag does not count", [promotion(1, fixed("1"), {"minimum_qty": "2", "exclude_tag": "sale"})],
         [line(1, "10"), line(2, "10", 5)], given=[]),
    # 80 % of 100 off; the rule's 100.00 are reached all the same
    case("R3 discounts of automatic programs do not lower a minimum",
         [promotion(1, percent("80", **on(1))), promotion(2, fixed("1"), {"minimum_amount": "100"})], [line(1, "100")],
         total="19.00", given=["80.00", "1.00"]),
    # 16:00 in London is Tuesday, 01:00 in Tokyo (store 2)
    case("days are those of the store", [promotion(1, fixed("1"), weekdays=["tuesday"])], [line(1, "10")],
         at="2031-03-03T16:00:00Z", store_id=2, given=["1.00"]),
    case("and not of another", [promotion(1, fixed("1"), weekdays=["tuesday"])], [line(1, "10")],
         at="2031-03-03T16:00:00Z", store_id=1, given=[]),
    case("hours that pass midnight", [promotion(1, fixed("1"), hours=["22:00", "02:00"])], [line(1, "10")],
         at="2031-03-03T01:59:59Z", given=["1.00"]),
    case("the last minute is over", [promotion(1, fixed("1"), hours=["22:00", "02:00"])], [line(1, "10")],
         at="2031-03-03T02:00:00Z", given=[]),
    case("R37 an unknown product fits everything but no category",
         [promotion(1, fixed("1")), promotion(2, percent("50", discount_applicability="specific", discount_category_id=1))],
         [line(7, "10")], total="9.00", given=["1.00"]),
    # ---- what applies by itself
    case("auto_claim: false", [promotion(1, fixed("1"))], [line(1, "10")], auto_claim=False, given=[]),
    case("two rewards leave a choice", [promotion(1, [fixed("1"), fixed("2")])], [line(1, "10")], given=[]),
    case("which a claim makes", [promotion(1, [fixed("1"), fixed("2")])], [line(1, "10")],
         [{"program_id": 1, "reward_id": 2}], given=["2.00"], claimed=["ok"]),
    case("rewards of loyalty have to be claimed", [loyalty(11, fixed("1"))], [line(1, "10")], partner_id=HAS_500, given=[]),
    case("R37 nobody's points", [loyalty(11, fixed("1"), MONEY)], [line(1, "10")], [{"program_id": 11}],
         given=[], claimed=["no_member"], earned={}),
    # ---- earning
    # 0.5 × 0.99 = 0.495
    case("R4 pos rounds points half away", [loyalty(11, rule=dict(MONEY, reward_point_amount="0.5"))], [line(1, "0.99")],
         partner_id=NEW, earned={11: "0.50"}),
    case("R4 sale rounds points down", [loyalty(11, rule=dict(MONEY, reward_point_amount="0.5"))], [line(1, "0.99")],
         partner_id=NEW, channel="sale", earned={11: "0.49"}),
    # 2 × (3 − 1) units of product 1
    case("R4 units taken back lower what is earned",
         [loyalty(11, rule=dict(UNIT, reward_point_amount="2", product_ids=[1]))],
         [line(1, "10", 3), line(1, "10", -1), line(2, "5", 4)], partner_id=NEW, earned={11: "4.00"}),
    # 100 − 10 %
    case("R4 another program's discount is not paid for", [loyalty(11, rule=MONEY), promotion(1, percent("10"))],
         [line(1, "100")], partner_id=NEW, earned={11: "90.00"}),
    case("R4 a rule that names products ignores order-wide discounts",
         [loyalty(11, rule=dict(MONEY, product_ids=[1])), promotion(1, percent("10"))],
         [line(1, "100"), line(2, "50")], partner_id=NEW, total="135.00", earned={11: "100.00"}),
    # 50 % of 100
    case("R4 but not specific ones",
         [loyalty(11, rule=dict(MONEY, product_ids=[1])), promotion(1, percent("50", **on(1)))],
         [line(1, "100"), line(2, "50")], partner_id=NEW, earned={11: "50.00"}),
    # 100 points take 10.00 off 100.00
    case("R4 spending points does not shrink earning", [loyalty(11, per_point("0.10"), MONEY)], [line(1, "100")],
         [{"program_id": 11, "points": "100"}], partner_id=HAS_500, total="90.00", earned={11: "100.00"}, costs=["100.00"]),
    case("R4 unless it earns on net", [loyalty(11, per_point("0.10"), MONEY, earn_on="net")], [line(1, "100")],
         [{"program_id": 11, "points": "100"}], partner_id=HAS_500, total="90.00", earned={11: "90.00"}),
    # 5.00 off by program 12
    case("R4 pos subtracts what another loyalty program gave", [loyalty(11, rule=MONEY), loyalty(12, fixed("5"))],
         [line(1, "100")], [{"program_id": 12}], partner_id=HAS_500, earned={11: "95.00"}),
    case("R4 sale does not", [loyalty(11, rule=MONEY), loyalty(12, fixed("5"))],
         [line(1, "100")], [{"program_id": 12}], partner_id=HAS_500, channel="sale", earned={11: "100.00"}),
    # 1 + 0.5 × 20
    case("R2 several rules add up", [dict(loyalty(11), rules=[{}, dict(MONEY, reward_point_amount="0.5")])], [line(1, "20")],
         partner_id=NEW, earned={11: "11.00"}),
    # ---- spending
    # 500 points: 200 and 200, and 100 are not enough. 10 % of 100, 10 % of 90
    case("R9 the same reward again while points last",
         [loyalty(11, percent("10", required_points="200", **on(1)))], [line(1, "100")], [{"program_id": 11}] * 3,
         partner_id=HAS_500, total="81.00", given=["10.00", "9.00"], costs=["200.00", "200.00"],
         claimed=["ok", "ok", "not_enough_points"]),
    # 37.25 are 3 × 10
    case("R10 per_point: whole multiples", [loyalty(12, per_point("0.10", required_points="10"))], [line(1, "100")],
         [{"program_id": 12}], partner_id=HAS_500, given=["3.00"], costs=["30.00"]),
    # 500 points would be 50.00; 19.99 / 0.10 = 199.90
    case("R10 it costs what it gave", [loyalty(11, per_point("0.10"))], [line(1, "19.99")],
         [{"program_id": 11}], partner_id=HAS_500, total="0.00", given=["19.99"], costs=["199.90"]),
    # 37 × 0.033333 = 1.233321, down; 1.23 / 0.033333 = 36.90036…
    case("R10 points × rate rounds down", [loyalty(12, per_point("0.033333"))], [line(1, "100")], [{"program_id": 12}],
         partner_id=HAS_500, given=["1.23"], costs=["36.90"]),
    case("R9 clear_wallet takes all", [loyalty(12, percent("10", clear_wallet=True, **on(1)))], [line(1, "100")],
         [{"program_id": 12}] * 2, partner_id=HAS_500, given=["10.00"], costs=["37.25"], claimed=["ok", "not_enough_points"]),
    # the points of this very order: 100.00
    case("R7 points of the order count", [loyalty(11, fixed("5", required_points="100"), MONEY)], [line(1, "100")],
         [{"program_id": 11}], partner_id=NEW, total="95.00", claimed=["ok"], earned={11: "100.00"}),
    # with priority −1 the claim stands first and has 100 points; 10 % of 95 leaves 90.50: not enough, so it goes, and
    # the order is worked again: 10 % of 100
    case("R24 at the end each reward is asked again",
         [loyalty(11, fixed("5", required_points="100", **on(1)), MONEY, priority=-1), promotion(1, percent("10"))],
         [line(1, "100")], [{"program_id": 11}], partner_id=NEW,
         total="90.00", given=["10.00"], claimed=["not_enough_points"], earned={11: "90.00"}),
    # product 2 is excluded: 10 % of 100.00
    case("R11 an order-wide discount keeps to what it names",
         [promotion(1, percent("10", exclude_product_ids=[2]))], [line(1, "100"), line(2, "50")], given=["10.00"]),
    # 2 returned, 1 bought: −1 unit and −10.00 do not reach 0
    case("R2 less than nothing does not reach a minimum of nothing", [loyalty(11, rule={})], [line(1, "10", -2), line(1, "10")], partner_id=NEW, earned={}),
]  # fmt: skip


class Shop:
    def __init__(self, engine):
        self.call, self.client = engine.call, engine.client()
        self.call("reference.put", {"stores": carts.STORES, "products": carts.PRODUCTS, "categories": carts.CATEGORIES})
        self.put([loyalty(11), loyalty(12)])
        for partner, cards in CARDS.items():
            for program, points in cards.items():
                self.call("card.create", {"partner_id": partner, "program_id": program, "points": points})

    def put(self, programs):
        """These programs and no others."""
        kept = {program["program_id"] for program in programs}
        gone = [promotion(id, [], state="archived") for id in (1, 2, 3) if id not in kept]
        gone += [loyalty(id, state="archived") for id in (11, 12) if id not in kept]
        self.client.load(programs=[dict(program, name="example", trigger="auto") for program in programs + gone])

    def partner(self):
        """A new member."""
        return 10000 + next(numbers)

    def send(self, method, partner, date, lines, **more):
        order_id = f"example-{next(numbers)}"
        body = {"order_id": order_id, "partner_id": partner, "date": f"{date}T12:00:00Z", "import": True, "lines": lines}
        return order_id, self.call(method, dict(body, **more))


@pytest.fixture(scope="module")
def shop(engine):
    return Shop(engine)


@pytest.mark.parametrize("programs, order, expected", CASES)
def test_example(shop, programs, order, expected):
    shop.put(programs)
    order = dict({"order_id": "example", "at": MONDAY_NOON, "store_id": 1}, **order)
    reply = shop.call("order.quote", order)
    found = {
        "total": reply["amount_total"],
        "untaxed": reply["amount_untaxed"],
        "tax": reply["amount_tax"],
        "given": [discount["amount"] for discount in reply["discounts"]],
        "costs": [discount["points_cost"] for discount in reply["discounts"]],
        "line_discounts": [line["discount"] for line in reply["lines"]],
        "claimed": [claim_of(claim) if claim["ok"] else claim["reason"] for claim in reply["claims"]],
        "earned": {card["program_id"]: card["earned"] for card in reply["points"] if minor(card["earned"])},
    }
    assert expected
    assert {name: found[name] for name in expected} == expected


# ---- refunds (R33): 1 point for 1.00 of money


def moved(reply, program=11):
    for card in reply["points"]:
        if card["program_id"] == program:
            return tuple(card[name] for name in ("earned", "redeemed", "balance", "debt"))
    return None


def test_parts_of_a_refund_make_the_whole(shop):
    """7.00 for three units: 7 / 3 = 2.333, 14 / 3 − 2.33 = 2.34, 7 − 4.67 = 2.33, in points as in money."""
    shop.put([loyalty(11, rule=MONEY)])
    partner = shop.partner()
    sold, reply = shop.send("order.process", partner, "2020-01-01", [line(1, "2.333333", 3)])
    assert (reply["amount_total"], moved(reply)) == ("7.00", ("7.00", "0.00", "7.00", "0.00"))
    parts = []
    for _ in range(3):
        _, reply = shop.send("order.refund", partner, "2020-01-02", [line(1, "2.333333", -1)], refund_of=sold)
        parts.append((reply["amount_total"], moved(reply)[0]))
    assert parts == [("-2.33", "-2.33"), ("-2.34", "-2.34"), ("-2.33", "-2.33")]
    assert moved(reply)[2:] == ("0.00", "0.00")


def test_a_refund_gives_back_and_takes_back_in_proportion(shop):
    """100 points take 10.00 off 2 × 20.00; one of the two comes back: 15.00, 50 points given back, 20 taken back."""
    shop.put([loyalty(11, per_point("0.10"), MONEY)])
    partner = shop.partner()
    shop.send("order.process", partner, "2020-01-01", [line(1, "100")])
    claims = [{"program_id": 11, "points": "100"}]
    sold, reply = shop.send("order.process", partner, "2020-01-02", [line(1, "20", 2)], claims=claims)
    assert (reply["amount_total"], moved(reply)) == ("30.00", ("40.00", "100.00", "40.00", "0.00"))
    _, reply = shop.send("order.refund", partner, "2020-01-03", [line(1, "20", -1)], refund_of=sold)
    assert (reply["amount_total"], moved(reply)) == ("-15.00", ("-20.00", "-50.00", "70.00", "0.00"))
    assert reply["restored"] == [{"card_id": reply["points"][0]["card_id"], "points": "50.00"}]


def test_points_that_are_gone_become_debt_which_the_next_ones_pay(shop):
    """20 points earned and spent (2.00 off 2.00); the 20.00 come back: 2 are there (of the second order), 18 are owed.
    30.00 earn 30: 18 pay the debt, 12 are left."""
    shop.put([loyalty(11, per_point("0.10"), MONEY)])
    partner = shop.partner()
    sold, _ = shop.send("order.process", partner, "2020-01-01", [line(1, "20")])
    _, reply = shop.send("order.process", partner, "2020-01-02", [line(1, "2")], claims=[{"program_id": 11}])
    assert moved(reply) == ("2.00", "20.00", "2.00", "0.00")
    _, reply = shop.send("order.refund", partner, "2020-01-03", [line(1, "20", -1)], refund_of=sold)
    assert reply["shortfall"][0]["points"] == "18.00" and moved(reply)[2:] == ("0.00", "18.00")
    _, reply = shop.send("order.process", partner, "2020-01-04", [line(1, "30")])
    assert moved(reply) == ("30.00", "0.00", "12.00", "0.00")
    rows = shop.call("card.history", {"partner_id": partner, "program_id": 11})["history"]
    assert [(row["kind"], row["points"]) for row in rows[:2]] == [("debt_paid", "-18.00"), ("earn", "30.00")]


def test_points_expire_at_their_instant(shop):
    """Points count for a month: those of 31 January until 29 February, noon, those of 20 February until 20 March."""
    shop.put([loyalty(11, rule=MONEY, expiry={"policy": "months", "count": 1})])
    partner = shop.partner()
    _, reply = shop.send("order.process", partner, "2020-01-31", [line(1, "50")])
    assert reply["points"][0]["expires"] == "2020-02-29T12:00:00Z"
    balances = [
        shop.send("order.process", partner, date, [line(1, "10")])[1]["points"][0]["balance"]
        for date in ("2020-02-20", "2020-03-01", "2020-03-20")
    ]
    # 50 + 10; the 50 are gone: 10 + 10; on the instant of its expiry a lot is expired: 10 + 10
    assert balances == ["60.00", "20.00", "20.00"]


def test_more_than_was_bought_is_refused_by_line_and_uncovered_by_product(shop):
    shop.put([loyalty(11, rule=MONEY)])
    partner = shop.partner()
    sold, _ = shop.send("order.process", partner, "2020-01-01", [line(1, "10")])
    by_line = line(1, "10", -2, refund_of={"order_id": sold, "line_id": "0"})
    with pytest.raises(LoyaltyError) as error:
        shop.send("order.refund", partner, "2020-01-02", [by_line])
    assert (error.value.code, error.value.details["left"]) == ("refund_exceeds", "1")
    _, reply = shop.send("order.refund", partner, "2020-01-02", [line(1, "10", -2)], refund_of=sold)
    assert reply["uncovered"] == [{"line_id": "0", "product_id": 1, "qty": "1"}]
    assert (reply["amount_total"], moved(reply)) == ("-20.00", ("-10.00", "0.00", "0.00", "0.00"))


def test_an_order_for_nothing_is_refunded_by_list_prices(shop):
    """Both lines are given away by hand; list prices are 1.00 and 9.00, so of 10 points (by units) the second takes 9."""
    shop.put([loyalty(11, rule=dict(UNIT, reward_point_amount="5"))])
    partner = shop.partner()
    lines = [line(1, "1", discount="100"), line(2, "9", discount="100")]
    sold, reply = shop.send("order.process", partner, "2020-01-01", lines)
    assert moved(reply)[0] == "10.00"
    _, reply = shop.send("order.refund", partner, "2020-01-02", [line(2, "9", -1)], refund_of=sold)
    assert moved(reply)[0] == "-9.00"


def test_a_member_in_debt_spends_what_is_left_of_what_the_order_earns(shop):
    """18 points are owed; 100.00 earn 100, of which 82 can be spent at once: 8.20 off."""
    shop.put([loyalty(11, per_point("0.10"), MONEY)])
    partner = shop.partner()
    sold, _ = shop.send("order.process", partner, "2020-01-01", [line(1, "20")])
    shop.send("order.process", partner, "2020-01-02", [line(1, "2")], claims=[{"program_id": 11}])
    shop.send("order.refund", partner, "2020-01-03", [line(1, "20", -1)], refund_of=sold)
    _, reply = shop.send("order.process", partner, "2020-01-04", [line(1, "100")], claims=[{"program_id": 11}])
    assert (reply["amount_total"], moved(reply)) == ("91.80", ("100.00", "82.00", "0.00", "0.00"))
