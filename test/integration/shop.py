"""What the tests of orders share: programs, orders, and ids that no other test uses."""

import contextlib
import itertools
from decimal import Decimal

import pytest

from harness import BUILD  # noqa: F401  puts the Python client on the path
from loyalty_client import LoyaltyError

_numbers = itertools.count(1)

TWENTY = {"id": 1, "amount": "20", "included": True}


def new_id(prefix="O"):
    """An order id (or a code) that is nobody else's."""
    return f"{prefix}-{next(_numbers)}"


def new_partner():
    return 10_000 + next(_numbers)


def line(product_id=1, qty=1, price="10.00", **fields):
    return dict({"product_id": product_id, "qty": qty, "price_unit": price}, **fields)


def order(partner_id=None, *lines, order_id=None, **fields):
    """An order of one unit for 10.00, or of these lines."""
    body = {"order_id": order_id or new_id(), "lines": list(lines) or [line()]}
    if partner_id is not None:
        body["partner_id"] = partner_id
    return dict(body, **fields)


def refund(original, *lines, **fields):
    """Takes lines back of an order."""
    return order(None, *lines, refund_of=original, **fields)


def loyalty_program(program_id=1, **fields):
    """A point for each unit of money paid; a point is worth a cent (reward 1), 50 of them a 5.00 voucher (reward 2)."""
    return dict(
        {
            "program_id": program_id,
            "name": f"Points {program_id}",
            "program_type": "loyalty",
            "rules": [{"reward_point_mode": "money", "reward_point_amount": 1}],
            "rewards": [
                {"discount_mode": "per_point", "discount": "0.01"},
                {"discount_mode": "per_order", "discount": "5.00", "required_points": 50},
            ],
        },
        **fields,
    )


def promotion(program_id, percent, **fields):
    """So many percent off the whole order, by itself."""
    return dict(
        {
            "program_id": program_id,
            "name": f"{percent} % off",
            "program_type": "promotion",
            "rules": [{}],
            "rewards": [{"discount": percent}],
        },
        **fields,
    )


class Programs:
    """Programs of one test: put under ids of their own, and archived when it is over, so that no other test meets them."""

    def __init__(self, engine):
        self.engine = engine
        self.program_list = []

    def put(self, **fields):
        """Puts a program (by default a promotion without conditions); its id."""
        program = dict({"program_id": 1_000 + next(_numbers), "program_type": "promotion", "rules": [{}]}, **fields)
        program.setdefault("name", f"program {program['program_id']}")
        self.engine.call("program.put", program)
        self.program_list = [one for one in self.program_list if one["program_id"] != program["program_id"]] + [program]
        return program["program_id"]

    def archive(self):
        for program in self.program_list:
            self.engine.call("program.put", dict(program, state="archived"))
        self.program_list = []


@contextlib.contextmanager
def refused(code, **details):
    """Expects a LoyaltyError of this code with these details; `.value` is the error."""
    with pytest.raises(LoyaltyError) as caught:
        yield caught
    error = caught.value
    assert (error.code, {name: error.details.get(name) for name in details}) == (code, details), error


def total(values):
    return sum((Decimal(value) for value in values), Decimal(0))


TABLES = {
    "orders": "",
    "loyalty_cards": "",
    "point_moves": "",
    "point_history": "",
    "members": " WHERE order_count > 0 OR spending <> 0",  # a bare row may be left by an order that failed
    "request_keys": "",
    "card_codes": "",
    "changes": "",
    "order_refunds": "",
    "referral_credits": "",
    "program_usage": " WHERE used > 0 OR amount > 0",  # as above
}


def told(engine, topic, partner=None):
    """How many events of a topic (its number) there are, numbered or about to be; of a member: an order's is in its row."""
    mask = 1 << (topic - 1)
    whose = "" if partner is None else f" AND coalesce(c.partner_id, o.partner_id) = {partner}"
    joined = "changes c LEFT JOIN orders o ON c.order_ref > 0 AND o.order_ref = c.order_ref AND o.bucket = c.bucket"
    return engine.query(f"SELECT count(*) FROM {joined} WHERE c.topics & {mask} > 0{whose}")[0][0]


def written(engine):
    """How many rows each table of the ledger has: the same before and after what must write nothing."""
    counts = ", ".join(f"(SELECT count(*) FROM {table}{where})" for table, where in TABLES.items())
    return dict(zip(TABLES, engine.query(f"SELECT {counts}")[0]))
