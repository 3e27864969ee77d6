"""Random histories of two members at the present: orders, returns, holds, corrections, transfers, changes of level (Hypothesis)."""

from hypothesis import strategies as st

from .carts import some
from .histories import lines, refund

BRONZE, GOLD = 61, 62
LEVELS = [
    {"membership_product_id": BRONZE, "sequence": 1, "threshold": "0.00"},
    {"membership_product_id": GOLD, "sequence": 2, "threshold": "0.00", "is_upgradable": False, "earn_multiplier": "1.5"},
]
OF_BRONZE, OF_GOLD, OF_ALL = 31, 32, 33
PER_MONEY = {"reward_point_mode": "money", "reward_point_amount": "1"}
CATALOG = [
    {
        "program_id": OF_BRONZE,
        "name": "of bronze: points that stay",
        "membership_product_id": BRONZE,
        "is_primary_loyalty": True,
        "rules": [PER_MONEY],
        "rewards": [{"discount_mode": "per_point", "discount": "0.10", "required_points": "5"}],
    },
    {
        "program_id": OF_GOLD,
        "name": "of gold: points of a year",
        "membership_product_id": GOLD,
        "is_primary_loyalty": True,
        "expiry": {"policy": "years", "count": 1},
        "rules": [PER_MONEY],
        "rewards": [{"discount_mode": "per_order", "discount": "1.50", "required_points": "20"}],
    },
    {
        "program_id": OF_ALL,
        "name": "that nobody earns any more",
        "rules": [PER_MONEY],
        "rewards": [{"discount": "10", "required_points": "12.5"}],
    },
]
CATALOG = [dict(program, program_type="loyalty", trigger="auto") for program in CATALOG]

programs = st.sampled_from([OF_BRONZE, OF_BRONZE, OF_GOLD, OF_ALL])
member = st.integers(0, 1)
points = st.sampled_from(["0.01", "5", "12.34", "20", "33.33"])


def step(name, **fields):
    return st.fixed_dictionaries(dict(fields, step=st.just(name)))


claims = some({"program_id": programs}, {"points": points})
sale = step(
    "sale", member=member, lines=st.lists(lines, min_size=1, max_size=3), claims=st.lists(claims, max_size=2), captures=st.booleans()
)
back = refund.map(lambda fields: dict(fields, step="refund"))
correction = step("adjust", member=member, program=programs, points=points, takes=st.booleans())
hold = step("hold", member=member, program=programs, points=points)
settled = step("settle", hold=st.integers(0, 9), how=st.sampled_from(["capture", "capture", "release"]), part=st.sampled_from([None, "0.5", "0.1"]))
transfer = step("transfer", member=member, program=programs, points=points)
level = step("level", member=member, level=st.sampled_from([BRONZE, GOLD, GOLD]))
steps = st.lists(st.one_of(sale, sale, back, correction, hold, settled, transfer, level), min_size=2, max_size=12)
