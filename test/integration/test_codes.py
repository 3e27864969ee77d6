"""Codes of rules and of cards: entered, waited for, refused, used up, given, and living again (SEMANTICS 1, rules 1, 2, 5, 28)."""

import datetime

import pytest

from shop import Programs, line, new_id, new_partner, order, refund, refused, written

NOW = datetime.datetime.now(datetime.timezone.utc)
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@pytest.fixture(scope="module")
def shop(engine):
    engine.call("reference.put", {"products": [{"product_id": number} for number in range(1, 10)]})
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


def by_code(programs, code, percent=10, rule=None, **fields):
    """A promo code: so many percent off whatever the code's rule asks for."""
    rules = [dict({"mode": "with_code", "code": code}, **(rule or {}))]
    return programs.put(**{"program_type": "promo_code", "trigger": "with_code", "rules": rules, "rewards": [{"discount": percent}], **fields})


def coupons(programs, **fields):
    """Coupons that take 10 % off, a point each."""
    return programs.put(**{"program_type": "coupons", "trigger": "with_code", "rules": [], "rewards": [{"discount": 10}], **fields})


def coupon(shop, program_id, points=1, **fields):
    code = new_id("COUPON")
    shop.call("card.create", dict({"program_id": program_id, "code": code, "points": points}, **fields))
    return code


def entered(*codes, lines=(), partner=None, **fields):
    return order(partner, *lines, claims=[{"code": code} for code in codes], **fields)


def outcomes(answer):
    """What became of each claim: "ok" or the reason why not."""
    return ["ok" if claim["ok"] else claim["reason"] for claim in answer["claims"]]


def worth(shop, code):
    checked = shop.call("coupon.check", {"code": code})
    return checked["state"], checked["points"]


def sell_both_ways(shop, body):
    """The order quoted, then processed: both give the same figures."""
    quote, done = shop.call("order.quote", body), shop.call("order.process", body)
    for figure in ("amount_untaxed", "amount_tax", "amount_total", "lines", "claims", "discounts", "points_earned", "points_redeemed"):
        assert quote[figure] == done[figure], figure
    return done


# Codes of rules


def test_rule_1_a_program_by_code_takes_part_when_its_code_is_entered(shop, programs):
    code = new_id("SAVE")
    program = by_code(programs, code)
    assert sell_both_ways(shop, order())["amount_total"] == "10.00"
    done = sell_both_ways(shop, entered(code))
    assert (done["amount_total"], [one["program_id"] for one in done["discounts"]], outcomes(done)) == ("9.00", [program], ["ok"])
    assert done["claims"][0]["code"] == code and done["claims"][0]["discount"] == 0
    # A claim of its reward does not open it.
    with refused("claim_refused", claim="0", reason="code_needed"):
        shop.call("order.process", order(None, claims=[{"program_id": program, "reward_id": 1}]))


@pytest.mark.parametrize("form", ["{}", "  {}", "{}  ", " {} "])
@pytest.mark.parametrize("change", [str.upper, str.lower, str.title])
def test_rule_28_codes_compare_without_case_and_outer_blanks(shop, programs, form, change):
    code = new_id("Mixed-Code")
    by_code(programs, f" {code} ")
    assert shop.call("order.process", entered(form.format(change(code))))["amount_total"] == "9.00"


def test_rule_28_blanks_inside_and_letters_beyond_ascii_count(shop, programs):
    code = new_id("ÄRA CODE")
    by_code(programs, code)
    assert shop.call("order.process", entered(code.replace("CODE", "code")))["amount_total"] == "9.00"
    for other in (code.replace("Ä", "ä"), code.replace(" ", ""), code.replace(" ", "  "), code[:-1]):
        with refused("claim_refused", claim="0", reason="unknown_code"):
            shop.call("order.process", entered(other))


def test_rule_28_a_code_is_unique_among_programs_that_are_not_archived(shop, programs):
    code = new_id("ONE")
    first = by_code(programs, code)
    other = {"program_id": first + 500_000, "name": "other", "program_type": "promo_code", "trigger": "with_code",
             "rules": [{"mode": "with_code", "code": f" {code.lower()} "}], "rewards": [{"discount": 20}]}  # fmt: skip
    shop.call("program.put", dict(other, state="draft"))
    # A draft may say what it likes until it is to be used.
    for method, body in (("order.quote", order(None, draft_program_ids=[other["program_id"]])), ("program.put", other)):
        with refused("invalid_request") as caught:
            shop.call(method, body)
        assert f"{first} and {other['program_id']} have the same code" in caught.value.message
    # Put in the archive, a program lets its code go; it does not come back while another has it.
    programs.archive()
    programs.put(**other)
    assert shop.call("order.process", entered(code))["amount_total"] == "8.00"
    with refused("invalid_request"):
        by_code(programs, code, program_id=first)


def test_rule_28_a_program_has_a_code_once(shop, programs):
    code = new_id("TWICE")
    rule = {"mode": "with_code", "code": code}
    with refused("invalid_request", path="rules[1].code"):
        programs.put(program_type="promo_code", trigger="with_code", rules=[rule, dict(rule, code=code.lower())], rewards=[{"discount": 10}])


def two_codes(programs, first, second):
    """Ten percent where both rules' codes count, five units of product 2 for the second."""
    rules = [{"mode": "with_code", "code": first}, {"mode": "with_code", "code": second, "product_ids": [2], "minimum_qty": 5}]
    return programs.put(program_type="promo_code", trigger="with_code", rules=rules, rewards=[{"discount": 10, "required_points": 1}])


def test_rule_2_at_the_till_a_program_needs_all_of_its_codes(shop, programs):
    first, second = new_id("A"), new_id("B")
    two_codes(programs, first, second)
    five = [line(2, 5, "10.00")]
    both = sell_both_ways(shop, entered(first, second, lines=five, channel="pos"))
    assert (both["amount_total"], outcomes(both)) == ("45.00", ["ok", "ok"])
    backwards = sell_both_ways(shop, entered(second, first, lines=five, channel="pos"))
    assert backwards["amount_total"] == "45.00"
    for code in (first, second):
        with refused("claim_refused", claim="0", reason="code_needed"):
            shop.call("order.process", entered(code, lines=five, channel="pos"))
    # The second's own rule does not hold: it is refused by itself, and so is the first that waits for it.
    skipped = shop.call("order.process", entered(first, second, lines=[line(1)], channel="pos", on_refused="skip"))
    assert (skipped["amount_total"], outcomes(skipped)) == ("10.00", ["no_matching_product", "no_matching_product"])
    four = shop.call("order.process", entered(first, second, lines=[line(2, 4, "10.00")], channel="pos", on_refused="skip"))
    assert (four["amount_total"], outcomes(four)) == ("40.00", ["minimum_qty", "minimum_qty"])


def test_rule_2_in_sales_one_of_its_codes_is_enough(shop, programs):
    first, second = new_id("A"), new_id("B")
    two_codes(programs, first, second)
    for codes in ((first,), (second,)):
        done = sell_both_ways(shop, entered(*codes, lines=[line(2, 5, "10.00")], channel="sale"))
        assert (done["amount_total"], outcomes(done)) == ("45.00", ["ok"])


def test_section_1_a_code_counts_from_its_place_on(shop, programs):
    """A claim before the code finds the program closed; after it, open."""
    code = new_id("OPEN")
    program = by_code(programs, code, rewards=[{"discount": 10}, {"discount": 20}], rule={"reward_point_amount": 2})
    chosen = {"program_id": program, "reward_id": 2}
    assert outcomes(shop.call("order.quote", order(None, claims=[chosen, {"code": code}]))) == ["code_needed", "ok"]
    done = sell_both_ways(shop, order(None, claims=[{"code": code}, chosen]))
    assert (done["amount_total"], outcomes(done)) == ("8.00", ["ok", "ok"])
    # The code alone leaves the choice open: accepted, and nothing is given.
    open_only = sell_both_ways(shop, entered(code))
    assert (open_only["amount_total"], outcomes(open_only), open_only["discounts"]) == ("10.00", ["ok"], [])


def test_section_1_a_code_that_names_its_reward_claims_it(shop, programs):
    code = new_id("PICK")
    by_code(programs, code, rewards=[{"discount": 10}, {"discount": 20}])
    done = sell_both_ways(shop, order(None, claims=[{"code": code, "reward_id": 2}]))
    assert done["amount_total"] == "8.00"
    with refused("claim_refused", reason="unknown_reward"):
        shop.call("order.process", order(None, claims=[{"code": code, "reward_id": 3}]))


def test_section_1_the_same_code_twice(shop, programs):
    """The second time there are no points left for it."""
    code = new_id("AGAIN")
    by_code(programs, code)
    with refused("claim_refused", claim="1"):
        shop.call("order.process", entered(code, code))
    skipped = sell_both_ways(shop, entered(code, code, on_refused="skip"))
    assert (skipped["amount_total"], outcomes(skipped)[0]) == ("9.00", "ok")


@pytest.mark.parametrize(
    "fields, rule, body, reason",
    [
        ({"state": "draft"}, {}, {}, "unknown_code"),
        ({"date_from": "2099-01-01"}, {}, {}, "before_date_from"),
        ({"date_to": "2020-01-01"}, {}, {}, "after_date_to"),
        ({"pos_config_ids": [7]}, {}, {"store_id": 8}, "wrong_store"),
        ({"channels": ["sale"]}, {}, {"channel": "pos"}, "wrong_channel"),
        ({"pricelist_ids": [3]}, {}, {"pricelist_id": 4}, "wrong_pricelist"),
        ({"weekdays": [DAYS[(NOW.weekday() + 3) % 7]]}, {}, {}, "wrong_weekday"),
        ({}, {"minimum_qty": 2}, {}, "minimum_qty"),
        ({}, {"minimum_amount": "10.01"}, {}, "minimum_amount"),
        ({}, {"product_ids": [9]}, {}, "no_matching_product"),
        ({}, {"first_order": True}, {}, "no_member"),
    ],
)
def test_rule_1_a_refused_code_says_why_and_leaves_nothing_behind(shop, programs, fields, rule, body, reason):
    code = new_id("NOT")
    by_code(programs, code, rule=rule, **fields)
    before = written(shop)
    sale = entered(code, **body)
    assert outcomes(shop.call("order.quote", sale)) == [reason]
    with refused("claim_refused", claim="0", reason=reason):
        shop.call("order.process", sale)
    assert written(shop) == before
    # The order goes without it when it is told to: same id, since nothing was kept of it.
    done = shop.call("order.process", dict(sale, on_refused="skip"))
    assert (done["amount_total"], outcomes(done), done["discounts"], done["replayed"]) == ("10.00", [reason], [], False)


def test_section_1_an_unknown_code(shop):
    before = written(shop)
    sale = entered("NO-SUCH-CODE")
    with refused("claim_refused", claim="0", reason="unknown_code"):
        shop.call("order.process", sale)
    assert written(shop) == before
    assert outcomes(shop.call("order.process", dict(sale, on_refused="skip"))) == ["unknown_code"]


def test_section_1_a_refused_code_does_not_open_its_program_to_later_claims(shop, programs):
    """Neither the rule nor the points of a refused code are there for what comes after it."""
    code = new_id("SHUT")
    program = by_code(programs, code, rule={"minimum_amount": "50"})
    answer = shop.call("order.quote", order(None, claims=[{"code": code}, {"program_id": program, "reward_id": 1}]))
    assert (outcomes(answer), answer["amount_total"]) == (["minimum_amount", "minimum_amount"], "10.00")


def test_section_1_the_others_stand_where_one_is_skipped(shop, programs):
    good, bad = new_id("GOOD"), new_id("BAD")
    by_code(programs, good, rewards=[{"discount": 10, "discount_applicability": "specific", "discount_product_ids": [1]}])
    by_code(programs, bad, rule={"minimum_qty": 3})
    done = sell_both_ways(shop, entered(bad, good, "NO-SUCH-CODE", on_refused="skip"))
    assert (done["amount_total"], outcomes(done)) == ("9.00", ["minimum_qty", "ok", "unknown_code"])


def test_section_1_a_beaten_code_counts_as_accepted_and_says_by_which(shop, programs):
    small, large = new_id("SMALL"), new_id("LARGE")
    by_code(programs, small, 10)
    winner = by_code(programs, large, 20)
    done = sell_both_ways(shop, entered(small, large))
    assert (done["amount_total"], outcomes(done)) == ("8.00", ["ok", "ok"])
    assert [claim["replaced_by"] for claim in done["claims"]] == [1, None]
    assert [one["program_id"] for one in done["discounts"]] == [winner]
    # The other way round the smaller comes too late: it is refused.
    with refused("claim_refused", claim="1", reason="better_discount"):
        shop.call("order.process", entered(large, small))


# Coupons: cards entered by code


def test_rule_28_a_coupon_dies_with_its_use(shop, programs):
    code = coupon(shop, coupons(programs))
    quote = shop.call("order.quote", entered(code))
    assert (quote["amount_total"], worth(shop, code)) == ("9.00", ("usable", "1.00"))
    done = shop.call("order.process", entered(f" {code.lower()} "))
    assert (done["amount_total"], done["points"][0]["redeemed"], worth(shop, code)) == ("9.00", "1.00", ("used", "0.00"))
    before = written(shop)
    with refused("code_used", claim="0", reason="code_used"):
        shop.call("order.process", entered(code))
    assert written(shop) == before
    assert outcomes(shop.call("order.process", entered(code, on_refused="skip"))) == ["code_used"]


def test_rule_28_it_lives_again_when_the_order_goes_back(shop, programs):
    code = coupon(shop, coupons(programs))
    sale = entered(code, lines=[line(1, 2, "10.00")])
    assert shop.call("order.process", sale)["amount_total"] == "18.00"
    half = shop.call("order.refund", refund(sale["order_id"], line(1, -1, "10.00")))
    assert (half["amount_total"], worth(shop, code)) == ("-9.00", ("usable", "0.50"))
    # Half a coupon is not enough for another order.
    with refused("code_used", claim="0"):
        shop.call("order.process", entered(code))
    shop.call("order.refund", refund(sale["order_id"], line(1, -1, "10.00")))
    assert worth(shop, code) == ("usable", "1.00")
    assert shop.call("order.process", entered(code))["amount_total"] == "9.00"


def test_rule_28_it_lives_again_when_the_order_is_cancelled(shop, programs):
    code = coupon(shop, coupons(programs))
    for _ in range(3):
        sale = entered(code)
        shop.call("order.process", sale)
        assert worth(shop, code)[0] == "used"
        shop.call("order.cancel", {"order_id": sale["order_id"]})
        assert worth(shop, code) == ("usable", "1.00")


def test_rule_5_rules_of_coupons_are_conditions_of_use(shop, programs):
    code = coupon(shop, coupons(programs, rules=[{"product_ids": [2], "minimum_amount": "20"}]))
    for lines, reason in (([line(1, 9)], "no_matching_product"), ([line(2, 1, "19.99")], "minimum_amount")):
        with refused("claim_refused", claim="0", reason=reason):
            shop.call("order.process", entered(code, lines=lines))
    assert worth(shop, code) == ("usable", "1.00")
    done = sell_both_ways(shop, entered(code, lines=[line(2, 1, "20.00")]))
    assert (done["amount_total"], done["points_earned"], worth(shop, code)[0]) == ("18.00", "0.00", "used")


def test_section_1_a_coupon_may_need_more_points_than_it_has(shop, programs):
    """A booklet: 3 coupons on one card, 10 % for one, half for two."""
    program = coupons(programs, rewards=[{"discount": 10}, {"discount": 50, "required_points": 2}])
    code = coupon(shop, program, points=3)
    half = shop.call("order.process", order(None, claims=[{"code": code, "reward_id": 2}]))
    assert (half["amount_total"], worth(shop, code)) == ("5.00", ("usable", "1.00"))
    with refused("code_used", claim="0"):
        shop.call("order.process", order(None, claims=[{"code": code, "reward_id": 2}]))
    assert shop.call("order.process", order(None, claims=[{"code": code, "reward_id": 1}]))["amount_total"] == "9.00"
    assert worth(shop, code) == ("used", "0.00")


def test_section_1_a_coupon_of_another_customer(shop, programs):
    owner, program = new_partner(), coupons(programs)
    code = coupon(shop, program, partner_id=owner)
    for stranger in (None, new_partner()):
        with refused("claim_refused", claim="0"):
            shop.call("order.process", entered(code, partner=stranger))
        assert worth(shop, code) == ("usable", "1.00")
    assert shop.call("order.process", entered(code, partner=owner))["amount_total"] == "9.00"


def test_rule_37_a_blocked_coupon(shop, programs):
    code = coupon(shop, coupons(programs))
    shop.call("card.block", {"code": code, "reason": "lost"})
    for method in ("order.quote", "order.process"):
        with refused("card_blocked"):
            shop.call(method, entered(code))
    assert outcomes(shop.call("order.process", entered(code, on_refused="skip"))) == ["card_blocked"]
    shop.call("card.unblock", {"code": code, "reason": "found"})
    assert shop.call("order.process", entered(code))["amount_total"] == "9.00"


def test_rule_19_a_coupon_that_ran_out(shop, programs):
    """Given years ago by an order, for thirty days."""
    next_order(programs, expiry={"policy": "days", "count": 30})
    sale = order(None, line(1, 1, "50.00"), date="2020-05-05T10:00:00Z", **{"import": True})
    (given,) = shop.call("order.process", sale)["cards"]
    assert given["expires"] == "2020-06-04T10:00:00Z" and worth(shop, given["code"]) == ("expired", "0.00")
    with refused("claim_refused", claim="0", reason="expired"):
        shop.call("order.process", entered(given["code"]))
    before = entered(given["code"], date="2020-06-04T09:59:59.999999Z", **{"import": True})
    assert shop.call("order.process", before)["amount_total"] == "5.00"


def test_rule_28_loyalty_cards_are_not_entered_by_code(shop, programs):
    program = programs.put(program_type="loyalty", rewards=[{"discount": 10}])
    member, code = new_partner(), new_id("MEMBER")
    shop.call("card.create", {"program_id": program, "partner_id": member, "code": code, "points": 100})
    before = written(shop)
    with refused("claim_refused", claim="0", reason="not_by_code"):
        shop.call("order.process", entered(code, partner=member))
    assert written(shop) == before


def test_section_1_a_refused_card_is_not_there_for_the_order(shop, programs):
    """The card of a refused code is not shown by it: a claim without a card does not spend from it."""
    program = coupons(programs, rules=[{"minimum_qty": 2}])
    code = coupon(shop, program)
    answer = shop.call("order.quote", order(None, claims=[{"code": code}, {"program_id": program, "reward_id": 1}]))
    assert outcomes(answer)[0] == "minimum_qty" and not answer["claims"][1]["ok"]
    assert worth(shop, code) == ("usable", "1.00")


def test_section_1_two_coupons_of_one_program(shop, programs):
    """Each pays for its own: off products that it names, both count."""
    program = coupons(programs, rewards=[{"discount": 1, "discount_mode": "per_order", "discount_applicability": "specific", "discount_product_ids": [1]}])
    first, second = coupon(shop, program), coupon(shop, program)
    done = sell_both_ways(shop, entered(first, second))
    assert (done["amount_total"], outcomes(done)) == ("8.00", ["ok", "ok"])
    assert [worth(shop, code)[0] for code in (first, second)] == ["used", "used"]


# Codes that an order gives


def next_order(programs, **fields):
    return programs.put(**{"program_type": "next_order_coupons", "applies_on": "future", "rules": [{"minimum_amount": "50"}],
                           "rewards": [{"discount": 5, "discount_mode": "per_order"}], **fields})  # fmt: skip


def test_rule_5_a_coupon_for_the_next_order(shop, programs):
    program = next_order(programs)
    member = new_partner()
    quote = shop.call("order.quote", order(member, line(1, 1, "50.00")))
    sale = order(member, line(1, 1, "50.00"))
    done = shop.call("order.process", sale)
    assert (done["amount_total"], done["discounts"], len(done["cards"]), len(quote["cards"])) == ("50.00", [], 1, 1)
    (given,) = done["cards"]
    assert (given["program_id"], given["points"]) == (program, "1.00")
    assert shop.call("coupon.check", {"code": given["code"]})["partner_id"] == member
    # Next time it counts without the minimum, and once; the small order earns no other.
    after = sell_both_ways(shop, entered(given["code"], partner=member))
    assert (after["amount_total"], after["cards"], worth(shop, given["code"])[0]) == ("5.00", [], "used")
    with refused("code_used"):
        shop.call("order.process", entered(given["code"], partner=member))


def test_rule_33_a_coupon_that_the_order_gave_is_taken_back(shop, programs):
    next_order(programs)
    for undo in ("refund", "cancel"):
        sale = order(None, line(1, 1, "50.00"))
        code = shop.call("order.process", sale)["cards"][0]["code"]
        assert worth(shop, code) == ("usable", "1.00")
        if undo == "refund":
            shop.call("order.refund", refund(sale["order_id"], line(1, -1, "50.00")))
        else:
            shop.call("order.cancel", {"order_id": sale["order_id"]})
        assert worth(shop, code) == ("used", "0.00")
        with refused("code_used"):
            shop.call("order.process", entered(code))


def test_rule_33_of_several_coupons_the_last_are_taken_back_first(shop, programs):
    """One for each unit: with each unit that comes back one coupon goes, and the others stay of use."""
    next_order(programs, rules=[{"product_ids": [3], "reward_point_mode": "unit", "reward_point_split": True}])
    sale = order(None, line(3, 4, "10.00"))
    codes = [card["code"] for card in shop.call("order.process", sale)["cards"]]
    for left in (3, 2, 1, 0):
        shop.call("order.refund", refund(sale["order_id"], line(3, -1, "10.00")))
        assert [worth(shop, code)[0] for code in codes] == ["usable"] * left + ["used"] * (4 - left)


def test_section_1_a_code_of_a_future_program_only_earns(shop, programs):
    code = new_id("LATER")
    program = next_order(programs, trigger="with_code", rules=[{"mode": "with_code", "code": code}])
    assert shop.call("order.process", order())["cards"] == []
    done = sell_both_ways(shop, entered(code))
    assert (done["amount_total"], outcomes(done), [card["program_id"] for card in done["cards"]]) == ("10.00", ["ok"], [program])


def test_rule_6_a_card_for_each_unit(shop, programs):
    """Split by unit; the codes are all different."""
    next_order(programs, rules=[{"product_ids": [3], "reward_point_mode": "unit", "reward_point_split": True}])
    done = shop.call("order.process", order(None, line(3, 4)))
    codes = {card["code"] for card in done["cards"]}
    assert (len(done["cards"]), len(codes), {card["points"] for card in done["cards"]}) == (4, 4, {"1.00"})
    for code in codes:
        assert worth(shop, code) == ("usable", "1.00")


def test_rule_28_the_code_of_a_card_is_its_for_ever(shop, programs):
    """Also after its program is gone and its points are spent."""
    program = coupons(programs)
    code = coupon(shop, program)
    shop.call("order.process", entered(code))
    other = coupons(programs)
    with refused("conflict"):
        shop.call("card.create", {"program_id": other, "code": f" {code.lower()}", "points": 1})
    programs.archive()
    third = coupons(programs)
    with refused("conflict"):
        shop.call("card.create", {"program_id": third, "code": code, "points": 1})


def test_rule_28_generated_coupons_are_entered_like_printed_ones(shop, programs):
    program = coupons(programs)
    made = shop.call("coupon.generate", {"program_id": program, "pattern": new_id("GEN") + "-######", "count": 3})
    for code in made["codes"]:
        assert shop.call("order.process", entered(code.lower()))["amount_total"] == "9.00"
        with refused("code_used"):
            shop.call("order.process", entered(code))
