"""Rule 35: orders that were paid for already. Nothing of them is refused: the rewards given stand, their points are booked, what is
missing is owed, and each difference is told once."""

import concurrent.futures
import datetime

import pytest

from shop import line, loyalty_program, new_id, new_partner, order, promotion, refund, refused, written

POINTS, LIMITED, DEAR, CODED, GIFT, COUPON, BUDGET = 1, 71, 72, 73, 74, 75, 76
VOUCHER = [{"program_id": POINTS, "reward_id": 2}]  # 5.00 off for 50 points
NO_MORE = "2020-01-01"
ALERT = 10


@pytest.fixture(scope="module")
def shop(engine):
    engine.call("reference.put", {"products": [{"product_id": 1}, {"product_id": 2}]})
    engine.call("program.put", loyalty_program(POINTS))
    # Each of these only where a claim asks for it.
    engine.call("program.put", code_program(LIMITED, "ONCE", "10", max_usage_per_customer=1))
    engine.call("program.put", code_program(DEAR, "DEAR", "20", rules=[{"mode": "with_code", "code": "DEAR", "minimum_amount": "500.00"}]))
    engine.call("program.put", code_program(CODED, "OVER", "30", date_to=NO_MORE))
    engine.call("program.put", code_program(BUDGET, "CHEST", "50", budget="8.00"))
    engine.call("program.put", {"program_id": GIFT, "name": "Gift cards", "program_type": "gift_card", "applies_on": "future",
                                "rules": [{"product_ids": [2], "reward_point_mode": "money", "reward_point_amount": 1, "reward_point_split": True}],
                                "rewards": [{"discount_mode": "per_point", "discount": "1.00"}]})  # fmt: skip
    engine.call("program.put", {"program_id": COUPON, "name": "Coupons", "program_type": "coupons", "trigger": "with_code",
                                "rules": [{}], "rewards": [{"discount": "10", "required_points": 1}]})  # fmt: skip
    engine.query("UPDATE catalog_versions SET created_at = created_at - interval '20 days'")  # late orders find it so
    return engine


def code_program(program_id, code, percent, **fields):
    return promotion(program_id, percent, **{"program_type": "promo_code", "trigger": "with_code",
                                             "rules": [{"mode": "with_code", "code": code}], **fields})  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def ledger_holds(engine):
    yield
    engine.assert_ledger_holds()


def paid(shop, partner, charged, *lines, **fields):
    body = order(partner, *lines, paid=True, charged_total=charged, **fields)
    return shop.call("order.process", body)


def texts(reply, kind="difference"):
    return [warning["text"] for warning in reply["warnings"] if warning["kind"] == kind]


def alerts_of(shop, order_id):
    return shop.query(
        f"SELECT count(*) FROM changes JOIN orders USING (order_ref) JOIN request_keys USING (order_ref) WHERE topics & {1 << (ALERT - 1)} > 0 AND key = '{order_id}'"
    )[0][0]


def card_of(shop, partner, program=POINTS):
    return shop.call("card.get", {"partner_id": partner, "program_id": program})


def kinds(shop, card):
    return [(row["kind"], row["points"]) for row in shop.call("card.history", {"card_id": card["card_id"]})["history"]]


def new_member(shop, points="100"):
    return shop.call("card.create", {"program_id": POINTS, "partner_id": new_partner(), "points": points})["partner_id"]


def test_rule_35_what_agrees_is_as_any_other_order(shop):
    partner = new_member(shop)
    done = paid(shop, partner, "5.00", claims=VOUCHER)
    assert (done["amount_total"], done["charged_total"], done["points_redeemed"], done["late"]) == ("5.00", "5.00", "50.00", False)
    assert done["warnings"] == [] and alerts_of(shop, done["order_id"]) == 0
    assert shop.call("order.get", {"order_id": done["order_id"]}) == done


def test_rule_35_another_total(shop):
    done = paid(shop, new_partner(), "9.37")
    assert (done["amount_total"], done["charged_total"]) == ("10.00", "9.37")
    assert texts(done) == ["amount_total: charged 9.37, comes to 10.00"]
    assert alerts_of(shop, done["order_id"]) == 1
    # Without `paid`, a total that was charged says the same.
    done = shop.call("order.process", order(new_partner(), charged_total="1.00"))
    assert texts(done) == ["amount_total: charged 1.00, comes to 10.00"]


def test_rule_35_an_expected_total_does_not_stop_it(shop):
    done = shop.call("order.process", order(new_partner(), paid=True, expected_total="3.00"))
    assert texts(done) == ["amount_total: expected 3.00, evaluated 10.00"] and alerts_of(shop, done["order_id"]) == 1
    done = paid(shop, new_partner(), "10.00", expected_total="3.00")
    assert texts(done) == [], "what was charged counts, not what was expected"


def test_rule_35_missing_points_are_owed_and_paid_by_the_next(shop):
    partner = new_member(shop, "30")
    body = order(partner, line(price="5.00"), paid=True, charged_total="0.00", claims=VOUCHER)
    done = shop.call("order.process", body)
    card = card_of(shop, partner)
    assert (done["amount_total"], done["points_redeemed"], done["final_balance"]) == ("0.00", "35.00", "0.00")
    assert texts(done) == [f"points of card {card['card_id']}: cost 50.00, were there 35.00"]
    assert (card["balance"], card["debt"], done["points"][0]["debt"]) == ("0.00", "15.00", "15.00")
    assert done["claims"][0]["ok"] is True and done["discounts"][0]["points_cost"] == "50.00"
    assert kinds(shop, card)[:2] == [("redeem", "-35.00"), ("earn", "5.00")]
    assert shop.call("order.explain", {"order_id": body["order_id"]})["same"] is True
    # What owes pays for nothing until it is paid.
    with refused("claim_refused", reason="not_enough_points"):
        shop.call("order.process", order(partner, line(price="60.00"), claims=VOUCHER))
    after = shop.call("order.process", order(partner, line(price="20.00")))
    assert (after["points_earned"], after["final_balance"], after["points"][0]["debt"]) == ("20.00", "5.00", "0.00")
    assert kinds(shop, card)[:2] == [("debt_paid", "-15.00"), ("earn", "20.00")], "a row of its own"
    # Sent again, it is answered again, and told once.
    assert shop.call("order.process", body) == dict(done, replayed=True)
    assert alerts_of(shop, body["order_id"]) == 1


def test_rule_35_a_member_who_has_no_card(shop):
    partner = new_partner()
    done = paid(shop, partner, "5.00", claims=VOUCHER)
    card = card_of(shop, partner)
    assert (done["amount_total"], done["points_redeemed"], card["balance"], card["debt"]) == ("5.00", "10.00", "0.00", "40.00")
    assert done["cards"][0]["card_id"] == card["card_id"]
    assert any(text.startswith(f"points of card {card['card_id']}: cost 50.00") for text in texts(done))


def test_rule_35_refunding_it_pays_its_debt(shop):
    partner = new_member(shop, "30")
    done = paid(shop, partner, "0.00", line(price="5.00"), claims=VOUCHER)
    assert card_of(shop, partner)["debt"] == "15.00"
    back = shop.call("order.refund", refund(done["order_id"], line(qty=-1, price="5.00")))
    card = card_of(shop, partner)
    assert back["restored"] == [{"card_id": card["card_id"], "points": "50.00"}]
    assert (card["balance"], card["debt"]) == ("30.00", "0.00"), "as before the order"


def test_rule_35_refunding_it_when_its_debt_was_paid(shop):
    partner = new_member(shop, "30")
    done = paid(shop, partner, "0.00", line(price="5.00"), claims=VOUCHER)
    shop.call("order.process", order(partner, line(price="40.00")))
    assert (card_of(shop, partner)["balance"], card_of(shop, partner)["debt"]) == ("25.00", "0.00")
    for _ in range(2):
        shop.call("order.refund", refund(done["order_id"], line(qty="-0.5", price="5.00")))
    card = card_of(shop, partner)
    assert (card["balance"], card["debt"]) == ("70.00", "0.00"), "30 there were, and 40 earned since"


def test_rule_35_cancelling_it(shop):
    partner = new_member(shop, "30")
    done = paid(shop, partner, "0.00", line(price="5.00"), claims=VOUCHER)
    undone = shop.call("order.cancel", {"order_id": done["order_id"]})
    card = card_of(shop, partner)
    assert (undone["charged_total"], card["balance"], card["debt"]) == ("0.00", "30.00", "0.00")


def test_rule_35_limits_are_passed(shop):
    partner = new_partner()
    claims = [{"code": "ONCE"}]
    assert paid(shop, partner, "9.00", claims=claims)["warnings"] == []
    with refused("limit_reached", limit="max_usage_per_customer"):
        shop.call("order.process", order(partner, claims=claims))
    done = paid(shop, partner, "9.00", claims=claims)
    assert (done["amount_total"], done["claims"][0]["ok"], texts(done)) == ("9.00", True, [])
    assert len(texts(done, "over_limit")) == 1 and str(LIMITED) in texts(done, "over_limit")[0]
    assert alerts_of(shop, done["order_id"]) == 1
    used = shop.query(f"SELECT used FROM program_usage WHERE program_id = {LIMITED} AND subject = {partner}")
    assert used == [(2,)], "counted all the same"


def test_rule_35_a_budget_is_passed(shop):
    for number, over in enumerate((False, True)):
        done = paid(shop, new_partner(), "5.00", claims=[{"code": "CHEST"}])
        assert (done["amount_total"], bool(texts(done, "over_limit"))) == ("5.00", over), number


def test_rule_35_a_rule_that_does_not_hold(shop):
    with refused("claim_refused"):
        shop.call("order.process", order(new_partner(), claims=[{"code": "DEAR"}]))
    done = paid(shop, new_partner(), "8.00", claims=[{"code": "DEAR"}])
    assert (done["amount_total"], done["claims"][0]["ok"]) == ("8.00", True)
    assert [text.startswith("claims[0]: ") for text in texts(done)] == [True]


def test_rule_35_a_program_that_is_over(shop):
    with refused("claim_refused", reason="after_date_to"):
        shop.call("order.process", order(new_partner(), claims=[{"code": "OVER"}]))
    done = paid(shop, new_partner(), "7.00", claims=[{"code": "OVER"}])
    assert (done["amount_total"], done["claims"][0]["ok"]) == ("7.00", True)
    assert len(texts(done)) == 1 and alerts_of(shop, done["order_id"]) == 1


def test_rule_35_what_cannot_be_known_is_told(shop):
    claims = [{"code": "NO-SUCH-CODE"}, {"program_id": 999}, {"program_id": POINTS, "reward_id": 9}]
    done = paid(shop, new_partner(), "1.00", claims=claims, cards=["NO-SUCH-CARD"])
    assert [claim["ok"] for claim in done["claims"]] == [False] * 3
    told = texts(done)
    assert [text.split(":")[0] for text in sorted(told)] == ["amount_total", "cards[0]", "claims[0]", "claims[1]", "claims[2]"]
    assert alerts_of(shop, done["order_id"]) == 1, "one alert for all of them"


def test_rule_35_a_blocked_card(shop):
    partner = new_member(shop)
    card = card_of(shop, partner)
    shop.call("card.block", {"card_id": card["card_id"], "reason": "lost"})
    done = paid(shop, partner, "5.00", claims=VOUCHER, cards=[card["card_id"]])
    assert (done["amount_total"], done["claims"][0]["ok"]) == ("5.00", True)
    assert card_of(shop, partner)["balance"] == "50.00", "spent, and nothing earned"
    assert len(texts(done)) == 1


def test_rule_35_a_coupon_that_was_used(shop):
    code = shop.call("card.create", {"program_id": COUPON, "points": 1})["code"]
    assert paid(shop, None, "9.00", claims=[{"code": code}])["warnings"] == []
    with refused("code_used"):
        shop.call("order.process", order(claims=[{"code": code}]))
    done = paid(shop, None, "9.00", claims=[{"code": code}])
    assert (done["amount_total"], done["points"][0]["debt"]) == ("9.00", "1.00")
    assert len(texts(done)) == 2 and alerts_of(shop, done["order_id"]) == 1


def test_rule_35_a_gift_card_that_was_emptied_elsewhere(shop):
    card = shop.call("card.create", {"program_id": GIFT, "points": "10.00"})
    claim = [{"code": card["code"], "points": "10.00"}]
    first = paid(shop, None, "0.00", claims=claim)
    assert (first["amount_total"], first["warnings"]) == ("0.00", [])
    second = paid(shop, None, "0.00", claims=claim)
    assert (second["amount_total"], second["points"][0]["debt"]) == ("0.00", "10.00"), second
    assert alerts_of(shop, second["order_id"]) == 1


def test_rule_35_a_return_that_was_paid_out(shop):
    """A sold gift card that was spent refuses its return; one that was made already is booked."""
    code = new_id("PRINTED")
    sold = order(None, line(2, 1, "20.00", gift_code=code))
    shop.call("order.process", sold)
    shop.call("card.adjust", {"code": code, "points": "-15", "reason": "spent"})
    back = refund(sold["order_id"], line(2, -1, "20.00"))
    with refused("insufficient_points"):
        shop.call("order.refund", back)
    done = shop.call("order.refund", dict(back, paid=True))
    card = shop.call("card.get", {"code": code})
    assert done["shortfall"] == [{"card_id": card["card_id"], "points": "15.00", "became": "debt"}]
    assert texts(done) == [f"points of card {card['card_id']}: to be taken back 20.00, were there 5.00"]
    assert (card["balance"], card["debt"]) == ("0.00", "15.00") and alerts_of(shop, done["order_id"]) == 1


def test_rule_35_a_late_order_is_forgiven_alike(shop):
    partner = new_member(shop, "30")
    hours_ago = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=2)).isoformat()
    body = order(partner, line(price="5.00"), date=hours_ago, claims=VOUCHER)
    done = shop.call("order.process", body)
    assert (done["late"], done["amount_total"]) == (True, "0.00")
    # The 30 points came after it.
    assert (done["points_redeemed"], done["points"][0]["debt"]) == ("5.00", "45.00")
    assert alerts_of(shop, body["order_id"]) == 1


def test_a_quote_of_it_writes_nothing(shop):
    partner = new_member(shop, "30")
    before = written(shop)
    quoted = shop.call("order.quote", order(partner, line(price="5.00"), paid=True, charged_total="1.00", claims=VOUCHER))
    assert len(texts(quoted)) == 2 and written(shop) == before


def test_what_is_no_order_is_refused_all_the_same(shop):
    before = written(shop)
    for path, fields in (("lines[0].qty", {"lines": [line(qty=0)]}), ("currency", {"currency": "USD"}),
                         ("lines[0].card", {"lines": [line(card="NO-SUCH-CARD")]})):  # fmt: skip
        with refused("not_found" if path == "lines[0].card" else "invalid_request", path=path):
            shop.call("order.process", dict(order(new_partner(), paid=True), **fields))
    assert written(shop) == before


def test_two_tills_sold_for_the_same_points(shop):
    """Both sales stand: one has the points, the other owes them."""
    for _ in range(4):
        partner = new_member(shop, "50")
        bodies = [order(partner, line(price="5.00"), paid=True, charged_total="0.00", claims=VOUCHER) for _ in range(2)]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            done = list(pool.map(lambda body: shop.call("order.process", body), bodies))
        assert [reply["amount_total"] for reply in done] == ["0.00", "0.00"]
        assert sorted(len(texts(reply)) for reply in done) == [0, 1]
        card = card_of(shop, partner)
        assert (card["balance"], card["debt"]) == ("0.00", "40.00")
