"""What the chaos clients ask for: a seeded mix of orders, redemptions, refunds, cancels and adjustments, each with the
effect that it must have on its member's points.

The program is as plain as can be, so that every effect follows from the request: one point for each unit of money,
a point is worth 0.01, nothing expires. Points and money are counted in hundredths here.
"""

import dataclasses
import random

PROGRAM = 1
PROGRAM_BODY = {
    "program_id": PROGRAM,
    "name": "Points",
    "program_type": "loyalty",
    "rules": [{"reward_point_mode": "money", "reward_point_amount": 1}],
    "rewards": [{"discount_mode": "per_point", "discount": "0.01", "required_points": 100}],
}
TAX = {"id": 1, "amount": "20", "included": True}


def text(hundredths):
    """12345 as "123.45"."""
    return f"{'-' if hundredths < 0 else ''}{abs(hundredths) // 100}.{abs(hundredths) % 100:02d}"


def hundredths(decimal):
    """ "123.45" as 12345."""
    whole, _, part = decimal.lstrip("-").partition(".")
    return (-1 if decimal.startswith("-") else 1) * (int(whole) * 100 + int((part + "00")[:2]))


@dataclasses.dataclass
class Operation:
    """One request of a client, whatever becomes of it."""

    kind: str  # earn, redeem, refund, cancel, adjust
    key: str  # the order's id; of an adjustment its key, which is its reason too
    partner: int
    body: dict
    total: int = 0  # money of the goods before discounts; negative on returns
    original: str = ""  # of a refund or cancel: the order
    points: int = 0  # of an adjustment

    METHODS = {
        "earn": "order.process",
        "redeem": "order.process",
        "refund": "order.refund",
        "cancel": "order.cancel",
        "adjust": "card.adjust",
    }

    @property
    def method(self):
        return self.METHODS[self.kind]

    @property
    def header_key(self):
        """The key that goes into the header: that of an order is in its body."""
        return self.key if self.kind == "adjust" else None

    @property
    def place(self):
        """Scope and key, as the database has them."""
        return {"cancel": 2, "adjust": 3}.get(self.kind, 1), self.key


def earn(key, partner=1, points=None):
    """An order over 10.00, on which its member spends points where some are given."""
    line = {"line_id": "0", "product_id": 1, "qty": 1, "price_unit": "10.00"}
    body = {"order_id": key, "partner_id": partner, "lines": [line]}
    if points is not None:
        body["claims"] = [{"program_id": PROGRAM, "points": points}]
    return Operation("redeem" if points else "earn", key, partner, body, 1000)


def earn_much(key, partner, lines):
    """An order of many lines, which takes room wherever it goes."""
    body = {
        "order_id": key,
        "partner_id": partner,
        "lines": [{"line_id": str(n), "product_id": n + 1, "qty": 1, "price_unit": "1.00", "taxes": [TAX]} for n in range(lines)],
    }
    return Operation("earn", key, partner, body, 100 * lines)


def adjust(key, partner, points):
    """Points for a member by hand, in hundredths."""
    body = {"partner_id": partner, "program_id": PROGRAM, "points": text(points), "reason": key}
    return Operation("adjust", key, partner, body, points=points)


class Mix:
    """Operations of one client, which knows only what it was told itself. Members are everybody's."""

    def __init__(self, seed, name, members):
        self.random = random.Random(f"{seed} {name}")
        self.name = name
        self.members = members
        self.number = 0
        self.open = []  # own orders that were answered ok and of which nothing was returned

    def next(self):
        self.number += 1
        roll = self.random.random()
        if self.open and roll < 0.15:
            return self._refund(self.open.pop(self.random.randrange(len(self.open))))
        if self.open and roll < 0.20:
            return self._cancel(self.open.pop(self.random.randrange(len(self.open))))
        if roll < 0.35:
            return self._adjust()
        return self._order("redeem" if roll < 0.60 else "earn")

    def answered(self, operation, ok):
        """Its outcome: an order that was answered ok may be returned later. Any other is left alone."""
        if ok and operation.kind in ("earn", "redeem"):
            self.open.append(operation)

    def _partner(self):
        # Now and then somebody whom the engine has never met.
        if self.random.random() < 0.1:
            return self.random.randrange(10**6, 10**9)
        return self.random.choice(self.members)

    def _order(self, kind):
        key, partner = f"{self.name}-{self.number}", self._partner()
        lines, total = [], 0
        for number in range(self.random.randint(1, 4)):
            price, qty = self.random.randint(1, 5000), self.random.randint(1, 3)
            line = {"line_id": str(number), "product_id": self.random.randint(1, 50), "qty": qty, "price_unit": text(price)}
            if self.random.random() < 0.5:
                line["taxes"] = [TAX]
            lines.append(line)
            total += price * qty
        body = {"order_id": key, "partner_id": partner, "lines": lines}
        if kind == "redeem":
            body["claims"] = [{"program_id": PROGRAM, "points": self.random.randint(1, 40) * 100}]
        return Operation(kind, key, partner, body, total)

    def _returned(self, line):
        return dict(line, qty=-line["qty"])

    def _refund(self, order):
        """All of an order, or one line of one on which no points were spent."""
        lines = order.body["lines"]
        if order.kind == "earn" and self.random.random() < 0.5:
            lines = [self.random.choice(lines)]
        total = sum(hundredths(line["price_unit"]) * line["qty"] for line in lines)
        key = f"{self.name}-{self.number}"
        body = {
            "order_id": key,
            "partner_id": order.partner,
            "lines": [dict(self._returned(line), refund_of={"order_id": order.key, "line_id": line["line_id"]}) for line in lines],
        }
        return Operation("refund", key, order.partner, body, -total, order.key)

    def _cancel(self, order):
        return Operation("cancel", order.key, order.partner, {"order_id": order.key}, -order.total, order.key)

    def _adjust(self):
        """Of a member that has a card, or it is refused, which has to come out right too."""
        points = self.random.choice((-1, 1, 1)) * self.random.randint(1, 20000)
        return adjust(f"{self.name}-{self.number}", self.random.choice(self.members), points)
