"""Rule 35: a late order has the lots that were alive at its date, also those that were booked as expired since."""

import datetime

import pytest

from harness import Engine
from shop import line, loyalty_program, new_partner, order, refund

UTC = datetime.timezone.utc
VOUCHER = [{"program_id": 1, "reward_id": 2}]  # 50 points: 5.00
DAYS = 5  # that points live


@pytest.fixture(scope="module", params=[1, 8], ids=["buckets=1", "buckets=8"])
def shop(request):
    with Engine(buckets=request.param) as engine:
        engine.call("reference.put", {"products": [{"product_id": 1}]})
        engine.call("program.put", loyalty_program(expiry={"policy": "days", "count": DAYS}))
        engine.query("UPDATE catalog_versions SET created_at = created_at - interval '20 days' WHERE version > 1")
        yield engine
        engine.assert_ledger_holds()


def ago(**time):
    return (datetime.datetime.now(UTC) - datetime.timedelta(**time)).isoformat()


def book(shop):
    while not shop.call("job.run", {"job": "expire"})["done"]:
        pass


def member(shop, spent="120.00", booked=True):
    """A member whose points ran out a day ago."""
    partner = new_partner()
    shop.call("order.process", order(partner, line(price=spent), date=ago(days=DAYS + 1), **{"import": True}))
    if booked:
        book(shop)
    assert balance(shop, partner) == "0.00"
    return partner


def balance(shop, partner):
    return shop.call("card.balance", {"partner_id": partner, "program_id": 1})["balance"]


def history(shop, partner):
    page = shop.call("card.history", {"partner_id": partner, "program_id": 1})["history"]
    return [(row["kind"], row["points"], row["balance"], row["debt"]) for row in reversed(page)]


def late_order(shop, partner, days=2, price="10.00", **fields):
    answer = shop.call("order.process", order(partner, line(price=price), date=ago(days=days), **dict({"claims": VOUCHER}, **fields)))
    assert answer["late"] and answer["warnings"] == []
    return answer


def test_a_lot_booked_since_pays_and_its_expiry_is_taken_back(shop):
    partner = member(shop)
    late = late_order(shop, partner)
    assert late["claims"][0]["ok"] and (late["amount_total"], late["points_redeemed"]) == ("5.00", "50.00")
    assert late["final_balance"] == "80.00"  # as it was then: 120 - 50 + 10
    assert history(shop, partner)[1:] == [
        ("expire", "-120.00", "0.00", "0.00"),
        ("earn", "10.00", "10.00", "0.00"),
        ("unexpire", "50.00", "60.00", "0.00"),
        ("redeem", "-50.00", "10.00", "0.00"),
    ]
    assert balance(shop, partner) == "10.00"  # as it is: the rest of that lot is expired, the order's points live on
    assert shop.call("order.get", {"order_id": late["order_id"]}) == late
    assert shop.call("order.explain", {"order_id": late["order_id"]})["same"] is True
    late_order(shop, partner)
    assert history(shop, partner)[-2:] == [("unexpire", "50.00", "70.00", "0.00"), ("redeem", "-50.00", "20.00", "0.00")]
    states = shop.query("SELECT m.state, m.remaining FROM point_moves m JOIN loyalty_cards c USING (bucket, card_id) "
                        "WHERE c.partner_id = %s AND m.lot_no = 1", (partner,))  # fmt: skip
    assert states == [(3, 2000)]


def test_a_lot_that_is_not_booked_yet_pays_alike(shop):
    booked, not_booked = member(shop), member(shop, booked=False)
    one, other = late_order(shop, booked), late_order(shop, not_booked)
    for name in ("amount_total", "points_redeemed", "points_earned", "final_balance"):
        assert one[name] == other[name]
    book(shop)
    assert balance(shop, booked) == balance(shop, not_booked) == "10.00"
    assert [row for row in history(shop, not_booked) if row[0] == "unexpire"] == []
    lots = "SELECT state, remaining FROM point_moves JOIN loyalty_cards USING (bucket, card_id) WHERE partner_id = %s ORDER BY lot_no"
    assert shop.query(lots.replace("state", "point_moves.state"), (booked,)) == shop.query(lots.replace("state", "point_moves.state"), (not_booked,))


def test_used_up_it_is_depleted_and_the_next_owes(shop):
    partner = member(shop, spent="60.00")
    late_order(shop, partner, auto_claim=False)
    assert balance(shop, partner) == "10.00"
    answer = shop.call("order.process", order(partner, line(price="10.00"), date=ago(days=2), claims=VOUCHER))
    assert answer["claims"][0]["ok"] and answer["points"][0]["debt"] == "20.00"
    assert history(shop, partner)[-2:] == [("unexpire", "10.00", "30.00", "0.00"), ("redeem", "-30.00", "0.00", "20.00")]


def test_what_ran_out_before_its_date_is_gone(shop):
    partner = member(shop)
    answer = shop.call("order.process", order(partner, line(price="10.00"), date=ago(hours=20), claims=VOUCHER))
    assert answer["late"] and answer["points_redeemed"] == "10.00" and answer["points"][0]["debt"] == "40.00"
    assert history(shop, partner)[-1] == ("redeem", "-10.00", "0.00", "40.00")


def test_what_was_gained_after_its_date_is_not_used(shop):
    partner = member(shop, spent="30.00")
    shop.call("card.adjust", {"partner_id": partner, "program_id": 1, "points": "500", "reason": "gift"})
    answer = shop.call("order.process", order(partner, line(price="10.00"), date=ago(days=2), claims=VOUCHER))
    assert answer["points"][0]["debt"] == "10.00"
    assert history(shop, partner)[-2:] == [("unexpire", "30.00", "540.00", "0.00"), ("redeem", "-40.00", "500.00", "10.00")]


def test_a_quote_of_then_counts_it_too(shop):
    partner = member(shop)
    quoted = shop.call("order.quote", order(partner, line(price="10.00"), at=ago(days=2), claims=VOUCHER))
    assert quoted["claims"][0]["ok"] and quoted["final_balance"] == "80.00"
    assert balance(shop, partner) == "0.00" and len(history(shop, partner)) == 2
    quoted = shop.call("order.quote", order(partner, line(price="10.00"), claims=VOUCHER))
    assert not quoted["claims"][0]["ok"]


def test_refunded_or_cancelled_it_runs_out_again(shop):
    partner = member(shop)
    late = late_order(shop, partner)
    shop.call("order.refund", refund(late["order_id"], line(price="10.00", qty=-1)))
    assert [row[:2] for row in history(shop, partner)[-3:]] == [("give_back", "50.00"), ("expire", "-50.00"), ("take_back", "-10.00")]
    assert balance(shop, partner) == "0.00"
    late = late_order(shop, partner)
    shop.call("order.cancel", {"order_id": late["order_id"]})
    assert balance(shop, partner) == "0.00" and history(shop, partner)[-1][2:] == ("0.00", "0.00")


def test_a_late_return_takes_back_what_ran_out_since_instead_of_a_debt(shop):
    partner = new_partner()
    sold = shop.call("order.process", order(partner, line(price="80.00"), date=ago(days=DAYS + 1), **{"import": True}))
    book(shop)
    back = shop.call("order.refund", refund(sold["order_id"], line(price="80.00", qty=-1), date=ago(days=2)))
    assert back["late"]
    assert history(shop, partner)[-2:] == [("unexpire", "80.00", "80.00", "0.00"), ("take_back", "-80.00", "0.00", "0.00")]
    now = shop.call("order.process", order(partner, line(price="80.00"), date=ago(days=DAYS + 1), **{"import": True}))
    book(shop)
    shop.call("order.refund", refund(now["order_id"], line(price="80.00", qty=-1)))
    assert history(shop, partner)[-1] == ("take_back", "0.00", "0.00", "80.00")  # of today: the points are gone, and owed


def test_history_that_is_imported_in_order_finds_its_lots_though_a_job_ran_between(shop):
    """The clock of an import is its dates: what ran out by the real one in between is there for it."""
    partner = new_partner()
    imported = {"import": True}
    shop.call("order.process", order(partner, line(price="60.00"), date=ago(days=100), **imported))
    book(shop)
    paid = shop.call("order.process", order(partner, line(price="10.00"), date=ago(days=97), claims=VOUCHER, **imported))
    assert paid["claims"][0]["ok"] and paid["late"] is False and paid["final_balance"] == "20.00"
    assert balance(shop, partner) == "0.00"
