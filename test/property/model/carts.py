"""Random catalogs and carts, small and full of the values at which rules change their mind (Hypothesis strategies)."""

from hypothesis import strategies as st

from .catalog import has_cards

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
]
UNKNOWN_PRODUCT = 7
STORES = [
    {"store_id": 1, "time_zone": "UTC"},
    {"store_id": 2, "time_zone": "Asia/Tokyo"},
    {"store_id": 3, "time_zone": "America/New_York"},
]
PROMOTIONS = (1, 2, 3, 4)
LOYALTY = (11, 12, 13)
ABSENT_PROGRAM = 999
# Usable points by partner and loyalty program. A partner who is not here has no card yet.
BALANCES = {
    101: {11: "500.00", 12: "37.25"},
    102: {11: "3.00", 13: "100000.00"},
    103: {},
}

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

money = st.sampled_from(
    ["0.01", "0.05", "0.10", "1.00", "4.99", "5.00", "9.99", "10.00", "15.00", "33.33", "50.00", "100.00"]
)
percent = st.sampled_from(["5", "10", "12.5", "15", "20", "33.333333", "50", "99.99", "100"])
points = st.sampled_from(["0.50", "1", "3", "7.25", "10", "100"])


def fields(required=None, **optional):
    """A record whose optional fields are there now and then."""
    return st.fixed_dictionaries(required or {}, optional=optional)


def few(strategy):
    """None, mostly; then the field is left out."""
    return st.one_of(st.none(), st.none(), st.none(), strategy)


def without_none(record):
    return {name: value for name, value in record.items() if value is not None}


def naming(prefix=""):
    """Fields that name products: mostly none of them."""
    ids = st.lists(st.integers(1, 7), min_size=1, max_size=3, unique=True)
    return {
        f"{prefix}product_ids": few(ids),
        f"{prefix}category_id": few(st.integers(1, 4)),
        f"{prefix}tag": few(st.sampled_from(["sale", "new"])),
        "exclude_product_ids": few(ids),
        "exclude_category_id": few(st.integers(1, 4)),
        "exclude_tag": few(st.sampled_from(["sale", "new"])),
    }


def rules():
    def make(mode):
        amounts = {"order": ["1", "2", "10"], "money": ["1", "0.5", "0.033333", "10"], "unit": ["1", "3", "0.333333"]}
        return st.fixed_dictionaries(
            {
                "reward_point_mode": st.just(mode),
                "reward_point_amount": st.sampled_from(amounts[mode]),
                "minimum_qty": few(st.sampled_from(["1", "2", "3", "0.5"])),
                "minimum_amount": few(money),
                "minimum_amount_tax_mode": few(st.sampled_from(["incl", "excl"])),
                **naming(),
            }
        ).map(without_none)

    return st.sampled_from(["order", "order", "money", "unit"]).flatmap(make)


def rewards(kinds):
    def make(kind):
        mode, applicability = kind
        per_point = st.sampled_from(["0.01", "0.10", "1", "0.033333", "2.5"])
        rate = {"percent": percent, "per_order": money, "per_point": per_point}
        names = naming("discount_") if applicability == "specific" else {}  # the others: finding 4
        return st.fixed_dictionaries(
            {
                "reward_type": st.just("discount"),
                "discount_mode": st.just(mode),
                "discount_applicability": st.just(applicability),
                "discount": rate[mode],
                "required_points": points if mode == "per_point" else st.sampled_from(["1", "1", "2", "10"]),
                "discount_max_amount": few(money),
                "clear_wallet": few(st.booleans()),
                **names,
            }
        ).map(without_none)

    return st.sampled_from(kinds).flatmap(make)


KINDS = [(mode, where) for mode in ("percent", "per_order", "per_point") for where in ("order", "specific")]


def when():
    """When and where a program takes part: mostly always and everywhere."""
    return {
        "date_from": few(st.sampled_from(["2031-03-03", "2031-03-04"])),
        "date_to": few(st.sampled_from(["2031-03-03", "2031-03-04"])),
        "weekdays": few(st.lists(st.sampled_from(["monday", "tuesday", "sunday"]), min_size=1, max_size=2, unique=True)),
        "hours": few(st.sampled_from([["09:00", "17:00"], ["22:00", "02:00"]])),
        "pos_config_ids": few(st.lists(st.integers(1, 3), min_size=1, max_size=2, unique=True)),
        "channels": few(st.sampled_from([["pos"], ["sale"]])),
        "pricelist_ids": few(st.just([5])),
    }


def programs(id, stacking, timed):
    kind = "loyalty" if id in LOYALTY else "promotion"
    how = {
        "priority": few(st.sampled_from([-1, 1])),
        "discount_base": few(st.just("initial")),
        "earn_on": few(st.just("net")),
    }
    if stacking:
        how["stacking"] = few(st.sampled_from(["exclusive", "best_of"]))
    if timed:
        how.update(when())

    def finish(program):
        program = without_none(program)
        if program.get("date_from", "") > program.get("date_to", "9"):
            del program["date_from"]
        if program.get("stacking") == "best_of":
            program["best_of"] = "group"
        return program

    return st.fixed_dictionaries(
        {
            "program_id": st.just(id),
            "name": st.just(f"program {id}"),
            "program_type": st.just(kind),
            "trigger": st.just("auto"),
            "applies_on": st.just("both") if kind == "loyalty" else st.sampled_from(["current"] * 3 + ["both"]),
            "rules": st.lists(rules(), min_size=0 if kind == "loyalty" else 1, max_size=2),
            "rewards": st.lists(rewards(KINDS), min_size=0 if kind == "loyalty" else 1, max_size=2),
            **how,
        }
    ).map(finish)


@st.composite
def catalogs(draw, stacking=True, timed=True):
    """Up to four promotions and three loyalty programs."""
    ids = draw(st.lists(st.sampled_from(PROMOTIONS + LOYALTY), min_size=1, max_size=4, unique=True))
    return [draw(programs(id, stacking, timed)) for id in sorted(ids)]


def lines(returns, taxes):
    qty = ["1", "1", "2", "3", "5", "1.5", "0.333"] + (["-1", "-2", "-0.5"] if returns else [])
    price = ["0", "0.01", "0.99", "1", "3.33", "5", "9.99", "10", "33.333333", "100", "12.345", "250.50"]
    return st.fixed_dictionaries(
        {
            "product_id": st.integers(1, UNKNOWN_PRODUCT),
            "qty": st.sampled_from(qty),
            "price_unit": st.sampled_from(price),
            "discount": few(st.sampled_from(["10", "33.33", "100"])),
            "taxes": st.sampled_from([TAX_LISTS[i] for i in range(len(TAX_LISTS)) if taxes or i < 2]).map(
                lambda names: [TAXES[name] for name in names]
            ),
        }
    ).map(priced_above_eco)


def priced_above_eco(line):
    """A fixed tax that is included in the price is never more than the price."""
    line = without_none(line)
    if float(line["price_unit"]) * (100 - float(line.get("discount", 0))) < 50:
        line["taxes"] = [tax for tax in line["taxes"] if tax["id"] != TAXES["eco_in"]["id"]]
    return line


def claims(catalog):
    def make(program):
        rewards = len(program["rewards"])
        return st.fixed_dictionaries(
            {
                "program_id": st.just(program["program_id"]),
                "reward_id": few(st.integers(1, rewards + 1)) if rewards < 2 else st.integers(1, rewards),
                "points": few(points),
            }
        ).map(without_none)

    absent = st.just({"program_id": ABSENT_PROGRAM})
    return st.one_of(*[make(program) for program in catalog for _ in range(1 + has_cards(program))], absent)


INSTANTS = [  # 2031-03-03 is a Monday
    "2031-03-03T12:00:00Z", "2031-03-02T23:59:59Z", "2031-03-03T00:00:00Z", "2031-03-03T01:59:59Z", "2031-03-03T02:00:00Z",
    "2031-03-03T16:59:59Z", "2031-03-03T17:00:00Z", "2031-03-04T23:00:00Z", "2031-03-05T04:59:59Z",
]  # fmt: skip


@st.composite
def carts(draw, catalog, returns=True, taxes=True, timed=True):
    cart = {
        "order_id": "quote",
        "store_id": draw(st.integers(1, 3)) if timed else 1,
        "at": draw(st.sampled_from(INSTANTS)) if timed else INSTANTS[0],
        "lines": draw(st.lists(lines(returns, taxes), min_size=1, max_size=5)),
        "claims": draw(st.lists(claims(catalog), max_size=4)),
        "partner_id": draw(st.sampled_from([101, 102, 103, None])),
        "channel": draw(few(st.just("sale"))),
        "tax_rounding": draw(few(st.just("global"))) if taxes else None,
        "auto_claim": draw(few(st.just(False))),
        "pricelist_id": draw(few(st.just(5))),
    }
    return without_none(cart)
