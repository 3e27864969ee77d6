"""The lines of an order and their taxes, in cents (section 1)."""

from .figures import down, exact, half_away
from .taxes import rounded_taxes_of_line, tax_of, taxes_of_line


class Line:
    """A line as given: its price, its taxes, and what can be taken off it."""

    def __init__(self, fields, index):
        self.id = str(fields.get("line_id", index))
        self.product_id = fields["product_id"]
        self.qty = exact(fields["qty"])
        self.price_unit = exact(fields["price_unit"])
        self.fields = fields
        self.taxes = [tax_of(tax) for tax in fields.get("taxes", [])]
        self.by_hand = exact(fields.get("discount", 0))
        self.price = half_away(self.price_unit * self.qty * (100 - self.by_hand))
        self.exact_taxes = taxes_of_line(self.price, self.qty, self.taxes)
        self.rounded_taxes = rounded_taxes_of_line(self.price, self.qty, self.taxes)
        self.sells = None  # the gift card or wallet program that it sells or tops up (rule 13)
        self.tops_up = fields.get("card")  # the card that gets its price
        self.is_return = self.qty < 0
        self.is_covered = False

    def settle(self):
        """Totals, once the taxes are rounded."""
        pairs = list(zip(self.taxes, self.rounded_taxes))
        self.total = self.price + sum(amount for tax, amount in pairs if not tax.included)
        self.untaxed = self.total - sum(self.rounded_taxes)
        self.fixed = sum(amount for tax, amount in pairs if tax.amount_type == "fixed")
        self.discountable = self.total - self.fixed if self.price else 0

    def list_total(self):
        """What it costs without the discount given by hand."""
        line = Line({name: value for name, value in self.fields.items() if name != "discount"}, 0)
        line.settle()
        return line.total


class CoveredLine:
    """Units that come back of an order that is known: what they cost then, after discounts."""

    def __init__(self, fields, index, sold, units, cents, taxes):
        self.id, self.product_id, self.fields = str(fields.get("line_id", index)), sold.product_id, fields
        self.qty, self.price_unit, self.by_hand = -units, sold.price_unit, 0
        self.taxes = sold.taxes
        self.total, self.fixed = -cents, 0
        self.rounded_taxes = [-taxes[tax.id] for tax in sold.taxes]
        self.exact_taxes = self.rounded_taxes
        self.untaxed = self.total - sum(self.rounded_taxes)
        pairs = zip(self.taxes, self.rounded_taxes)
        self.discountable = self.total - sum(amount for tax, amount in pairs if tax.amount_type == "fixed")
        self.sells, self.tops_up, self.is_return, self.is_covered = None, None, True, True


def round_globally(lines):
    """`global`: each tax once for the order; the cents of it are spread over the lines by the largest remainder."""
    for tax_id in {tax.id for line in lines for tax in line.taxes}:
        places = [(line, i) for line in lines for i, tax in enumerate(line.taxes) if tax.id == tax_id]
        exacts = [line.exact_taxes[i] for line, i in places]
        rounded = [down(amount) for amount in exacts]
        missing = half_away(sum(exacts)) - sum(rounded)
        sign = 1 if missing > 0 else -1
        for at in sorted(range(len(exacts)), key=lambda n: (sign * (rounded[n] - exacts[n]), n))[: abs(missing)]:
            rounded[at] += sign
        for (line, i), amount in zip(places, rounded):
            line.rounded_taxes[i] = amount


def lines_of(order, covered=None):
    """The lines of an order. `covered`: {index of a return line: [(line, units, cents, taxes)] of its originals}; what
    these do not cover is a line like any other."""
    lines = []
    for index, fields in enumerate(order["lines"]):
        parts = (covered or {}).get(index, [])
        left = exact(fields["qty"]) + sum(units for _, units, _, _ in parts)
        lines += [CoveredLine(fields, index, *part) for part in parts]
        if left:
            lines.append(Line(dict(fields, qty=str_of(left)), index))
    own = [line for line in lines if not line.is_covered]
    if order.get("tax_rounding") == "global":
        round_globally(own)
    for line in own:
        line.settle()
    return lines


def str_of(units):
    """A quantity as it travels."""
    text = f"{float(units):.6f}".rstrip("0").rstrip(".")
    assert exact(text) == units
    return text
