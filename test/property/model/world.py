"""Members, their cards and their orders over time: what an engine keeps (sections 4, 6 and 7)."""

from fractions import Fraction

from .cards import Card
from .figures import exact, half_away
from .order import Evaluation
from .standing import Pocket, Standing


class Sale:
    """A processed order, as refunds see it: money by line, points by card."""

    def __init__(self, evaluation, order_id):
        self.order_id = order_id
        self.lines = evaluation.lines
        self.nets = [line.total - evaluation.line_discount(i) for i, line in enumerate(self.lines)]
        self.weights = self.nets
        if sum(self.nets) == 0:
            self.weights = [line.list_total() for line in self.lines]
        self.points = {}  # card: (earned, redeemed)
        self.returned = [0] * len(self.lines)
        self.taken, self.given = {}, {}  # by card, so far
        self.is_cancelled = False

    def finding_2(self):
        """List prices of lines with a discount given by hand."""
        return sum(self.nets) == 0 and any(line.by_hand for line in self.lines)

    def refunded(self):
        """What was refunded so far, of `weights`."""
        parts = zip(self.weights, self.returned, self.lines)
        return sum(share_of(weight, units, line.qty) for weight, units, line in parts)

    def cover(self, returns):
        """Which units of which lines a refund takes back: the money of it, and by returned line the units that are left
        over. First by line, or by product and unit price; what is left after that by product."""
        money, left = 0, [-exact(returned["qty"]) for returned in returns]
        for by_price in (True, False):
            for n, returned in enumerate(returns):
                for i, line in enumerate(self.lines):
                    if line.qty > 0 and self.matches(returned, line, by_price):
                        part = min(left[n], line.qty - self.returned[i])
                        left[n] -= part
                        money -= share_of(self.nets[i], self.returned[i], line.qty)
                        self.returned[i] += part
                        money += share_of(self.nets[i], self.returned[i], line.qty)
        return money, left

    def exceeds(self, returns):
        """Whether a line that is named is to be returned more often than it was bought."""
        wanted = {}
        for returned in returns:
            line_id = returned.get("refund_of", {}).get("line_id")
            if line_id is not None:
                wanted[line_id] = wanted.get(line_id, 0) - exact(returned["qty"])
        left = {line.id: line.qty - self.returned[i] for i, line in enumerate(self.lines)}
        return any(units > left[line_id] for line_id, units in wanted.items())

    @staticmethod
    def matches(returned, line, by_price):
        line_id = returned.get("refund_of", {}).get("line_id")
        if line_id is not None:
            return line.id == line_id
        same_price = not by_price or line.price_unit == exact(returned["price_unit"])
        return line.product_id == returned["product_id"] and same_price


class World:
    """All cards and orders."""

    def __init__(self, catalog):
        self.catalog, self.cards, self.sales = catalog, [], {}

    # Cards

    def card(self, program_id, partner):
        """A member's card of a program; a new one where there is none yet."""
        for card in self.cards:
            if (card.program["program_id"], card.partner) == (program_id, partner):
                return card
        self.cards.append(Card(self.catalog.programs[program_id], partner))
        return self.cards[-1]

    def card_of(self, pocket):
        if pocket.code is None:
            return self.card(pocket.program_id, pocket.partner_id)
        return next(card for card in self.cards if card.code == pocket.code)

    def standing(self, instant, hold_id=None):
        """What an order finds; the hold that it captures does not count as held."""
        pockets = []
        for card in self.cards:
            captured = sum(hold.points() for hold in card.holds if hold.id == hold_id and hold.until > instant)
            usable = card.usable(instant) + captured
            pocket = Pocket(card.program["program_id"], usable, card.partner, card.code, card.debt, card.is_blocked)
            pockets.append(pocket)
        return Standing(pockets)

    # Orders

    def evaluate(self, order, instant):
        return Evaluation(self.catalog, order, instant, self.standing(instant, order.get("hold_id")))

    def process(self, order, instant):
        """Books an order. Answers (evaluation, {card: (earned, redeemed)})."""
        model = self.evaluate(order, instant)
        sale = Sale(model, order["order_id"])
        self.sales[order["order_id"]] = sale
        pockets = {pocket.key(): pocket for pocket in model.pockets()}
        for key, (earned, redeemed) in model.card_points().items():
            card = self.card_of(pockets[key])
            if order.get("hold_id") is not None:
                card.release(order["hold_id"])
            card.earn(earned, order["order_id"], instant)
            card.redeem(redeemed, order["order_id"], instant)
            sale.points[card] = (earned, redeemed)
        return model, sale.points

    def refund(self, order, instant):
        """Books a refund of one order: (cents given back, {card: (earned, redeemed)}, uncovered units)."""
        sale = self.sales[order["refund_of"]]
        money, uncovered = sale.cover(order["lines"])
        for returned, units in zip(order["lines"], uncovered):
            money += half_away(exact(returned["price_unit"]) * units * 100)
        moved = self.take_points_back(sale, order, instant)
        return money, moved, [units for units in uncovered if units]

    def take_points_back(self, sale, order, instant):
        """Rule 33, as far as the sale is refunded by now."""
        so_far, whole, moved = sale.refunded(), sum(sale.weights), {}
        for card, (earned, redeemed) in sale.points.items():
            back = share_of(redeemed, so_far, whole) - sale.given.get(card, 0)
            take = share_of(earned, so_far, whole) - sale.taken.get(card, 0)
            shortfall = order.get("shortfall") or card.program.get("shortfall") or "debt"
            card.give_back(back, sale.order_id, order["order_id"], instant)
            missing = card.take_back(take, sale.order_id, order["order_id"], instant, shortfall)
            sale.given[card] = sale.given.get(card, 0) + back
            sale.taken[card] = sale.taken.get(card, 0) + take
            if back or take != missing:
                moved[card] = (missing - take, -back)
        return moved


def share_of(amount, part, whole):
    return half_away(Fraction(amount) * part / whole) if whole else 0


