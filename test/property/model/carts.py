"""Random catalogs and carts, small and full of the values at which rules change their mind (Hypothesis strategies)."""

from hypothesis import strategies as st

from .catalog import is_automatic
from .figures import exact

CATEGORIES = [
    {"category_id": 1},
    {"category_id": 2, "parent_id": 1},
    {"category_id": 3, "parent_id": 2},
    {"category_id": 4},
]
PRODUCTS = [
    {"product_id": 1, "category_id": 1},
    {"product_id": 2, "category_id": 2, "tags": ["sale"]},
    {"product_id": 3, "category_id": 3},
    {"product_id": 4, "category_id": 4, "tags": ["sale", "new"]},
    {"product_id": 5, "category_id": 4, "tags": ["new"]},
    {"product_id": 6},
    {"product_id": 8, "category_id": 4},
    {"product_id": 9},
    {"product_id": 10, "category_id": 1, "active": False},
]
UNKNOWN_PRODUCT = 7
STORES = [
    {"store_id": 1, "time_zone": "UTC"},
    {"store_id": 2, "time_zone": "Asia/Tokyo"},
    {"store_id": 3, "time_zone": "America/New_York"},
]
TYPES = {
    1: "promotion", 2: "promotion", 3: "promotion", 4: "buy_x_get_y", 5: "promo_code", 6: "promo_code",
    11: "loyalty", 12: "loyalty", 13: "loyalty",
    21: "coupons", 22: "next_order_coupons", 23: "referral", 31: "gift_card", 32: "ewallet",
}  # fmt: skip
FUTURE = (22, 31, 32)
LOYALTY = (11, 12, 13)
ABSENT_PROGRAM = 999
GIFT, TOP_UP, GONE = 8, 9, 10  # products: a gift card, money for a wallet, one that is no longer given
# The cards there are: (program, partner, code, points). A partner without one has no card of that program yet.
CARDS = [
    (11, 101, None, "500.00"), (12, 101, None, "37.25"),
    (11, 102, None, "3.00"), (13, 102, None, "100000.00"),
    (32, 101, None, "40.00"), (32, 102, None, "0.50"),
    (21, None, "COUPON-ONE", "1.00"), (21, None, "COUPON-FIVE", "5.00"), (21, 101, "COUPON-101", "2.00"),
    (22, None, "NEXT-ONE", "1.00"), (22, None, "NEXT-TEN", "10.00"),
    (31, None, "GIFT-25", "25.00"), (31, None, "GIFT-3.33", "3.33"), (31, None, "GIFT-0.25", "0.25"),
    (23, 102, "FRIEND-102", "0.00"),
]  # fmt: skip
CODES = {5: ["SAVE-A"], 6: ["SAVE-B", "SAVE-C"], 1: ["EXTRA"], 11: ["BONUS"]}  # of rules
MEMBERS = (101, 102, 103)

TAXES = {
    "vat20": {"id": 1, "amount": "20", "included": True},
    "vat10": {"id": 2, "amount": "10", "included": True},
    "vat5.5": {"id": 3, "amount": "5.5", "included": True},
    "sales": {"id": 4, "amount": "8.25"},
    "city": {"id": 5, "amount": "1.5"},
    "excise": {"id": 6, "amount": "4", "affects_base": True},
    "excise_in": {"id": 7, "amount": "3", "included": True, "affects_base": True},
    "deposit": {"id": 8, "amount_type": "fixed", "amount": "0.25"},
    "eco_in": {"id": 9, "amount_type": "fixed", "amount": "0.10", "included": True},
    "eco_base": {"id": 10, "amount_type": "fixed", "amount": "0.07", "affects_base": True},
}
TAX_LISTS = [
    [], ["vat20"], ["vat10"], ["vat5.5"], ["sales"], ["sales", "city"], ["excise", "vat20"], ["excise", "sales"],
    ["excise_in", "vat20"], ["deposit"], ["vat20", "deposit"], ["eco_in", "vat20"], ["eco_base", "sales"],
]  # fmt: skip

money = st.sampled_from(["0.01", "0.10", "1.00", "4.99", "5.00", "9.99", "10.00", "15.00", "33.33", "100.00"])
percent = st.sampled_from(["5", "10", "12.5", "15", "20", "33.333333", "50", "99.99", "100"])
points = st.sampled_from(["0.50", "1", "3", "7.25", "10", "100"])
costs = st.sampled_from(["1", "1", "1", "1", "2", "3", "10"])
yes = st.just(True)


def some(always, now_and_then, at_most=2):
    """A record of the fields `always`, and a few of those that are there now and then: mostly none, at most so many."""
    names = st.sampled_from(sorted(now_and_then)) if now_and_then else st.nothing()
    counts = st.sampled_from(([0] * 5 + [1] * 2 + [2])[: 5 + at_most * 2] if now_and_then else [0])

    @st.composite
    def record(draw):
        fields = {name: draw(strategy) for name, strategy in always.items()}
        for _ in range(draw(counts)):
            name = draw(names)
            fields[name] = draw(now_and_then[name])
        return fields

    return record()


def one_of(strategies):
    """One of these, each as likely (st.one_of would look into those that are choices themselves)."""
    return st.sampled_from(strategies).flatmap(lambda strategy: strategy)


ids = st.lists(st.integers(1, 7), min_size=1, max_size=3, unique=True)


def naming(prefix=""):
    """Fields that name products."""
    return {
        f"{prefix}product_ids": ids,
        f"{prefix}category_id": st.integers(1, 4),
        f"{prefix}tag": st.sampled_from(["sale", "new"]),
        "exclude_product_ids": ids,
        "exclude_category_id": st.integers(1, 4),
        "exclude_tag": st.sampled_from(["sale", "new"]),
    }


# ---- rules

AMOUNTS = {"order": ["1", "2", "10"], "money": ["1", "0.5", "0.033333", "10"], "unit": ["1", "1", "3", "0.333333"]}
MODES = {"buy_x_get_y": ["unit", "unit", "order"], "loyalty": ["money", "unit", "order"]}


BONUSES = [  # on a wallet, for goods; a unit at 0.10 is worth no more than the last gives for it
    {"category_id": 1, "reward_point_mode": "money", "reward_point_amount": "0.05"},
    {"tag": "sale", "reward_point_mode": "order", "reward_point_amount": "2"},
    {"product_ids": [5, TOP_UP], "reward_point_mode": "unit", "reward_point_amount": "0.1"},
]


def rules(kind):
    """A rule of a program of this kind."""
    if kind in ("gift_card", "ewallet"):
        sold = {"product_ids": [GIFT if kind == "gift_card" else TOP_UP], "reward_point_mode": "money"}
        sells = st.just(dict(sold, reward_point_split=kind == "gift_card"))
        return sells if kind == "gift_card" else st.one_of(sells, st.sampled_from(BONUSES))

    def make(mode):
        conditions = dict(
            naming(),
            minimum_qty=st.sampled_from(["1", "2", "3", "0.5"]),
            minimum_amount=money,
            minimum_amount_tax_mode=st.sampled_from(["incl", "excl"]),
        )
        always = {"reward_point_mode": st.just(mode), "reward_point_amount": st.sampled_from(AMOUNTS[mode])}
        if kind == "next_order_coupons" and mode != "order":
            always["reward_point_split"] = st.booleans()
        return some(always, conditions)

    return st.one_of(*[make(mode) for mode in MODES.get(kind, ["order", "order", "money", "unit"])])


# ---- rewards

KINDS = [(mode, where) for mode in ("percent", "per_order", "per_point") for where in ("order", "specific", "cheapest")]


def reward(kind, always=None, **now_and_then):
    always = dict(always or {}, reward_type=st.just(kind), required_points=costs)
    return some(always, now_and_then)


def discount_rewards():
    rates = {"percent": percent, "per_order": money, "per_point": st.sampled_from(["0.01", "0.10", "1", "0.033333", "2.5"])}

    def make(mode, where):
        always = {
            "discount_mode": st.just(mode),
            "discount_applicability": st.just(where),
            "discount": rates[mode],
        }
        names = naming("discount_")
        if where == "specific":
            always["discount_product_ids"] = names.pop("discount_product_ids")
        return reward("discount", always, discount_max_amount=money, clear_wallet=yes, **names)

    return one_of([make(mode, where) for mode, where in KINDS])


product_rewards = reward(
    "product",
    {
        "reward_product_ids": st.lists(st.sampled_from([1, 1, 1, 2, 2, 3, GONE]), min_size=1, max_size=2, unique=True),
        "reward_product_qty": st.sampled_from(["1", "1", "2", "3"]),
    },
    clear_wallet=yes,
)
special_prices = reward(
    "special_price",
    {"special_price": st.sampled_from(["0.50", "1.00", "4.99", "0", "9.00"]), "discount_product_ids": ids},
    max_units=st.sampled_from(["1", "2", "2.5"]),
    exclude_tag=st.just("sale"),
)
set_items = some({"product_ids": ids}, {"qty": st.sampled_from(["1", "2"])}) | some(
    {"qty": st.just("1")}, {"category_id": st.integers(1, 4), "tag": st.sampled_from(["sale", "new"])}, 1
)
special_sets = reward(
    "special_set",
    {
        "set_items": st.lists(set_items, min_size=1, max_size=3),
        "set_price": st.sampled_from(["1.00", "5.00", "9.99", "12.00", "0"]),
    },
    max_sets=st.sampled_from([1, 2]),
)
multiple_discounts = reward(
    "multiple_discount",
    {
        "discounts": st.lists(st.fixed_dictionaries({"discount": percent}), min_size=1, max_size=3),
        "discount_applicability": st.sampled_from(["order", "specific", "cheapest"]),
    },
    discount_max_amount=money,
    **naming("discount_"),
)
point_rewards = reward("point", {"points": points})
payments = st.sampled_from(["1", "1", "0.5"]).map(
    lambda rate: {"discount_mode": "per_point", "discount": rate, "required_points": "0.01"}
)


def rewards(kind):
    if kind in ("gift_card", "ewallet"):
        return payments
    if kind == "buy_x_get_y":
        return product_rewards
    others = [product_rewards, special_prices, special_sets, multiple_discounts]
    others += [point_rewards] if kind == "loyalty" else []
    return one_of([discount_rewards()] * 5 + others)


# ---- programs

WHEN = {
    "date_from": st.sampled_from(["2031-03-03", "2031-03-04"]),
    "date_to": st.sampled_from(["2031-03-03", "2031-03-04"]),
    "weekdays": st.lists(st.sampled_from(["monday", "tuesday", "sunday"]), min_size=1, max_size=2, unique=True),
    "hours": st.sampled_from([["09:00", "17:00"], ["22:00", "02:00"]]),
    "pos_config_ids": st.lists(st.integers(1, 3), min_size=1, max_size=2, unique=True),
    "channels": st.sampled_from([["pos"], ["sale"]]),
    "pricelist_ids": st.just([5]),
}
HOW = {
    "priority": st.sampled_from([-1, 1]),
    "discount_base": st.just("initial"),
    "earn_on": st.just("net"),
    "stacking": st.sampled_from(["exclusive", "best_of", "best_of"]),
}
PLACES = {"loyalty": "both", "next_order_coupons": "future", "gift_card": "future", "ewallet": "future"}


def programs(id):
    kind = TYPES[id]
    is_payment, may_be_empty = kind in ("gift_card", "ewallet"), kind in ("loyalty", "coupons")
    rule_count = max(len(CODES.get(id, [])), 1 if is_payment else 2)
    always = {
        "program_id": st.just(id),
        "name": st.just(f"program {id}"),
        "program_type": st.just(kind),
        "trigger": st.just("with_code" if kind in ("promo_code", "coupons") else "auto"),
        "applies_on": st.just(PLACES.get(kind, "current")),
        "rules": st.lists(rules(kind), min_size=0 if may_be_empty else 1, max_size=rule_count),
        "rewards": st.lists(rewards(kind), min_size=0 if kind == "loyalty" else 1, max_size=1 if is_payment else 2),
    }

    def finish(program):
        if program.get("date_from", "") > program.get("date_to", "9"):
            del program["date_from"]
        if program.get("stacking") == "best_of":
            program["best_of"] = "group"
        for rule, code in zip(reversed(program["rules"]), CODES.get(id, [])):
            rule.update(mode="with_code", code=code)
        return program

    if is_payment:
        return st.fixed_dictionaries(always)
    return some(always, dict(HOW, **WHEN)).map(finish)


ALL_PROGRAMS = {id: programs(id) for id in TYPES}


OFTEN = st.sampled_from([1, 2, 3, 4, 5, 6, 11, 21] * 2 + sorted(TYPES))


@st.composite
def catalogs(draw):
    """Up to five programs."""
    ids = draw(st.lists(OFTEN, min_size=1, max_size=5, unique=True))
    return [draw(ALL_PROGRAMS[id]) for id in sorted(ids)]


# ---- carts

QTY = st.sampled_from(["1", "1", "1", "2", "2", "3", "5", "7", "1.5", "0.333", "-1", "-2", "-0.5"])
PRICE = st.sampled_from(["0", "0.01", "0.99", "1", "3.33", "5", "9.99", "10", "33.333333", "100", "12.345", "250.50"])
TAXED = st.sampled_from([[]] * 6 + TAX_LISTS).map(lambda names: [TAXES[name] for name in names])


def lines(products):
    always = {"product_id": st.sampled_from(products), "qty": QTY, "price_unit": PRICE, "taxes": TAXED}
    return some(always, {"discount": st.sampled_from(["10", "33.33", "100"])}).map(plain)


def plain(line):
    """A fixed tax that is included in the price is never more than the price; cards are sold in whole units."""
    if float(line["price_unit"]) * (100 - float(line.get("discount", 0))) < 50:
        line["taxes"] = [tax for tax in line["taxes"] if tax["id"] != TAXES["eco_in"]["id"]]
    if line["product_id"] in (GIFT, TOP_UP) and (exact(line["qty"]).denominator > 1 or exact(line["qty"]) < 0):
        line["qty"] = "1"
    return line


def card_codes(program):
    return [code for id, _, code, _ in CARDS if id == program["program_id"] and code]


def choices(program):
    """Claims of a program's rewards."""
    count = len(program["rewards"])
    products = [id for reward in program["rewards"] for id in reward.get("reward_product_ids", [])]
    always = {"program_id": st.just(program["program_id"])}
    optional = {"points": points}
    if count > 1:
        always["reward_id"] = st.integers(1, count)
    else:
        optional["reward_id"] = st.integers(1, 2)
    if products:
        optional.update(product_id=st.sampled_from(products), qty=st.sampled_from(["1", "2"]))
    if card_codes(program):
        optional["card"] = st.sampled_from(card_codes(program))
    return some(always, optional)


def claims(catalog):
    """Rewards chosen, codes entered, cards that pay: of the programs there are, and now and then of others."""
    options = []
    for program in catalog:
        codes = CODES.get(program["program_id"], []) + card_codes(program)
        options += [choices(program)] * (1 if codes else 2 if is_automatic(program) else 1)
        options += [st.sampled_from(codes).map(lambda code: {"code": code})] * 2 if codes else []
    options += [st.sampled_from([{"program_id": ABSENT_PROGRAM}, {"code": "NOBODY"}, {"code": "COUPON-ONE"}])]
    return one_of(options)


def products_of(catalog):
    """Products that the programs name, so that rules hold and rewards find something."""
    named = []
    for program in catalog:
        for one in program["rules"] + program["rewards"]:
            for field in ("product_ids", "discount_product_ids", "reward_product_ids"):
                named += one.get(field, [])
            for item in one.get("set_items", []):
                named += item.get("product_ids", [])
    return [id for id in named if id != GONE] * 3 + [1, 2, 3, 4, 5, 6, UNKNOWN_PRODUCT]


INSTANTS = [  # 2031-03-03 is a Monday
    "2031-03-03T12:00:00Z", "2031-03-03T12:00:00Z", "2031-03-03T12:00:00Z",
    "2031-03-02T23:59:59Z", "2031-03-03T00:00:00Z", "2031-03-03T01:59:59Z", "2031-03-03T02:00:00Z",
    "2031-03-03T16:59:59Z", "2031-03-03T17:00:00Z", "2031-03-04T23:00:00Z", "2031-03-05T04:59:59Z",
]  # fmt: skip


def carts(catalog):
    codes = [code for program in catalog if program["program_type"] != "referral" for code in card_codes(program)]
    now_and_then = {
        "channel": st.just("sale"),
        "tax_rounding": st.just("global"),
        "auto_claim": st.just(False),
        "pricelist_id": st.just(5),
    }
    if codes:
        now_and_then["cards"] = st.lists(st.sampled_from(codes), min_size=1, max_size=2, unique=True)
    always = {
        "order_id": st.just("quote"),
        "store_id": st.sampled_from([1, 1, 2, 3]),
        "at": st.sampled_from(INSTANTS),
        "lines": st.lists(lines(products_of(catalog)), min_size=1, max_size=5),
        "claims": st.lists(claims(catalog), max_size=4),
        "partner_id": st.sampled_from([101, 101, 102, 103, None]),
    }
    return some(always, now_and_then)
