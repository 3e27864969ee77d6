"""Random histories of one member: orders and refunds, at instants that pass (Hypothesis strategies)."""

import datetime

from hypothesis import strategies as st

from .carts import TAXES, some

START = datetime.datetime(2020, 1, 20, 10, tzinfo=datetime.timezone.utc)
LONG, SHORT, MONTHLY, OFF = 21, 22, 23, 24
CATALOG = [
    {
        "program_id": LONG,
        "name": "a point a unit of money, for thirty years",
        "program_type": "loyalty",
        "expiry": {"policy": "years", "count": 30},
        "rules": [{"reward_point_mode": "money", "reward_point_amount": "1"}],
        "rewards": [{"discount_mode": "per_point", "discount": "0.10", "required_points": "5"}],
    },
    {
        "program_id": SHORT,
        "name": "points of a few days",
        "program_type": "loyalty",
        "expiry": {"policy": "days", "count": 20},
        "rules": [
            {"reward_point_mode": "order", "reward_point_amount": "4"},
            {"reward_point_mode": "unit", "reward_point_amount": "1.5", "product_ids": [1, 2]},
        ],
        "rewards": [{"discount": "10", "required_points": "7", "discount_applicability": "specific"}],
    },
    {
        "program_id": MONTHLY,
        "name": "until the month ends; refunds forgive and give back anew",
        "program_type": "loyalty",
        "expiry": {"policy": "end_of_month"},
        "restore_expired": "extend_days",
        "extend_days": 5,
        "shortfall": "forgive",
        "rules": [{"reward_point_mode": "unit", "reward_point_amount": "0.333333"}],
        "rewards": [{"discount_mode": "per_order", "discount": "2.50", "required_points": "1.5"}],
    },
    {
        "program_id": OFF,
        "name": "a tenth off from 50",
        "program_type": "promotion",
        "rules": [{"minimum_amount": "50"}],
        "rewards": [{"discount": "10"}],
    },
]
CATALOG = [dict(program, trigger="auto") for program in CATALOG]

lines = some(
    {
        "product_id": st.integers(1, 3),
        "qty": st.sampled_from(["1", "2", "3", "0.75"]),
        "price_unit": st.sampled_from(["0.99", "10", "33.33", "7"]),
        "taxes": st.sampled_from([[], [TAXES["vat20"]], [TAXES["sales"]]]),
    },
    {"discount": st.sampled_from(["12.5", "50"])},
)
claims = some({"program_id": st.just(LONG)}, {"points": st.sampled_from(["5", "12.34", "40", "100"])}) | some(
    {"program_id": st.sampled_from([SHORT, MONTHLY])}, {}
)
sale = st.fixed_dictionaries(
    {"lines": st.lists(lines, min_size=1, max_size=4), "claims": st.lists(claims, max_size=2)}
)
# A refund: which of the orders so far, and how much of each of its lines (in halves of what it had).
refund = st.fixed_dictionaries(
    {
        "of": st.integers(0, 9),
        "halves": st.lists(st.sampled_from([0, 1, 1, 2, 2, 3]), min_size=4, max_size=4),
        "by_line": st.booleans(),
        "shortfall": st.sampled_from([None, None, "debt", "forgive"]),
    }
)
steps = st.lists(
    st.tuples(st.one_of(sale, refund, refund), st.sampled_from([0, 1, 3, 9, 25])), min_size=2, max_size=10
)


def returned_lines(order, step):
    """The lines of a refund of an order."""
    result = []
    for i, (line, halves) in enumerate(zip(order["lines"], step["halves"])):
        if halves:
            back = {"product_id": line["product_id"], "price_unit": line["price_unit"]}
            back["qty"] = f"-{float(line['qty']) * halves / 2:g}"
            if step["by_line"]:
                back["refund_of"] = {"order_id": order["order_id"], "line_id": str(i)}
            result.append(back)
    return result
