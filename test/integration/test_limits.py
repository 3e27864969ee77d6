"""Limits: how often a program may be used, and for how much (rule 27); birthdays (30) and first orders (31) are limits too."""

import datetime
from decimal import Decimal

import pytest

from harness import Engine
from shop import Programs, line, new_id, new_partner, order, refund, refused, written

UTC = datetime.timezone.utc


@pytest.fixture(scope="module", params=[1, 8], ids=["buckets=1", "buckets=8"])
def shop(request):
    """An engine in Paris with a store in Tokyo: limits per period count in Paris, wherever the store is."""
    with Engine(buckets=request.param, time_zone="Europe/Paris") as engine:
        engine.call("reference.put", {
            "products": [{"product_id": number} for number in range(1, 10)],
            "stores": [{"store_id": 1}, {"store_id": 2, "time_zone": "Asia/Tokyo"}],
        })  # fmt: skip
        yield engine
        engine.assert_ledger_holds()


@pytest.fixture
def programs(shop):
    programs = Programs(shop)
    yield programs
    programs.archive()


def ten_percent(programs, **limits):
    return programs.put(**{"rewards": [{"discount": 10}], **limits})


def ten_by_code(programs, **limits):
    """10 % by a code: (program, code)."""
    code = new_id("CODE")
    program = programs.put(**{"program_type": "promo_code", "trigger": "with_code", "rules": [{"mode": "with_code", "code": code}],
                              "rewards": [{"discount": 10}], **limits})  # fmt: skip
    return program, code


def by_code(code, partner=None, *lines, **fields):
    return order(partner, *lines, claims=[{"code": code}], **fields)


def sell(shop, partner=None, *lines, **fields):
    """What an order costs; its quote said the same."""
    body = order(partner, *lines, **fields)
    expected = shop.call("order.quote", body)["amount_total"] if "date" not in fields else None
    done = shop.call("order.process", body)["amount_total"]
    assert expected in (None, done)
    return done


def paid(shop, date, partner=None, **fields):
    """What an imported order of one unit costs at this instant."""
    return shop.call("order.process", order(partner, date=date, **{"import": True}, **fields))["amount_total"]


def used(shop, program):
    """The counters of a program that are not 0: [(uses, money in minor units)]."""
    return shop.query("SELECT used, amount FROM program_usage WHERE program_id = %s AND used > 0 ORDER BY 1, 2", (program,))


# In all, per customer, per store


def test_rule_27_in_all(shop, programs):
    ten_percent(programs, max_usage=2)
    assert [sell(shop, partner) for partner in (None, new_partner(), None, new_partner())] == ["9.00", "9.00", "10.00", "10.00"]


def test_rule_27_per_customer(shop, programs):
    ten_percent(programs, max_usage_per_customer=2)
    first, second = new_partner(), new_partner()
    assert [sell(shop, first) for _ in range(3)] == ["9.00", "9.00", "10.00"]
    assert [sell(shop, second) for _ in range(3)] == ["9.00", "9.00", "10.00"]
    # Who has no account is not counted.
    assert [sell(shop) for _ in range(4)] == ["9.00"] * 4


def test_rule_27_per_store(shop, programs):
    ten_percent(programs, max_usage_per_store=1)
    assert [sell(shop, store_id=store) for store in (1, 1, 2, 2)] == ["9.00", "10.00", "9.00", "10.00"]
    # Orders without a store count as one of their own.
    assert [sell(shop), sell(shop)] == ["9.00", "10.00"]


def test_rule_27_several_limits_of_one_program(shop, programs):
    """Two a customer, three in all: whatever is reached first."""
    ten_percent(programs, max_usage=3, max_usage_per_customer=2)
    first, second = new_partner(), new_partner()
    assert [sell(shop, partner) for partner in (first, first, first, second, second)] == ["9.00", "9.00", "10.00", "9.00", "10.00"]


@pytest.mark.parametrize("limit", ["max_usage", "max_usage_per_customer", "max_usage_per_store", "max_usage_per_day",
                                   "max_usage_per_week", "max_usage_per_month", "max_usage_per_year"])  # fmt: skip
def test_rule_27_the_limit_is_named(shop, programs, limit):
    """By the error of process and by the claim of a quote; nothing is written."""
    _, code = ten_by_code(programs, **{limit: 1})
    partner = new_partner()
    body = by_code(code, partner, store_id=1)
    shop.call("order.process", body)
    before = written(shop)
    again = by_code(code, partner, store_id=1)
    with refused("limit_reached", limit=limit, claim="0", reason="limit_reached") as caught:
        shop.call("order.process", again)
    assert f"{limit} 1, used 1" in caught.value.message
    (claim,) = shop.call("order.quote", again)["claims"]
    assert (claim["ok"], claim["reason"]) == (False, "limit_reached") and claim["text"] == f"{limit} 1, used 1"
    assert written(shop) == before
    done = shop.call("order.process", dict(again, on_refused="skip"))
    assert (done["amount_total"], done["claims"][0]["reason"]) == ("10.00", "limit_reached")


def test_rule_27_an_automatic_program_at_its_limit_is_among_the_rejected(shop, programs):
    program = ten_percent(programs, max_usage=1)
    sell(shop)
    quote = shop.call("order.quote", order(None, explain=True))
    assert [(one["reason"], one["text"]) for one in quote["rejected"] if one["program_id"] == program] == [("limit_reached", "max_usage 1, used 1")]


def test_rule_27_an_order_uses_a_program_once(shop, programs):
    """However often its reward is claimed."""
    code = new_id("MANY")
    program = programs.put(
        program_type="promo_code", trigger="with_code", max_usage=2, rules=[{"mode": "with_code", "code": code, "reward_point_amount": 3}],
        rewards=[{"discount": 1, "discount_mode": "per_order", "discount_applicability": "specific", "discount_product_ids": [1]}])  # fmt: skip
    reward = {"program_id": program, "reward_id": 1}
    for expected in ("7.00", "7.00"):
        done = shop.call("order.process", order(None, claims=[{"code": code}, reward, reward]))
        assert done["amount_total"] == expected
    with refused("limit_reached", limit="max_usage"):
        shop.call("order.process", by_code(code))


# Periods, in the engine's zone


@pytest.mark.parametrize(
    "limit, times",
    [
        # (instant, whether it is a new period): Paris is an hour ahead of UTC in winter, two in summer.
        ("max_usage_per_day", [("2024-01-10T12:00:00Z", True), ("2024-01-10T22:59:59.999999Z", False), ("2024-01-10T23:00:00Z", True),
                               ("2024-07-10T12:00:00Z", True), ("2024-07-10T21:59:59Z", False), ("2024-07-10T22:00:00Z", True)]),
        # A day of 23 hours and one of 25.
        ("max_usage_per_day", [("2024-03-30T23:00:00Z", True), ("2024-03-31T21:59:59Z", False), ("2024-03-31T22:00:00Z", True),
                               ("2024-10-26T22:00:00Z", True), ("2024-10-27T22:59:59Z", False), ("2024-10-27T23:00:00Z", True)]),
        # Monday, 1 January 2024, begins a week; so does 8 January.
        ("max_usage_per_week", [("2023-12-31T22:59:59Z", True), ("2023-12-31T23:00:00Z", True), ("2024-01-07T22:59:59Z", False),
                                ("2024-01-07T23:00:00Z", True), ("2024-12-29T23:00:00Z", True), ("2025-01-05T22:59:59Z", False)]),
        ("max_usage_per_month", [("2024-01-31T22:59:59Z", True), ("2024-01-31T23:00:00Z", True), ("2024-02-29T22:59:59Z", False),
                                 ("2024-02-29T23:00:00Z", True), ("2025-02-28T12:00:00Z", True)]),
        ("max_usage_per_year", [("2023-12-31T22:59:59Z", True), ("2023-12-31T23:00:00Z", True), ("2024-12-31T22:59:59Z", False),
                                ("2024-12-31T23:00:00Z", True)]),
    ],
)  # fmt: skip
def test_rule_27_a_period_ends_at_midnight_in_the_engines_zone(shop, programs, limit, times):
    ten_percent(programs, **{limit: 1})
    for store in (1, 2):  # the store in Tokyo, where the day ends eight hours earlier, counts in the same periods
        member = new_partner()
        seen = [paid(shop, at, member, store_id=store) == "9.00" for at, _ in times]
        assert seen == [new for _, new in times], store


def test_rule_27_members_count_their_periods_apart(shop, programs):
    """A limit per period is one of each member; all that have no account share one."""
    ten_percent(programs, max_usage_per_day=1)
    at = "2024-05-05T10:00:00Z"
    first, second = new_partner(), new_partner()
    assert [paid(shop, at, partner) for partner in (first, second, first, second, None, None)] == ["9.00", "9.00", "10.00", "10.00", "9.00", "10.00"]


# Money


def test_rule_27_a_budget_ends_where_the_money_does(shop, programs):
    """8.00 to give, 3.00 an order: the third gets what is left."""
    program = programs.put(budget="8.00", rewards=[{"discount": 3, "discount_mode": "per_order"}])
    assert [sell(shop) for _ in range(4)] == ["7.00", "7.00", "8.00", "10.00"]
    assert used(shop, program) == [(3, 800)]


def test_rule_27_a_budget_to_the_cent(shop, programs):
    code = new_id("CENT")
    programs.put(budget="0.01", program_type="promo_code", trigger="with_code", rules=[{"mode": "with_code", "code": code}], rewards=[{"discount": 50}])
    assert shop.call("order.process", by_code(code))["amount_total"] == "9.99"
    with refused("limit_reached", limit="budget") as caught:
        shop.call("order.process", by_code(code))
    assert "budget 0.01, used 0.01" in caught.value.message


def test_rule_27_a_budget_is_given_back_with_the_order(shop, programs):
    """Only when all of it is back."""
    program = programs.put(budget="3.00", rewards=[{"discount": 3, "discount_mode": "per_order"}])
    sale = order(None, line(1, 2, "10.00"))
    assert shop.call("order.process", sale)["amount_total"] == "17.00"
    assert sell(shop) == "10.00"
    shop.call("order.refund", refund(sale["order_id"], line(1, -1, "10.00")))
    assert sell(shop) == "10.00"
    shop.call("order.refund", refund(sale["order_id"], line(1, -1, "10.00")))
    assert used(shop, program) == []
    assert sell(shop) == "7.00"


# What counts as a use


def test_rule_27_what_gives_nothing_is_not_counted(shop, programs):
    """The rules do not hold, the order is only quoted, it is refused, or a better discount was there."""
    program, code = ten_by_code(programs, max_usage=1)
    shop.call("order.process", order())
    shop.call("order.quote", by_code(code))
    with refused("price_changed"):
        shop.call("order.process", by_code(code, expected_total="9.99"))
    with refused("claim_refused"):
        shop.call("order.process", order(None, claims=[{"code": code}, {"code": "NO-SUCH-CODE"}]))
    assert used(shop, program) == []
    better = ten_percent(programs, rewards=[{"discount": 20}])
    done = shop.call("order.process", by_code(code, on_refused="skip"))
    assert [one["program_id"] for one in done["discounts"]] == [better] and used(shop, program) == []
    programs.put(program_id=better, state="archived", rewards=[{"discount": 20}])
    assert shop.call("order.process", by_code(code))["amount_total"] == "9.00"
    assert used(shop, program) == [(1, 100)]


def test_rule_27_the_same_order_again_counts_once(shop, programs):
    program = ten_percent(programs, max_usage=2)
    sale = order(new_partner())
    for number in range(3):
        assert shop.call("order.process", sale)["replayed"] is (number > 0)
    assert used(shop, program) == [(1, 100)]


def test_rule_27_points_and_coupons_that_are_given_are_a_use(shop, programs):
    """What an order earns for later is given, too."""
    points = programs.put(program_type="loyalty", max_usage=2, rules=[{"reward_point_mode": "money"}], rewards=[{"discount_mode": "per_point", "discount": "0.1"}])
    coupons = programs.put(program_type="next_order_coupons", applies_on="future", max_usage=1, rules=[{}], rewards=[{"discount": 5}])
    partner = new_partner()
    first = shop.call("order.process", order(partner))
    assert (first["points_earned"], [card["program_id"] for card in first["cards"]]) == ("10.00", [points, coupons])
    assert (used(shop, points), used(shop, coupons)) == ([(1, 0)], [(1, 0)])
    # Earning and spending in one order is one use; after it the points can neither be earned nor spent.
    reward = {"program_id": points, "reward_id": 1, "points": "10"}
    second = shop.call("order.process", order(partner, claims=[reward]))
    assert (second["amount_total"], second["points_earned"], second["cards"]) == ("9.00", "10.00", [])
    assert used(shop, points) == [(2, 100)]
    with refused("limit_reached", limit="max_usage"):
        shop.call("order.process", order(partner, claims=[reward]))
    third = shop.call("order.process", order(partner))
    assert (third["amount_total"], third["points_earned"], third["cards"]) == ("10.00", "0.00", [])


# What comes back


@pytest.mark.parametrize("parts", [[3], [1, 2], [1, 1, 1]])
def test_rule_27_a_use_comes_back_when_the_whole_order_does(shop, programs, parts):
    program = ten_percent(programs, max_usage=1)
    sale = order(None, line(1, 3, "10.00"))
    assert shop.call("order.process", sale)["amount_total"] == "27.00"
    for qty in parts:
        assert sell(shop) == "10.00"
        shop.call("order.refund", refund(sale["order_id"], line(1, -qty, "10.00")))
    assert used(shop, program) == []
    assert [sell(shop), sell(shop)] == ["9.00", "10.00"]


def test_rule_27_a_use_comes_back_when_the_last_line_does(shop, programs):
    program = ten_percent(programs, max_usage=1)
    sale = order(None, line(1, 1, "10.00"), line(2, 2, "5.00"))
    shop.call("order.process", sale)
    shop.call("order.refund", refund(sale["order_id"], line(1, -1, "10.00"), line(2, -1, "5.00")))
    assert used(shop, program) == [(1, 200)]
    # The last unit goes back within an exchange, which uses the program again itself only after that.
    exchange = order(None, line(2, -1, "5.00", refund_of=sale["order_id"]), line(3, 1, "30.00"))
    done = shop.call("order.process", exchange)
    assert [one["program_id"] for one in done["discounts"]] == [program]
    assert [row[0] for row in used(shop, program)] == [1]


def test_rule_27_a_use_comes_back_with_a_cancel(shop, programs):
    program = ten_percent(programs, max_usage=1, max_usage_per_customer=1, max_usage_per_store=1, max_usage_per_day=1)
    partner = new_partner()
    for _ in range(3):
        sale = order(partner, store_id=1)
        assert shop.call("order.process", sale)["amount_total"] == "9.00"
        assert len(used(shop, program)) == 4
        shop.call("order.cancel", {"order_id": sale["order_id"]})
        assert used(shop, program) == []


def test_rule_27_a_use_comes_back_to_its_own_period(shop, programs):
    """The order of the 10th goes back on the 20th: the 10th is free again, the 20th still used."""
    ten_percent(programs, max_usage_per_day=1)
    partner = new_partner()
    tenth, twentieth = "2024-06-10T10:00:00Z", "2024-06-20T10:00:00Z"
    sale = order(partner, date=tenth, **{"import": True})
    shop.call("order.process", sale)
    assert paid(shop, twentieth, partner) == "9.00"
    shop.call("order.refund", refund(sale["order_id"], line(1, -1, "10.00"), date=twentieth, **{"import": True}))
    assert (paid(shop, twentieth, partner), paid(shop, tenth, partner), paid(shop, tenth, partner)) == ("10.00", "9.00", "10.00")


def test_rule_27_a_limit_that_is_changed(shop, programs):
    """Uses so far count against the new limit; one that comes later counts from then on."""
    program = ten_percent(programs, max_usage=2)
    assert sell(shop) == "9.00"
    ten_percent(programs, program_id=program, max_usage=1)
    assert sell(shop) == "10.00"
    ten_percent(programs, program_id=program, max_usage=3, max_usage_per_store=1)
    assert [sell(shop), sell(shop), sell(shop, store_id=1), sell(shop, store_id=2)] == ["9.00", "10.00", "9.00", "10.00"]


def test_rule_35_a_late_order_passes_the_limit_with_a_warning(shop, programs):
    program, code = ten_by_code(programs, max_usage=1)
    shop.query("UPDATE catalog_versions SET created_at = created_at - interval '20 days' WHERE version = (SELECT version FROM catalog_state)")
    partner = new_partner()
    shop.call("order.process", by_code(code, partner))
    date = (datetime.datetime.now(UTC) - datetime.timedelta(hours=3)).isoformat()
    late = shop.call("order.process", by_code(code, partner, date=date))
    assert (late["late"], late["amount_total"]) == (True, "9.00")
    assert [one["kind"] for one in late["warnings"]] == ["over_limit"] and "max_usage 1" in late["warnings"][0]["text"]
    assert [row[0] for row in used(shop, program)] == [2]


# Limits of a reward


@pytest.mark.parametrize(
    "reward, total",
    [
        ({"discount": 50}, "70.00"),
        ({"discount": 50, "discount_max_amount": "12.34"}, "127.66"),
        ({"discount": 50, "discount_mode": "per_order", "discount_max_amount": "12.34"}, "127.66"),
        ({"discount": 50, "discount_applicability": "cheapest", "discount_max_amount": "4.99"}, "135.01"),
        ({"reward_type": "multiple_discount", "discounts": [{"discount": 50}, {"discount": 20}], "discount_max_amount": "80"}, "60.00"),
        ({"reward_type": "special_price", "special_price": "5", "discount_product_ids": [1]}, "90.00"),
        ({"reward_type": "special_price", "special_price": "5", "discount_product_ids": [1], "max_units": 3}, "125.00"),
        ({"reward_type": "special_set", "set_items": [{"product_ids": [1], "qty": 2}], "set_price": "15"}, "115.00"),
        ({"reward_type": "special_set", "set_items": [{"product_ids": [1], "qty": 2}], "set_price": "15", "max_sets": 2}, "130.00"),
    ],
)
def test_rules_10_15_16_a_reward_gives_so_much_at_most(shop, programs, reward, total):
    """Ten of 10.00 and two of 20.00; quoted as it is processed."""
    programs.put(rewards=[reward])
    assert sell(shop, None, line(1, 10, "10.00"), line(2, 2, "20.00")) == total


# Birthdays


def birthday_gift(programs, before=3, after=3, **fields):
    return programs.put(**{"rules": [{"birthday": {"days_before": before, "days_after": after}}], "rewards": [{"discount": 10}], **fields})


def born(shop, day):
    partner = new_partner()
    shop.call("reference.put", {"partners": [{"partner_id": partner, "birthday": day}]})
    return partner


def test_rule_30_around_the_birthday(shop, programs):
    birthday_gift(programs, before=2, after=1)
    for day, given in (("2024-06-12", False), ("2024-06-13", True), ("2024-06-15", True), ("2024-06-16", True), ("2024-06-17", False)):
        partner = born(shop, "1980-06-15")
        assert (paid(shop, f"{day}T10:00:00Z", partner) == "9.00") is given, day
    assert paid(shop, "2024-06-15T10:00:00Z", new_partner()) == "10.00"  # whose birthday is not known
    assert paid(shop, "2024-06-15T10:00:00Z") == "10.00"


def test_rule_30_the_day_is_the_engines(shop, programs):
    """The 15th begins at 22:00 UTC of the 14th in Paris, at 15:00 in Tokyo: Paris counts."""
    birthday_gift(programs, before=0, after=0)
    for at, given in (("2024-06-14T21:59:59Z", False), ("2024-06-14T22:00:00Z", True), ("2024-06-15T21:59:59Z", True), ("2024-06-15T22:00:00Z", False)):
        for store in (1, 2):
            assert (paid(shop, at, born(shop, "1980-06-15"), store_id=store) == "9.00") is given, (at, store)


def test_rule_30_once_a_year(shop, programs):
    birthday_gift(programs)
    partner = born(shop, "1980-06-15")
    days = ("2023-06-14", "2023-06-15", "2024-06-13", "2024-06-18", "2025-06-18", "2025-06-12")
    assert [paid(shop, f"{day}T10:00:00Z", partner) for day in days] == ["9.00", "10.00", "9.00", "10.00", "9.00", "10.00"]


def test_rule_30_across_the_turn_of_the_year(shop, programs):
    """A birthday on New Year's Day: from 29 December to 4 January is one window, of the coming year."""
    birthday_gift(programs)
    partner = born(shop, "1990-01-01")
    days = ("2023-12-28", "2023-12-29", "2024-01-04", "2024-01-05", "2024-12-31", "2025-01-02")
    assert [paid(shop, f"{day}T10:00:00Z", partner) for day in days] == ["10.00", "9.00", "10.00", "10.00", "9.00", "10.00"]
    # And one on 31 December, whose window ends in the next year.
    partner = born(shop, "1990-12-31")
    days = ("2024-01-02", "2024-12-30", "2025-01-03", "2025-12-29")
    assert [paid(shop, f"{day}T10:00:00Z", partner) for day in days] == ["9.00", "9.00", "10.00", "9.00"]


def test_rule_30_the_29th_of_february(shop, programs):
    birthday_gift(programs, before=0, after=0)
    for day, given in (("2024-02-28", False), ("2024-02-29", True), ("2024-03-01", False), ("2025-02-28", True), ("2025-03-01", False)):
        assert (paid(shop, f"{day}T10:00:00Z", born(shop, "2000-02-29")) == "9.00") is given, day


def test_rule_30_only_a_whole_refund_opens_it_again(shop, programs):
    birthday_gift(programs)
    partner = born(shop, "1980-06-15")
    at = {"date": "2024-06-15T10:00:00Z", "import": True}
    sale = order(partner, line(1, 2, "10.00"), **at)
    assert shop.call("order.process", sale)["amount_total"] == "18.00"
    shop.call("order.refund", refund(sale["order_id"], line(1, -1, "10.00"), **at))
    assert paid(shop, at["date"], partner) == "10.00"
    shop.call("order.refund", refund(sale["order_id"], line(1, -1, "10.00"), **at))
    assert [paid(shop, at["date"], partner), paid(shop, at["date"], partner)] == ["9.00", "10.00"]


def test_rule_30_a_cancel_opens_it_again(shop, programs):
    birthday_gift(programs)
    partner = born(shop, "1980-06-15")
    sale = order(partner, date="2024-06-15T10:00:00Z", **{"import": True})
    shop.call("order.process", sale)
    shop.call("order.cancel", {"order_id": sale["order_id"]})
    assert paid(shop, "2024-06-16T10:00:00Z", partner) == "9.00"


def test_rule_30_the_reason_is_told(shop, programs):
    code = new_id("BIRTH")
    birthday_gift(programs, program_type="promo_code", trigger="with_code",
                  rules=[{"mode": "with_code", "code": code, "birthday": {"days_before": 3, "days_after": 3}}])  # fmt: skip
    partner = born(shop, "1980-06-15")
    at = {"date": "2024-06-15T10:00:00Z", "import": True}
    with refused("claim_refused", reason="not_birthday"):
        shop.call("order.process", by_code(code, partner, date="2024-07-15T10:00:00Z", **{"import": True}))
    shop.call("order.process", by_code(code, partner, **at))
    with refused("limit_reached", limit="birthday"):
        shop.call("order.process", by_code(code, partner, **at))


# First orders


def welcome(programs, **fields):
    return programs.put(**{"rules": [{"first_order": True}], "rewards": [{"discount": 10}], **fields})


def test_rule_31_the_first_order_of_a_customer(shop, programs):
    welcome(programs)
    partner = new_partner()
    assert [sell(shop, partner), sell(shop, partner), sell(shop, new_partner()), sell(shop)] == ["9.00", "10.00", "9.00", "10.00"]


def test_rule_31_an_order_that_was_refused_was_none(shop, programs):
    welcome(programs)
    partner = new_partner()
    with refused("claim_refused"):
        shop.call("order.process", by_code("NO-SUCH-CODE", partner))
    shop.call("order.quote", order(partner))
    assert [sell(shop, partner), sell(shop, partner)] == ["9.00", "10.00"]


def test_rule_31_a_cancelled_order_was_none(shop, programs):
    welcome(programs)
    partner = new_partner()
    sale = order(partner)
    shop.call("order.process", sale)
    shop.call("order.cancel", {"order_id": sale["order_id"]})
    assert [sell(shop, partner), sell(shop, partner)] == ["9.00", "10.00"]


def test_rule_31_the_reason_is_told(shop, programs):
    code = new_id("WELCOME")
    welcome(programs, program_type="promo_code", trigger="with_code", rules=[{"mode": "with_code", "code": code, "first_order": True}])
    partner = new_partner()
    shop.call("order.process", by_code(code, partner))
    with refused("claim_refused", reason="not_first_order"):
        shop.call("order.process", by_code(code, partner))
    with refused("claim_refused", reason="no_member"):
        shop.call("order.process", by_code(code))


def test_rule_31_a_refund_does_not_count_as_an_order(shop, programs):
    welcome(programs)
    partner = new_partner()
    back = dict(refund("NEVER-SEEN", line(1, -1, "10.00")), partner_id=partner)
    shop.call("order.refund", back)
    assert Decimal(sell(shop, partner)) == 9
