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


def lines_of(order):
    lines = [Line(fields, i) for i, fields in enumerate(order["lines"])]
    if order.get("tax_rounding") == "global":
        round_globally(lines)
    for line in lines:
        line.settle()
    return lines
