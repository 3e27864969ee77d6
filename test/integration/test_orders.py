"""Orders end to end: what they come out as, to the cent, and what is written of them."""

from decimal import Decimal

import pytest

from raw_client import RawClient, error_of
from shop import TWENTY, Programs, line, loyalty_program, new_id, new_partner, order, promotion, refund, refused, total, written

HEAD = {
    "order_id", "replayed", "catalog_version", "late", "date", "amount_untaxed", "amount_tax", "amount_total",
    "points_earned", "points_redeemed", "final_balance",
}  # fmt: skip
ANSWER = HEAD | {"taxes", "lines", "discounts", "claims", "points", "cards", "referrals", "membership", "hints", "warnings"}
RETURNS = {"restored", "shortfall", "uncovered", "give_back"}

WINE = 20  # ten percent off, by program 2


@pytest.fixture(scope="module")
def shop(engine):
    """The engine with a loyalty program, an automatic promotion on one product, and what they refer to."""
    engine.call("reference.put", {
        "categories": [{"category_id": 1, "name": "Drinks"}, {"category_id": 2, "name": "Wine", "parent_id": 1}],
        "products": [{"product_id": number, "name": f"Product {number}"} for number in range(1, 10)]
        + [{"product_id": WINE, "name": "Wine", "category_id": 2, "tags": ["red"]}],
    })  # fmt: skip
    engine.call("program.put", loyalty_program())
    engine.call("program.put", promotion(2, 10, rules=[{"product_ids": [WINE]}], rewards=[
        {"discount": 10, "discount_applicability": "specific", "discount_product_ids": [WINE]}]))  # fmt: skip
    return engine


@pytest.fixture(scope="module", autouse=True)
def ledger_holds(engine):
    yield
    engine.assert_ledger_holds()


def balance(engine, partner, program=1):
    return engine.call("card.balance", {"partner_id": partner, "program_id": program})["balance"]


# What an order comes out as


def test_the_answer_has_the_fields_of_the_protocol(shop):
    partner = new_partner()
    sale = order(partner, line(7, 20, "12.50", taxes=[TWENTY]))
    quote = shop.call("order.quote", dict(sale, explain=True))
    done = shop.call("order.process", sale)
    again = shop.call("order.process", sale)
    back = shop.call("order.refund", refund(sale["order_id"], line(7, -1, "12.50", taxes=[TWENTY])))
    assert set(quote) == ANSWER | {"rejected"}
    assert set(done) == set(again) == ANSWER
    assert set(back) == ANSWER | RETURNS
    assert set(done["lines"][0]) == {"line_id", "product_id", "qty", "amount_untaxed", "amount_tax", "amount_total", "discount"}
    assert set(done["points"][0]) == {"card_id", "program_id", "earned", "redeemed", "balance", "debt", "expires"}
    assert set(done["cards"][0]) == {"card_id", "program_id", "code", "points", "expires"}
    assert set(done["taxes"][0]) == {"tax_id", "amount"}


def test_the_example_of_the_protocol_to_the_cent(shop):
    """20 x 12.50 with 20 % included: first bought, then bought again with 100 points for a cent each."""
    partner = new_partner()
    first = shop.call("order.process", order(partner, line(7, 20, "12.50", taxes=[TWENTY])))
    assert (first["amount_untaxed"], first["amount_tax"], first["amount_total"]) == ("208.33", "41.67", "250.00")
    assert (first["points_earned"], first["points_redeemed"], first["final_balance"]) == ("250.00", "0.00", "250.00")
    card = first["cards"][0]
    assert (card["program_id"], card["points"], card["expires"]) == (1, "250.00", None)

    claim = {"program_id": 1, "reward_id": 1, "points": "100"}
    second = shop.call("order.process", order(partner, line(7, "20", "12.50", taxes=[TWENTY]), claims=[claim], meta={"till": "front"}))
    assert (second["amount_untaxed"], second["amount_tax"], second["amount_total"]) == ("207.50", "41.50", "249.00")
    assert (second["points_earned"], second["points_redeemed"], second["final_balance"]) == ("250.00", "100.00", "400.00")
    assert second["taxes"] == [{"tax_id": 1, "amount": "41.50"}]
    assert second["lines"] == [{"line_id": "0", "product_id": 7, "qty": "20", "amount_untaxed": "207.50",
                                "amount_tax": "41.50", "amount_total": "249.00", "discount": "1.00"}]  # fmt: skip
    assert second["discounts"] == [{
        "layer": "discount", "program_id": 1, "rule_id": 1, "reward_id": 1, "card_id": card["card_id"],
        "code": card["code"], "points_cost": "100.00", "amount": "1.00",
        "lines": [{"line_id": "0", "product_id": 7, "qty": "0", "amount": "1.00"}],
        "taxes": [{"tax_id": 1, "amount": "0.17"}],
    }]  # fmt: skip
    assert second["claims"] == [{"index": 0, "ok": True, "code": None, "program_id": 1, "reward_id": 1, "reason": None,
                                 "text": None, "discount": 0, "replaced_by": None}]  # fmt: skip
    assert second["points"] == [{"card_id": card["card_id"], "program_id": 1, "earned": "250.00", "redeemed": "100.00",
                                 "balance": "400.00", "debt": "0.00", "expires": None}]  # fmt: skip
    assert second["cards"] == [] and second["warnings"] == [] and second["meta"] == {"till": "front"}
    assert balance(shop, partner) == "400.00"


def test_a_quote_is_what_processing_gives_and_writes_nothing(shop):
    partner = new_partner()
    sale = order(partner, line(WINE, 3, "9.99", taxes=[TWENTY]), line(2, "1.5", "4.10", discount=5))
    before = written(shop)
    quote = shop.call("order.quote", sale)
    assert written(shop) == before
    done = shop.call("order.process", sale)
    same = ANSWER - {"date", "points", "cards", "replayed"}
    assert {name: quote[name] for name in same} == {name: done[name] for name in same}
    # 29.97 less 10 % is 26.97; 1.5 x 4.10 less 5 % is 5.84.
    assert (done["amount_total"], done["points_earned"]) == ("32.81", "32.81")
    # A card that would be made has no number and no code yet.
    assert quote["points"] == [dict(done["points"][0], card_id=None)]
    assert quote["cards"] == [dict(done["cards"][0], card_id=None, code=None)]


def test_a_quote_may_be_asked_any_number_of_times(shop):
    body = order(new_partner())
    assert [shop.call("order.quote", body)["replayed"] for _ in range(3)] == [False] * 3
    with refused("not_found"):
        shop.call("order.get", {"order_id": body["order_id"]})


def test_get_answers_as_process_did(shop):
    sale = order(new_partner(), line(WINE, 2, "5.00"), line(3, 1, "1.99"), meta={"a": [1, 2.5, None, {"b": "é"}]}, reference="R-17")
    done = shop.call("order.process", sale)
    assert shop.call("order.get", {"order_id": sale["order_id"]}) == done
    with refused("not_found"):
        shop.call("order.get", {"order_id": new_id()})


def test_an_order_id_may_be_a_number(shop):
    done = shop.call("order.process", order(order_id=4711))
    assert done["order_id"] == "4711"
    assert shop.call("order.get", {"order_id": "4711"}) == done
    assert shop.call("order.process", order(order_id="4711"))["replayed"] is True


def test_taxes_in_every_form(shop):
    taxes = [{"id": 1, "amount": "10", "included": True, "affects_base": True}, {"id": 2, "amount": "5"},
             {"id": 3, "amount_type": "fixed", "amount": "0.25"}]  # fmt: skip
    done = shop.call("order.quote", order(None, line(1, 4, "11.00", taxes=taxes)))
    # 44.00 with 10 % in it is 40.00 + 4.00; 5 % of 44.00 on top is 2.20; 4 units at 0.25 are 1.00.
    assert done["taxes"] == [{"tax_id": 1, "amount": "4.00"}, {"tax_id": 2, "amount": "2.20"}, {"tax_id": 3, "amount": "1.00"}]
    assert (done["amount_untaxed"], done["amount_tax"], done["amount_total"]) == ("40.00", "7.20", "47.20")


def test_taxes_are_rounded_per_line_or_once(shop):
    lines = [line(number, 1, "0.03", taxes=[{"id": 1, "amount": "20"}]) for number in (1, 2, 3)]  # 0.006 each
    assert shop.call("order.quote", order(None, *lines))["amount_tax"] == "0.03"
    assert shop.call("order.quote", order(None, *lines, tax_rounding="global"))["amount_tax"] == "0.02"


def test_parts_add_up_to_the_whole(shop):
    lines = [line(WINE if number % 3 else number % 9 + 1, number % 4 + 1, f"{number * 37 % 1000}.{number % 100:02}", taxes=[TWENTY])
             for number in range(1, 61)]  # fmt: skip
    done = shop.call("order.process", order(new_partner(), *lines))
    for name in ("amount_untaxed", "amount_tax", "amount_total"):
        assert total(one[name] for one in done["lines"]) == Decimal(done[name])
    assert total(one["amount"] for one in done["taxes"]) == Decimal(done["amount_tax"])
    for discount in done["discounts"]:
        assert total(part["amount"] for part in discount["lines"]) == Decimal(discount["amount"])
    assert total(one["discount"] for one in done["lines"]) == total(one["amount"] for one in done["discounts"])


def test_100_percent_off_leaves_nothing(shop):
    partner = new_partner()
    shop.call("order.process", order(partner, line(1, 1, "5000.00")))
    done = shop.call("order.process", order(partner, line(1, 3, "3.33", taxes=[TWENTY]), claims=[{"program_id": 1, "reward_id": 1}]))
    assert (done["amount_untaxed"], done["amount_tax"], done["amount_total"]) == ("0.00", "0.00", "0.00")
    assert (done["points_redeemed"], done["points_earned"], done["final_balance"]) == ("999.00", "9.99", "4010.99")


def test_line_ids_are_kept_or_made(shop):
    done = shop.call("order.quote", order(None, line(1), line(2, line_id="x"), line(3, line_id=7)))
    assert [one["line_id"] for one in done["lines"]] == ["0", "x", "7"]
    with refused("invalid_request", path="lines[1].line_id"):
        shop.call("order.quote", order(None, line(1, line_id="x"), line(2, line_id="x")))
    with refused("invalid_request", path="lines[1].line_id"):  # the second is called 1 where it says nothing
        shop.call("order.quote", order(None, line(1, line_id="1"), line(2)))


def test_a_thousand_lines(shop):
    lines = [line(number % 9 + 1, 1, "0.01") for number in range(1000)]
    done = shop.call("order.process", order(new_partner(), *lines))
    assert (len(done["lines"]), done["amount_total"], done["final_balance"]) == (1000, "10.00", "10.00")
    with refused("too_large", path="lines"):
        shop.call("order.process", order(None, *lines, line(1)))


# Claims


def test_a_refused_claim_fails_the_order_unless_it_says_skip(shop):
    partner = new_partner()
    shop.call("order.process", order(partner, line(1, 1, "20.00")))
    claims = [{"program_id": 1, "reward_id": 1, "points": "10"}, {"program_id": 1, "reward_id": 2}]
    sale = order(partner, line(1, 1, "8.00"), claims=claims)
    before = written(shop)
    with refused("claim_refused", reason="not_enough_points", claim="1"):
        shop.call("order.process", sale)
    assert written(shop) == before
    quote = shop.call("order.quote", sale)
    assert [(one["ok"], one["reason"]) for one in quote["claims"]] == [(True, None), (False, "not_enough_points")]
    done = shop.call("order.process", dict(sale, on_refused="skip"))
    assert (done["amount_total"], done["points_redeemed"], done["final_balance"]) == ("7.90", "10.00", "18.00")
    assert done["claims"][1]["text"]


@pytest.mark.parametrize(
    "claim, reason",
    [
        ({"program_id": 999}, "unknown_program"),
        ({"program_id": 1, "reward_id": 999}, "unknown_reward"),
        ({"program_id": 1}, "ambiguous_reward"),
        ({"card": "NO-SUCH-CARD"}, "unknown_card"),
        ({"program_id": 1, "reward_id": 1, "card": 123456}, "unknown_card"),
        ({"program_id": 2, "reward_id": 1}, "no_matching_product"),
        ({"program_id": 1, "reward_id": 1}, "no_member"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_why_a_claim_is_refused(shop, claim, reason):
    with refused("claim_refused", reason=reason, claim="0"):
        shop.call("order.process", order(None, claims=[claim]))


def test_points_of_the_order_pay_for_its_own_reward(shop):
    """Rule 7: usable now is what the card has and what this order earns."""
    done = shop.call("order.process", order(new_partner(), line(1, 1, "60.00"), claims=[{"program_id": 1, "reward_id": 2}]))
    # The 5.00 of its own program do not lower what is earned: 60, of which 50 are spent.
    assert (done["amount_total"], done["points_earned"], done["points_redeemed"], done["final_balance"]) == (
        "55.00", "60.00", "50.00", "10.00")  # fmt: skip


def test_auto_claim_can_be_switched_off(shop):
    assert shop.call("order.quote", order(None, line(WINE, 1, "10.00")))["amount_total"] == "9.00"
    assert shop.call("order.quote", order(None, line(WINE, 1, "10.00"), auto_claim=False))["amount_total"] == "10.00"
    claimed = order(None, line(WINE, 1, "10.00"), auto_claim=False, claims=[{"program_id": 2}])
    assert shop.call("order.quote", claimed)["amount_total"] == "9.00"


def test_another_members_card_is_not_for_this_order(shop):
    owner, stranger = new_partner(), new_partner()
    card = shop.call("order.process", order(owner, line(1, 1, "100.00")))["cards"][0]
    claim = {"program_id": 1, "reward_id": 1, "card": card["card_id"]}
    with refused("claim_refused", reason="unknown_card"):
        shop.call("order.process", order(stranger, claims=[claim]))
    with refused("not_found", path="cards[0]"):
        shop.call("order.process", order(stranger, cards=[card["code"]]))
    with refused("not_found", path="cards[0]"):
        shop.call("order.process", order(None, cards=[card["card_id"]]))
    assert shop.call("order.process", order(owner, cards=[card["code"]], claims=[claim]))["amount_total"] == "8.90"


def test_explain_says_what_did_not_apply(shop):
    shop.call("program.put", promotion(3, 5, rules=[{"minimum_amount": "50.00"}]))
    try:
        rejected = shop.call("order.quote", order(None, line(1, 1, "46.80"), explain=True))["rejected"]
        of_program = [one for one in rejected if one["program_id"] == 3]
        assert [(one["reason"], one["text"]) for one in of_program] == [("minimum_amount", "minimum_amount 50.00, has 46.80")]
        assert set(of_program[0]) == {"program_id", "rule_id", "reward_id", "reason", "text"}
        assert "rejected" not in shop.call("order.quote", order(None, line(1, 1, "46.80")))
    finally:
        shop.call("program.delete", {"program_id": 3})


# The total that the till expects


def test_expected_total(shop):
    sale = order(new_partner(), line(WINE, 1, "10.00"), expected_total="10.00")
    before = written(shop)
    with refused("price_changed", expected_total="10.00", amount_total="9.00") as caught:
        shop.call("order.process", sale)
    assert written(shop) == before
    quote = caught.value.details["quote"]
    assert set(quote) == ANSWER and quote["amount_total"] == "9.00" and caught.value.retryable is False
    with refused("price_changed"):
        shop.call("order.quote", sale)
    done = shop.call("order.process", dict(sale, expected_total="9.00"))
    assert done["amount_total"] == "9.00" and done["replayed"] is False
    # It is no part of what the key stands for: whoever sends the order again is told what it came out as.
    assert shop.call("order.process", sale) == dict(done, replayed=True)


# What is not known (rule 37)


def test_without_a_partner_promotions_apply_and_nothing_is_earned(shop):
    done = shop.call("order.process", order(None, line(WINE, 1, "10.00")))
    assert (done["amount_total"], done["points_earned"], done["final_balance"]) == ("9.00", "0.00", None)
    assert done["points"] == [] and done["cards"] == []


def test_a_bearers_card_earns_and_spends_for_whoever_shows_it(shop):
    card = shop.call("card.create", {"program_id": 1, "points": "30"})
    earned = shop.call("order.process", order(None, line(1, 1, "12.00"), cards=[card["code"].lower() + " "]))
    assert earned["points"] == [{"card_id": card["card_id"], "program_id": 1, "earned": "12.00", "redeemed": "0.00",
                                 "balance": "42.00", "debt": "0.00", "expires": None}]  # fmt: skip
    claim = {"program_id": 1, "reward_id": 1, "card": {"code": card["code"]}}
    spent = shop.call("order.process", order(None, line(1, 1, "0.40"), claims=[claim]))
    assert spent["amount_total"] == "0.00" and spent["points"][0]["redeemed"] == "40.00"
    # A member's order spends it too, but earns on the member's own card.
    partner = new_partner()
    claim["points"] = "2"
    both = shop.call("order.process", order(partner, line(1, 1, "1.00"), claims=[claim]))
    assert both["amount_total"] == "0.98"
    assert (both["points_earned"], both["points_redeemed"], both["final_balance"]) == ("1.00", "0.00", "1.00")  # the member's own
    assert [(one["earned"], one["redeemed"]) for one in sorted(both["points"], key=lambda one: one["redeemed"])] == [
        ("1.00", "0.00"), ("0.00", "2.00")]  # fmt: skip
    assert balance(shop, partner) == "1.00"


def test_an_unknown_partner_is_created_bare(shop):
    partner = new_partner()
    done = shop.call("order.process", order(partner))
    assert done["final_balance"] == "10.00" and len(done["cards"]) == 1
    assert shop.query("SELECT order_count, spending FROM members WHERE partner_id = %s", (partner,)) == [(1, 1000)]


@pytest.mark.parametrize("partner", [-(2**63), -1, 0, 2**63 - 1])
def test_partner_ids_are_any_64_bit_integer(shop, partner):
    assert shop.call("order.process", order(partner))["final_balance"] == "10.00"
    assert balance(shop, partner) == "10.00"


def test_an_unknown_product_fits_rules_for_everything_and_by_id_only(shop):
    unknown = 777_000
    shop.call("program.put", promotion(4, 50, rules=[{"category_id": 1}], rewards=[
        {"discount": 50, "discount_applicability": "specific", "discount_category_id": 1}]))  # fmt: skip
    shop.call("program.put", promotion(5, 20, rules=[{"product_ids": [unknown]}], rewards=[
        {"discount": 20, "discount_applicability": "specific", "discount_product_ids": [unknown]}]))  # fmt: skip
    try:
        done = shop.call("order.process", order(new_partner(), line(1, 1, "1.00"), line(unknown, 1, "10.00", line_id="u")))
        assert (done["amount_total"], done["points_earned"]) == ("9.00", "9.00")
        assert [(one["kind"], one["line_id"], one["product_id"]) for one in done["warnings"]] == [("unknown_product", "u", unknown)]
    finally:
        for number in (4, 5):
            shop.call("program.delete", {"program_id": number})


def test_a_blocked_card_neither_earns_nor_spends(shop):
    partner = new_partner()
    card = shop.call("order.process", order(partner, line(1, 1, "100.00")))["cards"][0]
    shop.query("UPDATE loyalty_cards SET state = 2 WHERE card_id = %s", (card["card_id"],))
    assert shop.call("card.get", {"card_id": card["card_id"]})["state"] == "blocked"
    sale = shop.call("order.process", order(partner, line(1, 1, "50.00")))
    assert (sale["points_earned"], sale["final_balance"], sale["cards"]) == ("0.00", "100.00", [])
    with refused("card_blocked", card_id=str(card["card_id"])):
        shop.call("order.process", order(partner, cards=[card["card_id"]]))
    with refused("card_blocked", card_id=str(card["card_id"])):
        shop.call("card.adjust", {"card_id": card["card_id"], "points": 5, "reason": "x"})
    claims = [{"program_id": 1, "reward_id": 1}]
    with refused("claim_refused", reason="card_blocked"):
        shop.call("order.process", order(partner, claims=claims))
    skipped = shop.call("order.process", order(partner, claims=claims, on_refused="skip"))
    assert (skipped["amount_total"], skipped["claims"][0]["reason"]) == ("10.00", "card_blocked")
    assert balance(shop, partner) == "100.00"


# What this version cannot do yet, and what contradicts itself


@pytest.mark.parametrize(
    "path, fields",
    [
        ("currency", {"currency": "USD"}),
        ("at", {"at": "2030-01-01T00:00:00Z"}),
        ("draft_program_ids", {"draft_program_ids": [1]}),
        ("lines[0].gift_code", {"lines": [line(gift_code="G")]}),
        ("lines[1].qty", {"lines": [line(), line(2, 0)]}),
        ("lines[0].refund_of", {"lines": [line(refund_of="X")]}),
        ("refund_of", {"order_id": "OWN-TAIL", "lines": [line(qty=-1)], "refund_of": "OWN-TAIL"}),
        ("claims[0].program_id", {"claims": [{}]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_refused_names_its_field_and_changes_nothing(shop, path, fields):
    before = written(shop)
    with refused("invalid_request", path=path):
        shop.call("order.process", dict(order(new_partner()), **fields))
    assert written(shop) == before


def test_fields_that_are_taken_with_their_defaults(shop):
    """What says nothing new is no other order."""
    plain = order(new_partner())
    done = shop.call("order.process", plain)
    spelled_out = dict(plain, channel="pos", tax_rounding="per_line", auto_claim=True, on_refused="fail", paid=False,
                       claims=[], cards=[], currency=None, **{"import": False})  # fmt: skip
    assert shop.call("order.process", spelled_out) == dict(done, replayed=True)
    assert shop.call("order.quote", order(None, currency="EUR"))["amount_total"] == "10.00"


def test_refund_takes_returns_only(shop):
    with refused("invalid_request", path="lines[0].qty"):
        shop.call("order.refund", order(None))


# Figures at their edges


@pytest.mark.parametrize(
    "lines",
    [
        [line(1, 10**9, 10**9)],
        [line(1, 10**9, "9000000")] * 1000,
        [line(1, "999999999.999999", "999999999.999999", taxes=[TWENTY] * 16)],
        [line(1, -(10**9), 10**9)],
    ],
    ids=["one line", "the sum", "with taxes", "below"],
)
def test_a_total_out_of_range_is_refused(shop, lines):
    lines = [dict(one, line_id=number) for number, one in enumerate(lines)]
    before = written(shop)
    with refused("invalid_request") as caught:
        shop.call("order.process", order(new_partner(), *lines))
    assert caught.value.details["path"].startswith("lines")
    assert written(shop) == before


def test_large_and_small_figures_are_exact(shop):
    done = shop.call("order.quote", order(None, line(1, "10000", "9999999.99"), line(2, "0.000001", "0.000001", line_id="x")))
    assert done["amount_total"] == "99999999900.00"
    assert [one["qty"] for one in done["lines"]] == ["10000", "0.000001"]


def test_a_float_is_taken_by_its_shortest_form(shop):
    exact = shop.call("order.quote", order(None, line(1, 3, "0.1"), line(2, 1, "1.005")))
    floats = shop.call("order.quote", order(None, line(1, 3.0, 0.1), line(2, 1.0, 1.005)))
    assert [one["amount_total"] for one in floats["lines"]] == [one["amount_total"] for one in exact["lines"]] == ["0.30", "1.01"]


def test_negative_prices_and_returns_without_an_original(shop):
    """Rule 34: they are recorded and move no points by themselves."""
    partner = new_partner()
    shop.call("order.process", order(partner, line(1, 1, "30.00")))
    done = shop.call("order.process", order(partner, line(1, -1, "30.00")))
    assert (done["amount_total"], done["points_earned"], done["final_balance"]) == ("-30.00", "0.00", "30.00")
    assert done["give_back"] == [{"to": "payment", "amount": "30.00"}] and done["uncovered"] == []
    deposit = shop.call("order.process", order(partner, line(1, 1, "10.00"), line(2, 1, "-4.00")))
    assert (deposit["amount_total"], deposit["points_earned"]) == ("6.00", "6.00")


# Answers at their bound


def test_an_answer_too_large_for_a_message(shop):
    """Sixty discounts on each of six hundred lines: nobody could be told what was done, so it is not done; and whoever else is
    being served at that moment notices nothing."""
    programs = [promotion(100 + number, 1, rewards=[
        {"discount": 1, "discount_applicability": "specific", "discount_product_ids": [9]}]) for number in range(60)]  # fmt: skip
    shop.client().load(programs=programs)
    try:
        partner = new_partner()
        large = order(partner, *[line(9, 1, "100.00") for _ in range(600)])
        before = written(shop)
        with RawClient(shop.endpoint) as raw, RawClient(shop.endpoint) as other:
            ids = [raw.send(method, dict(large, **more)) for method, more in (
                ("order.process", {}), ("order.quote", {}), ("order.process", {"expected_total": "1.00"}), ("order.process", {}))]  # fmt: skip
            others = [other.send("order.quote", order(None)) for _ in range(50)]
            errors = [error_of(reply) for reply in raw.answers(ids)]
            assert [error["code"] for error in errors] == ["too_large", "too_large", "price_changed", "too_large"]
            assert errors[0]["details"] == {"path": "lines"}
            assert all(reply["ok"] for reply in other.answers(others))
        assert written(shop) == before
        # Half of it fits, also when it is asked for again and cancelled.
        half = dict(large, lines=large["lines"][:300])
        done = shop.call("order.process", half)
        assert shop.call("order.get", {"order_id": half["order_id"]}) == done
        assert shop.call("order.process", half) == dict(done, replayed=True)
        assert shop.call("order.cancel", {"order_id": half["order_id"]})["final_balance"] == "0.00"
    finally:
        shop.client().load(programs=[dict(program, state="archived") for program in programs])


# What rewards give


def test_rule_14_what_is_given_on_sale_has_to_be_active(shop):
    """Also where it is not in the cart, at once when that changes, and again from the record alone."""
    gift = 60
    programs = Programs(shop)
    program = programs.put(channels=["sale"], rules=[{"product_ids": [8]}],
                           rewards=[{"reward_type": "product", "reward_product_ids": [gift]}])  # fmt: skip

    def given():
        sale = order(new_partner(), line(8), channel="sale")
        quote = shop.call("order.quote", sale)
        done = shop.call("order.process", sale)
        assert quote["lines"] == done["lines"] and quote["discounts"] == done["discounts"]
        assert shop.call("order.explain", {"order_id": sale["order_id"]})["same"] is True
        return [one["lines"][0]["product_id"] for one in done["discounts"] if one["program_id"] == program]

    try:
        assert given() == [gift], "one that is not known counts as active"
        for active in (False, True, False):
            shop.call("reference.put", {"products": [{"product_id": gift, "active": active}]})
            assert given() == ([gift] if active else [])
    finally:
        programs.archive()
