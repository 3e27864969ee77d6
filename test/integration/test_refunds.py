"""Returns: what goes back, in money and in points; parts add up to the whole, and never to more (SEMANTICS 33, 34)."""

import random
from decimal import Decimal

import pytest

from raw_client import RawClient, at_once, error_of, result_of
from shop import TWENTY, line, loyalty_program, new_id, new_partner, order, promotion, refund, refused, total, written


@pytest.fixture(scope="module")
def shop(engine):
    engine.call("reference.put", {"products": [{"product_id": number} for number in range(1, 30)]})
    engine.call("program.put", loyalty_program())
    engine.call("program.put", promotion(2, 10, rules=[{"product_ids": [20]}], rewards=[
        {"discount": 10, "discount_applicability": "specific", "discount_product_ids": [20]}]))  # fmt: skip
    return engine


@pytest.fixture(scope="module", autouse=True)
def ledger_holds(engine):
    yield
    engine.assert_ledger_holds()


def card_of(engine, partner):
    return engine.call("card.get", {"partner_id": partner, "program_id": 1})


def balance(engine, partner):
    return card_of(engine, partner)["balance"]


# One refund


def test_a_line_goes_back(shop):
    partner = new_partner()
    sale = order(partner, line(1, 4, "25.00", taxes=[TWENTY], line_id="a"), line(2, 1, "10.00", line_id="b"))
    shop.call("order.process", sale)
    back = shop.call("order.refund", refund(sale["order_id"], line(1, -1, "25.00")))
    assert (back["amount_untaxed"], back["amount_tax"], back["amount_total"]) == ("-20.83", "-4.17", "-25.00")
    assert (back["points_earned"], back["points_redeemed"], back["final_balance"]) == ("-25.00", "0.00", "85.00")
    assert back["lines"] == [{"line_id": "0", "product_id": 1, "qty": "-1", "amount_untaxed": "-20.83",
                              "amount_tax": "-4.17", "amount_total": "-25.00", "discount": "0.00"}]  # fmt: skip
    assert back["give_back"] == [{"to": "payment", "amount": "25.00"}]
    assert back["restored"] == back["shortfall"] == back["uncovered"] == []
    assert back["points"] == [{"card_id": card_of(shop, partner)["card_id"], "program_id": 1, "earned": "-25.00",
                               "redeemed": "0.00", "balance": "85.00", "debt": "0.00", "expires": None}]  # fmt: skip
    assert shop.query("SELECT order_count, spending FROM members WHERE partner_id = %s", (partner,)) == [(1, 8500)]


def test_what_was_paid_goes_back_not_the_price(shop):
    sale = order(new_partner(), line(20, 3, "9.99", taxes=[TWENTY]))
    done = shop.call("order.process", sale)
    assert done["amount_total"] == "26.97"
    back = shop.call("order.refund", refund(sale["order_id"], line(20, -3, "9.99")))
    assert (back["amount_total"], back["amount_tax"]) == ("-26.97", "-" + done["amount_tax"])
    assert back["final_balance"] == "0.00"


def test_points_that_were_spent_come_back_to_their_lot(shop):
    partner = new_partner()
    shop.call("order.process", order(partner, line(1, 1, "100.00")))
    sale = order(partner, line(1, 1, "10.00"), claims=[{"program_id": 1, "reward_id": 1, "points": "80"}])
    assert shop.call("order.process", sale)["final_balance"] == "30.00"
    back = shop.call("order.refund", refund(sale["order_id"], line(1, -1, "10.00")))
    # 9.20 were paid and 10 points earned, its own discount not counted.
    assert (back["amount_total"], back["points_earned"], back["points_redeemed"], back["final_balance"]) == (
        "-9.20", "-10.00", "-80.00", "100.00")  # fmt: skip
    card = card_of(shop, partner)
    assert back["restored"] == [{"card_id": card["card_id"], "points": "80.00"}]
    assert [one["remaining"] for one in card["lots"]] == ["100.00"]


def test_an_unknown_original_covers_nothing(shop):
    partner = new_partner()
    shop.call("order.process", order(partner, line(1, 1, "50.00")))
    back = shop.call("order.refund", dict(refund("NEVER-SEEN", line(1, -2, "7.00")), partner_id=partner))
    assert back["uncovered"] == [{"line_id": "0", "product_id": 1, "qty": "2"}]
    assert (back["amount_total"], back["points_earned"], back["final_balance"]) == ("-14.00", "0.00", "50.00")
    with refused("not_found", path="lines[0].refund_of"):
        shop.call("order.refund", refund({"order_id": "NEVER-SEEN", "line_id": "a"}, line(1, -2)))


def test_more_than_was_bought(shop):
    partner = new_partner()
    sale = order(partner, line(1, 2, "10.00", line_id="a"))
    shop.call("order.process", sale)
    named = {"order_id": sale["order_id"], "line_id": "a"}
    before = written(shop)
    with refused("refund_exceeds", path="lines[0].qty", left="2"):
        shop.call("order.refund", refund(named, line(1, -3)))
    with refused("not_found", path="lines[0].refund_of.line_id"):
        shop.call("order.refund", refund({"order_id": sale["order_id"], "line_id": "z"}, line(1, -1)))
    with refused("invalid_request", path="lines[0].product_id"):
        shop.call("order.refund", refund(named, line(2, -1)))
    assert written(shop) == before
    # Without a line named, what is not covered counts as a return without an original.
    back = shop.call("order.refund", refund(sale["order_id"], line(1, -3, "10.00")))
    assert back["uncovered"] == [{"line_id": "0", "product_id": 1, "qty": "1"}]
    assert (back["amount_total"], back["points_earned"]) == ("-30.00", "-20.00")
    assert [one["qty"] for one in back["lines"]] == ["-2", "-1"]
    with refused("refund_exceeds", left="0"):
        shop.call("order.refund", refund(named, line(1, -1)))
    assert balance(shop, partner) == "0.00"


def test_parts_add_up_to_the_whole(shop):
    """Thirds of a cent and of a point: whatever the parts, all of them together are the order."""
    dice = random.Random(3)
    for _ in range(5):
        partner = new_partner()
        sale = order(partner, *[
            line(dice.choice([1, 2, 20]), dice.randrange(3, 12), f"{dice.randrange(1, 999)}.{dice.randrange(100):02}", line_id=number,
                 taxes=[TWENTY, {"id": 2, "amount": "5.5"}][: dice.randrange(3)]) for number in range(4)])  # fmt: skip
        done = shop.call("order.process", sale)
        left = {str(one["line_id"]): one["qty"] for one in sale["lines"]}
        parts = []
        while any(left.values()):
            name = dice.choice([one for one, qty in left.items() if qty])
            qty = dice.randrange(1, left[name] + 1)
            left[name] -= qty
            product = sale["lines"][int(name)]["product_id"]
            parts.append(shop.call("order.refund", refund({"order_id": sale["order_id"], "line_id": name}, line(product, -qty, 0))))
        for name in ("amount_untaxed", "amount_tax", "amount_total", "points_earned"):
            assert total(part[name] for part in parts) == -Decimal(done[name]), name
        assert parts[-1]["final_balance"] == "0.00" and balance(shop, partner) == "0.00"


def test_an_exchange(shop):
    """Returns and sales in one order, of two originals."""
    partner = new_partner()
    first, second = order(partner, line(1, 1, "30.00")), order(partner, line(2, 1, "20.00"))
    for sale in (first, second):
        shop.call("order.process", sale)
    done = shop.call("order.process", order(
        partner, line(1, -1, "30.00", refund_of=first["order_id"]), line(2, -1, "20.00", refund_of={"order_id": second["order_id"]}),
        line(3, 1, "60.00")))  # fmt: skip
    assert (done["amount_total"], done["points_earned"], done["final_balance"]) == ("10.00", "10.00", "60.00")
    assert done["uncovered"] == [] and done["give_back"] == []
    with refused("refund_exceeds"):
        shop.call("order.refund", refund({"order_id": first["order_id"], "line_id": "0"}, line(1, -1, "30.00")))


def test_a_quote_of_a_refund_writes_nothing(shop):
    sale = order(new_partner(), line(1, 2, "10.00"))
    shop.call("order.process", sale)
    before = written(shop)
    quote = shop.call("order.quote", refund(sale["order_id"], line(1, -2, "10.00")))
    assert (quote["amount_total"], quote["points_earned"], quote["final_balance"]) == ("-20.00", "-20.00", "0.00")
    assert written(shop) == before and balance(shop, sale["partner_id"]) == "20.00"


def test_a_refund_by_somebody_else(shop):
    """The points go back to the cards of the original, whoever brings it."""
    buyer, bringer = new_partner(), new_partner()
    sale = order(buyer, line(1, 1, "40.00"))
    shop.call("order.process", sale)
    shop.call("order.process", order(bringer, line(1, 1, "5.00")))
    back = shop.call("order.refund", dict(refund(sale["order_id"], line(1, -1, "40.00")), partner_id=bringer))
    assert [(one["earned"], one["balance"]) for one in back["points"] if one["earned"] != "0.00"] == [("-40.00", "0.00")]
    assert (balance(shop, buyer), balance(shop, bringer)) == ("0.00", "5.00")
    assert (back["points_earned"], back["final_balance"]) == ("0.00", "5.00")  # of the member whose order it is


def test_a_refund_is_no_original(shop):
    sale = order(new_partner(), line(1, 1, "10.00"))
    shop.call("order.process", sale)
    back = refund(sale["order_id"], line(1, -1, "10.00"))
    shop.call("order.refund", back)
    again = shop.call("order.refund", refund(back["order_id"], line(1, -1, "10.00")))
    assert again["uncovered"] == [{"line_id": "0", "product_id": 1, "qty": "1"}]


def test_a_cancelled_order_cannot_be_refunded(shop):
    sale = order(new_partner())
    shop.call("order.process", sale)
    shop.call("order.cancel", {"order_id": sale["order_id"]})
    before = written(shop)
    with refused("conflict"):
        shop.call("order.refund", refund(sale["order_id"], line(qty=-1)))
    assert written(shop) == before


def test_cancelling_a_refund_that_moved_no_points(shop):
    """The money counts for the member again, who stands in the original only."""
    shop.call("program.put", loyalty_program(1, pos_config_ids=[77]))
    try:
        partner = new_partner()
        sale = order(partner, line(1, 2, "10.00"))
        shop.call("order.process", sale)
        back = refund(sale["order_id"], line(1, -1, "10.00"))
        shop.call("order.refund", back)
        assert shop.query("SELECT order_count, spending FROM members WHERE partner_id = %s", (partner,)) == [(1, 1000)]
        undone = shop.call("order.cancel", {"order_id": back["order_id"]})
        assert undone["amount_total"] == "10.00"
        assert shop.query("SELECT order_count, spending FROM members WHERE partner_id = %s", (partner,)) == [(1, 2000)]
        # And its units can be returned again.
        again = shop.call("order.refund", refund({"order_id": sale["order_id"], "line_id": "0"}, line(1, -2)))
        assert again["amount_total"] == "-20.00"
    finally:
        shop.call("program.put", loyalty_program())


# Points that are gone


@pytest.mark.parametrize(
    "shortfall, became, debt", [(None, "debt", "30.00"), ("debt", "debt", "30.00"), ("forgive", "forgiven", "0.00")]
)
def test_points_that_are_gone_already(shop, shortfall, became, debt):
    partner = new_partner()
    sale = order(partner, line(1, 1, "100.00"))
    shop.call("order.process", sale)
    card = card_of(shop, partner)["card_id"]
    shop.call("card.adjust", {"card_id": card, "points": "-30", "reason": "spent"})
    body = refund(sale["order_id"], line(1, -1, "100.00"))
    back = shop.call("order.refund", dict(body, shortfall=shortfall) if shortfall else body)
    assert back["shortfall"] == [{"card_id": card, "points": "30.00", "became": became}]
    assert (back["points_earned"], back["final_balance"], back["points"][0]["debt"]) == ("-70.00", "0.00", debt)
    # Debt is paid by the next points earned, as a row of its own.
    after = shop.call("order.process", order(partner, line(1, 1, "50.00")))
    assert after["points_earned"] == "50.00"
    assert after["final_balance"] == ("20.00" if debt == "30.00" else "50.00")
    rows = shop.call("card.history", {"card_id": card})["history"]
    assert [one["kind"] for one in rows][: 2 if debt == "30.00" else 1] == (["debt_paid", "earn"] if debt == "30.00" else ["earn"])


def test_a_shortfall_may_refuse_the_refund(shop):
    partner = new_partner()
    sale = order(partner, line(1, 1, "100.00"))
    shop.call("order.process", sale)
    shop.call("card.adjust", {"partner_id": partner, "program_id": 1, "points": "-30", "reason": "spent"})
    before = written(shop)
    body = refund(sale["order_id"], line(1, -1, "100.00"), shortfall="refuse")
    with refused("insufficient_points", required="100.00", available="70.00"):
        shop.call("order.refund", body)
    assert written(shop) == before
    shop.call("card.adjust", {"partner_id": partner, "program_id": 1, "points": "30", "reason": "found"})
    assert shop.call("order.refund", body)["final_balance"] == "0.00"


def test_cancel_and_debt(shop):
    """An order paid debt with its points; undone, the debt stands again."""
    partner = new_partner()
    sale = order(partner, line(1, 1, "100.00"))
    shop.call("order.process", sale)
    shop.call("card.adjust", {"partner_id": partner, "program_id": 1, "points": "-40", "reason": "spent"})
    shop.call("order.refund", refund(sale["order_id"], line(1, -1, "100.00")))
    assert card_of(shop, partner)["debt"] == "40.00"
    payer = order(partner, line(1, 1, "70.00"))
    assert shop.call("order.process", payer)["final_balance"] == "30.00"
    undone = shop.call("order.cancel", {"order_id": payer["order_id"]})
    card = card_of(shop, partner)
    assert (card["balance"], card["debt"]) == ("0.00", "40.00")
    assert undone["shortfall"] == [{"card_id": card["card_id"], "points": "40.00", "became": "debt"}]


# At once


def test_a_refund_in_the_same_pipeline_as_its_order(shop):
    """The order was not answered yet when its refund was sent: where the engine has the order first, it is covered; else
    nothing is taken that was not given."""
    with RawClient(shop.endpoint) as raw:
        for _ in range(20):
            partner = new_partner()
            hint = {"affinity": partner}
            sale = order(partner, line(1, 2, "10.00"))
            back = dict(refund(sale["order_id"], line(1, -2, "10.00")), partner_id=partner)
            replies = raw.answers([raw.send("order.process", sale, **hint), raw.send("order.refund", back, **hint)])
            bought, returned = map(result_of, replies)
            assert (bought["amount_total"], returned["amount_total"]) == ("20.00", "-20.00")
            covered = returned["uncovered"] == []
            assert (returned["points_earned"], balance(shop, partner)) == (("-20.00", "0.00") if covered else ("0.00", "20.00"))


def test_refunds_of_one_order_at_once_never_exceed_it(shop):
    """Fifty tills return units of the same ten."""
    partner = new_partner()
    sale = order(partner, line(1, 10, "9.99", line_id="a"))
    shop.call("order.process", sale)
    named = {"order_id": sale["order_id"], "line_id": "a"}
    replies = at_once(shop.endpoint, [("order.refund", refund(named, line(1, -1, 0))) for _ in range(50)])
    done = [reply["result"] for reply in replies if reply["ok"]]
    assert len(done) == 10
    assert {error_of(reply)["code"] for reply in replies if not reply["ok"]} == {"refund_exceeds"}
    assert total(one["amount_total"] for one in done) == Decimal("-99.90")
    assert total(one["points_earned"] for one in done) == Decimal("-99.90")
    assert balance(shop, partner) == "0.00"


def test_refunds_without_a_line_at_once(shop):
    """What the original does not cover any more counts as a return without one, and takes no points."""
    partner = new_partner()
    sale = order(partner, line(1, 5, "10.00"))
    shop.call("order.process", sale)
    replies = at_once(shop.endpoint, [("order.refund", refund(sale["order_id"], line(1, -1, "10.00"))) for _ in range(20)])
    done = [result_of(reply) for reply in replies]
    assert sum(one["uncovered"] == [] for one in done) == 5
    assert total(one["points_earned"] for one in done) == Decimal(-50)
    assert balance(shop, partner) == "0.00"


def test_a_refund_and_a_cancel_at_once(shop):
    """One of them is done, never both."""
    for _ in range(10):
        partner = new_partner()
        sale = order(partner, line(1, 1, "10.00"))
        shop.call("order.process", sale)
        requests = [("order.cancel", {"order_id": sale["order_id"]}), ("order.refund", refund(sale["order_id"], line(1, -1, "10.00")))]
        replies = at_once(shop.endpoint, requests)
        assert sorted(reply["ok"] for reply in replies) == [False, True]
        assert [error_of(reply)["code"] for reply in replies if not reply["ok"]] == ["conflict"]
        assert balance(shop, partner) == "0.00"


def test_two_originals_in_opposite_orders(shop):
    """Refunds that lock the same originals the other way round: each gets an answer, none takes what another took."""
    partners = [new_partner(), new_partner()]
    sales = [order(partner, line(1, 20, "1.00")) for partner in partners]
    for sale in sales:
        shop.call("order.process", sale)
    requests = []
    for number in range(40):
        pair = sales if number % 2 else sales[::-1]
        requests.append(("order.refund", order(None, *[line(1, -1, "1.00", refund_of=sale["order_id"]) for sale in pair])))
    done = [result_of(reply) for reply in at_once(shop.endpoint, requests)]
    assert sum(len(one["uncovered"]) for one in done) == 40
    assert [balance(shop, partner) for partner in partners] == ["0.00", "0.00"]


def test_orders_without_members_in_opposite_orders(shop):
    """No member to lock: the originals themselves are."""
    sales = [order(None, line(1, 30, "1.00")) for _ in range(4)]
    for sale in sales:
        shop.call("order.process", sale)
    dice, requests = random.Random(4), []
    for _ in range(60):
        pair = dice.sample(sales, 2)
        requests.append(("order.refund", order(None, *[line(1, -1, "1.00", refund_of=sale["order_id"]) for sale in pair])))
    done = [result_of(reply) for reply in at_once(shop.endpoint, requests)]
    returned = {sale["order_id"]: 0 for sale in sales}
    for (_, body), one in zip(requests, done):
        missed = {entry["line_id"] for entry in one["uncovered"]}
        for at, entry in enumerate(body["lines"]):
            returned[entry["refund_of"]] += str(at) not in missed
    asked = {sale["order_id"]: sum(entry["refund_of"] == sale["order_id"] for _, body in requests for entry in body["lines"]) for sale in sales}
    assert returned == {name: min(30, times) for name, times in asked.items()}


def test_a_refund_of_fifty_orders_and_no_more(shop):
    partner = new_partner()
    sales = [order(partner, line(1, 1, "1.00")) for _ in range(50)]
    for sale in sales:
        shop.call("order.process", sale)
    lines = [line(1, -1, "1.00", refund_of=sale["order_id"]) for sale in sales]
    with refused("too_large", path="refund_of"):
        shop.call("order.refund", order(None, *lines, line(1, -1, refund_of=new_id())))
    assert shop.call("order.refund", order(None, *lines))["amount_total"] == "-50.00"
    assert balance(shop, partner) == "0.00"
