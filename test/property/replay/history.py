"""The orders of a gift shop as the engine takes them: products, customers, and what each customer sends next."""

import json
import lzma
import pathlib
import sys
from decimal import Decimal

from harness import ROOT
from . import programs

sys.path.insert(0, str(ROOT / "tools"))
from quickstart import is_refund, product_number  # noqa: E402

SAMPLE = ROOT / "docs" / "examples" / "online-retail" / "online-retail-sample.orders.jsonl"
PART = 1000  # rows of one reference.put


class History:
    """Orders of a file (JSON lines, perhaps compressed), by customer, each customer's in the order in which they were made."""

    def __init__(self, path):
        opener = lzma.open if pathlib.Path(path).suffix == ".xz" else open
        with opener(path, "rt", encoding="utf-8") as lines:
            orders = [json.loads(line, parse_float=str) for line in lines]
        orders.sort(key=lambda order: (order["order_date"], order["order_id"]))
        self.count = len(orders)
        self.products, self.members = {}, {}
        for order in orders:
            for line in order["lines"]:
                self._know(line["product_id"], line["description"])
            self.members.setdefault(int(order["partner_id"]), []).append(order)

    def _know(self, code, name):
        number = product_number(code)
        known = self.products.setdefault(number, programs.product(number, code, name))
        if known["reference"] != code:
            raise SystemExit(f"products {known['reference']} and {code} have one number, {number}")

    def reference(self):
        """What the engine is told before the first order, as bodies of reference.put."""
        yield {"stores": programs.STORES, "categories": programs.CATEGORIES, "levels": programs.LEVELS}
        products = list(self.products.values())
        for start in range(0, len(products), PART):
            yield {"products": products[start : start + PART]}
        partners = [programs.partner(number) for number in self.members]
        for start in range(0, len(partners), PART):
            yield {"partners": partners[start : start + PART]}


class Customer:
    """A customer at the till: what is sent next depends on what the answers said."""

    def __init__(self, number, orders):
        self.number, self.orders = number, orders
        self.sent = 0
        self.balances, self.coupons = {}, []

    def next(self):
        """(method, body) of the next order, None after the last."""
        if self.sent == len(self.orders):
            return None
        order = self.orders[self.sent]
        self.sent += 1
        body = {
            "order_id": order["order_id"],
            "store_id": programs.STORE,
            "date": order["order_date"],
            "partner_id": self.number,
            "currency": "GBP",
            "import": True,
            "lines": [
                {"product_id": product_number(line["product_id"]), "qty": line["qty"], "price_unit": line["unit_price"]}
                for line in order["lines"]
            ],
        }
        if is_refund(order):
            if order["refund_of"] is not None:
                body["refund_of"] = order["refund_of"]
            return "order.refund", body
        claims = self._claims(order)
        if claims:
            body.update(claims=claims, on_refused="skip")
        return "order.process", body

    def _claims(self, order):
        """Points are spent on every second order, wallet money on every third, coupons as they come, a code now and then."""
        claims = []
        if self.coupons:
            claims.append({"code": self.coupons.pop(0)})
        if self.sent % 2 == 0:
            claims += [{"program_id": program, "reward_id": reward} for program, balance in sorted(self.balances.items())
                       for reward, cost in programs.SPENDS.get(program, ()) if balance >= cost]  # fmt: skip
        if self.sent % 3 == 0 and self.balances.get(programs.WALLET, 0) > 0:
            claims.append({"program_id": programs.WALLET})
        if self.sent % 5 == 1:
            claims.append({"code": programs.CODE})
        return claims

    def hear(self, answer):
        self.balances.update((points["program_id"], Decimal(points["balance"])) for points in answer["points"])
        self.coupons += [card["code"] for card in answer["cards"]]
