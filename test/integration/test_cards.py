"""Cards: made, found, adjusted, their lots and their journal."""

import datetime
from decimal import Decimal

import pytest

from shop import line, loyalty_program, new_id, new_partner, order, promotion, refund, refused, written

CARD = {"card_id", "program_id", "partner_id", "code", "state", "balance", "held", "usable", "debt", "stored"}
NOW = datetime.datetime.now(datetime.timezone.utc)


@pytest.fixture(scope="module")
def shop(engine):
    engine.call("reference.put", {"products": [{"product_id": 1}]})
    engine.call("program.put", loyalty_program())
    engine.call("program.put", loyalty_program(2, pos_config_ids=[2], expiry={"policy": "days", "count": 30}))
    engine.call("program.put", promotion(3, 5, pos_config_ids=[3]))
    return engine


@pytest.fixture(scope="module", autouse=True)
def ledger_holds(engine):
    yield
    engine.assert_ledger_holds()


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def after(**delta):
    return (NOW + datetime.timedelta(**delta)).isoformat()


# Making and finding


def test_create_and_get(shop):
    partner = new_partner()
    made = shop.call("card.create", {"program_id": 1, "partner_id": partner, "points": "12.5"})
    assert set(made) == CARD | {"replayed"}
    assert {name: made[name] for name in CARD - {"card_id", "code"}} == {
        "program_id": 1, "partner_id": partner, "state": "active", "balance": "12.50", "held": "0.00", "usable": "12.50",
        "debt": "0.00", "stored": "12.50"}  # fmt: skip
    assert len(made["code"]) == 16 and made["card_id"] > 0
    card = {name: made[name] for name in CARD}
    for selector in ({"card_id": made["card_id"]}, {"code": made["code"]}, {"code": f" {made['code'].lower()}\t"},
                     {"partner_id": partner, "program_id": 1}, {"card_id": made["card_id"], "program_id": 1}):  # fmt: skip
        got = shop.call("card.get", selector)
        lots = got.pop("lots")
        assert got == card
        assert [(one["lot"], one["remaining"], one["expires"]) for one in lots] == [(1, "12.50", None)]
        assert set(lots[0]) == {"lot", "remaining", "gained", "usable_from", "expires"}
    assert shop.call("card.get", {"partner_id": partner}) == {"partner_id": partner, "cards": [card]}
    with refused("not_found"):
        shop.call("card.get", {"card_id": made["card_id"], "program_id": 2})
    balance = shop.call("card.balance", {"code": made["code"]})
    assert set(balance) == {"card_id", "program_id", "balance", "held", "usable", "debt", "at"}
    assert (balance["balance"], balance["usable"]) == ("12.50", "12.50")


def test_one_card_of_a_program_for_a_member(shop):
    partner = new_partner()
    shop.call("card.create", {"program_id": 1, "partner_id": partner})
    before = written(shop)
    with refused("conflict", path="partner_id"):
        shop.call("card.create", {"program_id": 1, "partner_id": partner})
    assert written(shop) == before
    shop.call("card.create", {"program_id": 2, "partner_id": partner})
    assert [one["program_id"] for one in shop.call("card.get", {"partner_id": partner})["cards"]] == [1, 2]
    # Of several cards one has to be named.
    with refused("invalid_request", path="program_id"):
        shop.call("card.balance", {"partner_id": partner})
    assert shop.call("card.balance", {"partner_id": partner, "program_id": 2})["program_id"] == 2


def test_bearers_have_as_many_as_they_like(shop):
    cards = [shop.call("card.create", {"program_id": 1}) for _ in range(3)]
    assert len({one["card_id"] for one in cards}) == len({one["code"] for one in cards}) == 3
    assert {one["partner_id"] for one in cards} == {None}


def test_codes_are_unique_without_case_and_blanks(shop):
    code = new_id("Printed")
    made = shop.call("card.create", {"program_id": 1, "code": f"  {code} "})
    assert made["code"] == code.upper()
    before = written(shop)
    for again in (code, code.lower(), f"\t{code.upper()} "):
        with refused("conflict", path="code"):
            shop.call("card.create", {"program_id": 1, "code": again, "partner_id": new_partner()})
    assert written(shop) == before
    assert shop.call("card.get", {"code": code.swapcase()})["card_id"] == made["card_id"]
    assert shop.call("card.create", {"program_id": 1, "code": "É" + code})["code"] == "É" + code.upper()


def test_a_card_that_could_not_be_made_left_its_code_free(shop):
    code = new_id("CODE")
    partner = new_partner()
    shop.call("card.create", {"program_id": 1, "partner_id": partner})
    with refused("conflict", path="partner_id"):
        shop.call("card.create", {"program_id": 1, "partner_id": partner, "code": code})
    with refused("invalid_request", path="expires"):
        shop.call("card.create", {"program_id": 1, "code": code, "points": 1, "expires": after(days=-1)})
    assert shop.call("card.create", {"program_id": 1, "code": code})["code"] == code


# Adjusting


def test_adjust_adds_and_takes(shop):
    card = shop.call("card.create", {"program_id": 1, "partner_id": new_partner()})["card_id"]
    up = shop.call("card.adjust", {"card_id": card, "points": "10.25", "reason": "sorry"})
    assert set(up) == CARD | {"replayed"} and up["balance"] == "10.25"
    assert shop.call("card.adjust", {"card_id": card, "points": -10.25, "reason": "not so sorry"})["balance"] == "0.00"
    with refused("insufficient_points", required="0.01", available="0.00"):
        shop.call("card.adjust", {"card_id": card, "points": "-0.01", "reason": "x"})
    history = shop.call("card.history", {"card_id": card})["history"]
    assert [(one["seq"], one["kind"], one["points"], one["balance"], one["reason"]) for one in history] == [
        (2, "adjust", "-10.25", "0.00", "not so sorry"), (1, "adjust", "10.25", "10.25", "sorry")]  # fmt: skip


def test_the_soonest_to_expire_goes_first(shop):
    """Rule 20: soonest expiry, then oldest gain; what never expires last."""
    card = shop.call("card.create", {"program_id": 1, "partner_id": new_partner(), "points": 10})["card_id"]
    for points, expires in ((20, after(days=20)), (30, after(days=10)), (40, after(days=20))):
        shop.call("card.adjust", {"card_id": card, "points": points, "reason": "x", "expires": expires})

    def lots():
        return [(one["lot"], one["remaining"]) for one in shop.call("card.get", {"card_id": card})["lots"]]

    assert lots() == [(3, "30.00"), (2, "20.00"), (4, "40.00"), (1, "10.00")]
    for points, left in ((25, [(3, "5.00"), (2, "20.00"), (4, "40.00"), (1, "10.00")]), (20, [(2, "5.00"), (4, "40.00"), (1, "10.00")]),
                         (50, [(1, "5.00")])):  # fmt: skip
        shop.call("card.adjust", {"card_id": card, "points": -points, "reason": "x"})
        assert lots() == left


def test_more_lots_than_are_read_at_once(shop):
    """A spend that runs through hundreds of lots, and one that leaves the last."""
    partner = new_partner()
    card = shop.call("card.create", {"program_id": 1, "partner_id": partner})["card_id"]
    for number in range(600):
        shop.call("card.adjust", {"card_id": card, "points": "1.00", "reason": "x", "expires": after(days=1000 - number)})
    assert shop.call("card.balance", {"card_id": card})["balance"] == "600.00"
    done = shop.call("order.process", order(partner, line(1, 1, "100.00"), claims=[{"program_id": 1, "reward_id": 1, "points": "590.5"}]))
    assert (done["amount_total"], done["points_redeemed"], done["final_balance"]) == ("94.10", "590.00", "110.00")
    lots = shop.call("card.get", {"card_id": card})["lots"]
    assert [one["remaining"] for one in lots] == ["1.00"] * 10 + ["100.00"]
    assert [one["lot"] for one in lots[:10]] == list(range(10, 0, -1))
    back = shop.call("order.refund", refund(done["order_id"], line(1, -1, "100.00")))
    assert (back["points_redeemed"], back["final_balance"]) == ("-590.00", "600.00")


def test_expiry_of_added_points(shop):
    partner = new_partner()
    made = shop.call("card.create", {"program_id": 2, "partner_id": partner, "points": 5})
    lot = shop.call("card.get", {"card_id": made["card_id"]})["lots"][0]
    assert instant(lot["expires"]) - instant(lot["gained"]) == datetime.timedelta(days=30)
    shop.call("card.adjust", {"card_id": made["card_id"], "points": 7, "reason": "x", "expires": after(hours=1)})
    for at, balance in ((after(minutes=59), "12.00"), (after(hours=1), "5.00"), (lot["expires"], "0.00")):
        assert shop.call("card.balance", {"card_id": made["card_id"], "at": at})["balance"] == balance
    with refused("invalid_request", path="at"):
        shop.call("card.balance", {"card_id": made["card_id"], "at": after(hours=-1)})
    with refused("invalid_request", path="expires"):
        shop.call("card.adjust", {"card_id": made["card_id"], "points": 7, "reason": "x", "expires": after(hours=-1)})


def test_points_at_their_bound(shop):
    card = shop.call("card.create", {"program_id": 1, "points": "1000000000000"})
    assert card["balance"] == "1000000000000.00"
    assert shop.call("card.adjust", {"card_id": card["card_id"], "points": "1000000000000", "reason": "x"})["balance"] == "2000000000000.00"


# The journal


def test_history_in_pages(shop):
    partner = new_partner()
    card = shop.call("card.create", {"program_id": 1, "partner_id": partner})["card_id"]
    for number in range(1, 13):
        shop.call("card.adjust", {"card_id": card, "points": number, "reason": f"r{number}"})
    for limit in (1, 3, 4, 5, 11, 12, 13, 1000):
        rows, cursor, pages = [], None, 0
        while True:
            page = shop.call("card.history", {"partner_id": partner, "program_id": 1, "limit": limit, "cursor": cursor})
            assert set(page) == {"card_id", "history", "next_cursor"} and 0 < len(page["history"]) <= limit
            rows += page["history"]
            pages += 1
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert [one["reason"] for one in rows] == [f"r{number}" for number in range(12, 0, -1)]
        assert pages == -(-12 // limit)
    for cursor in ("x", "-1", "1.5", "99999999999999999999"):
        with refused("invalid_request", path="cursor"):
            shop.call("card.history", {"card_id": card, "cursor": cursor})


def test_every_kind_of_row(shop):
    partner = new_partner()
    sale = order(partner, line(1, 1, "100.00"))
    shop.call("order.process", sale)
    spend = order(partner, line(1, 1, "10.00"), claims=[{"program_id": 1, "reward_id": 1, "points": "60"}])
    shop.call("order.process", spend)
    shop.call("order.refund", refund(spend["order_id"], line(1, -1, "10.00"), order_id=new_id("BACK")))
    shop.call("card.adjust", {"partner_id": partner, "program_id": 1, "points": -50, "reason": "taken"})
    shop.call("order.cancel", {"order_id": sale["order_id"]})
    shop.call("order.process", order(partner, line(1, 1, "80.00")))
    rows = shop.call("card.history", {"partner_id": partner, "program_id": 1})["history"][::-1]
    assert [(one["kind"], one["points"], one["balance"], one["debt"]) for one in rows] == [
        ("earn", "100.00", "100.00", "0.00"),
        ("earn", "10.00", "110.00", "0.00"),
        ("redeem", "-60.00", "50.00", "0.00"),
        ("give_back", "60.00", "110.00", "0.00"),
        ("take_back", "-10.00", "100.00", "0.00"),
        ("adjust", "-50.00", "50.00", "0.00"),
        ("take_back", "-50.00", "0.00", "50.00"),
        ("earn", "80.00", "80.00", "50.00"),
        ("debt_paid", "-50.00", "30.00", "0.00"),
    ]
    assert [one["seq"] for one in rows] == list(range(1, 10))
    for one in rows:
        assert set(one) == {"seq", "kind", "points", "balance", "debt", "time", "level", "reason" if one["kind"] == "adjust" else "order_id"}
    total = sum(Decimal(one["points"]) for one in rows)
    assert str(total) == shop.call("card.balance", {"partner_id": partner, "program_id": 1})["balance"]


def test_a_member_without_cards(shop):
    partner = new_partner()
    shop.call("order.process", order(partner))
    stranger = new_partner()
    with refused("not_found"):
        shop.call("card.get", {"partner_id": stranger})
    with refused("not_found"):
        shop.call("card.adjust", {"partner_id": stranger, "points": 1, "reason": "x"})
    with refused("not_found"):
        shop.call("card.get", {"partner_id": partner, "program_id": 2})
    with refused("not_found", path="program_id"):
        shop.call("card.create", {"program_id": 777})
