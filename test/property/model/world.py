"""The model as an engine: programs, members, cards and orders over time (sections 4, 6 and 7).

`call` takes a request as the protocol has it and answers with the figures of the engine's answer, or raises Refused.
"""

import copy
import datetime
import itertools
import zoneinfo

from .answers import answer_of_order, card_row
from .cards import NEVER, Card
from .catalog import Catalog, has_member_card, makes_cards, same_code
from .figures import exact, half_away, minor
from .order import Evaluation
from .points import LIMITS
from .returns import Account, Sale, original_of
from .standing import Pocket, Standing


class Refused(Exception):
    """What the engine should refuse, with the protocol's code."""

    def __init__(self, code, **details):
        super().__init__(f"{code}: {details}")
        self.code, self.details = code, details


def instant_of(text, zone="UTC"):
    """A time; without an offset it is of a time zone."""
    instant = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=zoneinfo.ZoneInfo(zone))
    return instant.astimezone(datetime.timezone.utc)


class World:
    def __init__(self, now=None):
        self.catalog = Catalog([])
        self.now = now or (lambda: datetime.datetime.now(datetime.timezone.utc))
        self.partners, self.cards, self.sales = {}, [], {}
        self.numbers = itertools.count(1)
        self.levels = {}  # by member
        self.last = None  # the Evaluation of the order that was answered last

    def call(self, method, body):
        return getattr(self, method.replace(".", "_"))(body)

    # Reference data and programs

    def reference_put(self, body):
        catalog = self.catalog
        catalog.products.update({product["product_id"]: product for product in body.get("products", [])})
        catalog.parents.update({one["category_id"]: one.get("parent_id") for one in body.get("categories", [])})
        catalog.zones.update({one["store_id"]: one.get("time_zone", catalog.time_zone) for one in body.get("stores", [])})
        catalog.levels.update({level["membership_product_id"]: level for level in body.get("levels", [])})
        self.partners.update({partner["partner_id"]: partner for partner in body.get("partners", [])})

    def program_put(self, body):
        self.catalog.programs[body["program_id"]] = body

    def program_delete(self, body):
        self.catalog.programs[body["program_id"]] = dict(self.catalog.programs[body["program_id"]], state="archived")

    # Cards

    def new_card(self, program_id, partner=None, code=None):
        card = Card(self.catalog.programs[program_id], partner, code)
        card.id = next(self.numbers)
        self.cards.append(card)
        return card

    def member_card(self, program_id, partner):
        """A member's card of a program, or None."""
        for card in self.cards:
            if (card.program["program_id"], card.partner) == (program_id, partner):
                return card
        return None

    def card_named(self, named):
        """A card by id, code, or member and program."""
        if isinstance(named, (int, str)):
            named = {"card_id" if isinstance(named, int) else "code": named}
        for card in self.cards:
            if "card_id" in named and card.id == named["card_id"]:
                return card
            if "code" in named and card.code is not None and same_code(card.code, named["code"]):
                return card
        if "partner_id" in named:
            return self.member_card(named["program_id"], named["partner_id"])
        return None

    def card_create(self, body):
        card = self.new_card(body["program_id"], body.get("partner_id"), body.get("code"))
        points = minor(body.get("points", 0))
        expiry = instant_of(body["expires"]) if body.get("expires") else None
        card.earn(points, None, self.now(), "create", expiry)
        return card_row(card, self.now())

    def card_get(self, body):
        return card_row(self.card_named(body), self.now())

    def card_balance(self, body):
        card = self.card_named(body)
        if card is None:
            raise Refused("not_found")
        return card_row(card, instant_of(body["at"]) if "at" in body else self.now())

    def card_adjust(self, body):
        card, points = self.card_named(body), minor(body["points"])
        now = self.now()
        if card is None:
            raise Refused("not_found")
        if points < 0 and card.usable(now) < -points:
            raise Refused("insufficient_points")
        if points > 0:
            card.earn(points, None, now, "adjust", instant_of(body["expires"]) if "expires" in body else None)
        else:
            card.redeem(-points, None, now, "adjust")
        return card_row(card, now)

    def card_block(self, body):
        self.card_named(body).is_blocked = True

    def card_unblock(self, body):
        self.card_named(body).is_blocked = False

    def card_transfer(self, body):
        giver, taker, now = self.card_named(body["from"]), self.card_named(body["to"]), self.now()
        if giver.is_blocked or taker.is_blocked:
            raise Refused("card_blocked")
        points = minor(body["points"]) if "points" in body else giver.usable(now)
        if points > giver.usable(now) or points == 0:
            raise Refused("insufficient_points")
        giver.move_to(taker, points, now)
        return {"from": card_row(giver, now), "to": card_row(taker, now)}

    # Holds (rule 22)

    def hold_named(self, id):
        """(card, hold) of a hold that is open."""
        for card in self.cards:
            for hold in card.holds:
                if hold.id == id:
                    return card, hold
        return None, None

    def points_hold(self, body):
        card, points, now = self.card_named(body), minor(body["points"]), self.now()
        if card is None:
            raise Refused("not_found")
        if points > card.usable(now):
            raise Refused("insufficient_points")
        card.hold(body["hold_id"], points, now + datetime.timedelta(seconds=body.get("ttl_s", 900)), now)
        return card_row(card, now)

    def points_capture(self, body):
        card, hold = self.hold_named(body["hold_id"])
        points = minor(body["points"]) if "points" in body else hold.points()
        card.capture(hold, points, None)
        card.record("redeem", -points, None)
        return card_row(card, self.now())

    def points_release(self, body):
        card, hold = self.hold_named(body["hold_id"])
        card.release(hold.id)
        return card_row(card, self.now())

    # Membership (rule 23)

    def membership_change(self, body):
        self.levels[body["partner_id"]] = body["membership_product_id"]
        self.move_points(body["partner_id"], self.now())
        return {"level": body["membership_product_id"]}

    def level_of(self, partner):
        return self.levels.get(partner, self.catalog.base_level())

    def is_left(self, card):
        """Whether a card is that of a level that its member left, and there is one to move to."""
        program, level = card.program, self.level_of(card.partner)
        return bool(
            program["program_type"] == "loyalty"
            and program.get("is_primary_loyalty")
            and program.get("membership_product_id") != level
            and self.catalog.primary_of(level)
        )

    def level_card(self, partner):
        id = self.catalog.primary_of(self.level_of(partner))["program_id"]
        return self.member_card(id, partner) or self.new_card(id, partner)

    def move_points(self, partner, instant):
        """What is on cards of levels that were left goes to the card of the level that is held."""
        for card in [card for card in self.cards if partner is not None and card.partner == partner and self.is_left(card)]:
            if card.debt or any(lot.left for lot in card.alive(instant)):
                card.move_all_to(self.level_card(partner), instant)

    # Orders

    def order_quote(self, body):
        world = copy.copy(self)
        shared = {id(program): program for program in self.catalog.programs.values()}
        world.cards, world.sales = copy.deepcopy((self.cards, self.sales), shared)
        world.numbers = itertools.count(10**9)
        answer = world.process(dict(body, on_refused="skip"), self.instant(body))
        self.last = world.last
        return answer

    quote = order_quote

    def order_process(self, body):
        return self.process(body, self.instant(body))

    def order_refund(self, body):
        return self.process(body, self.instant(body))

    def instant(self, body):
        zone = self.catalog.zones.get(body.get("store_id"), self.catalog.time_zone)
        return instant_of(body.get("at") or body["date"], zone) if "at" in body or "date" in body else self.now()

    def uses(self, partner, store_id, instant):
        """Rule 27: {(program, limit): uses so far}, of those that count for this order."""
        counts = {}
        for sale in self.sales.values():
            then, now = sale.instant, instant
            counted = {
                "max_usage": True,
                "max_usage_per_customer": partner is not None and sale.partner == partner,
                "max_usage_per_store": sale.order.get("store_id") == store_id,
                "max_usage_per_day": then.date() == now.date(),
                "max_usage_per_week": then.isocalendar()[:2] == now.isocalendar()[:2],
                "max_usage_per_month": (then.year, then.month) == (now.year, now.month),
                "max_usage_per_year": then.year == now.year,
            }
            for program_id in sale.uses:
                for limit in LIMITS:
                    counts[program_id, limit] = counts.get((program_id, limit), 0) + counted[limit]
        return counts

    def standing(self, partner, store_id, instant, hold_id=None):
        """What an order finds; the hold that it captures does not count as held."""
        pockets = []
        for card in self.cards:
            captured = sum(hold.points() for hold in card.holds if hold.id == hold_id and hold.until > instant)
            usable = card.usable(instant) + captured
            pockets.append(
                Pocket(card.program["program_id"], usable, card.partner, card.code, card.debt, card.is_blocked, card)
            )
        standing = Standing(pockets)
        own = [sale for sale in self.sales.values() if partner is not None and sale.partner == partner]
        standing.level = self.levels.get(partner)
        standing.is_first_order = not any(sale.counts_as_order() for sale in own)
        standing.uses = self.uses(partner, store_id, instant)
        standing.given = {}
        for sale in self.sales.values():
            standing.birthdays_used |= sale.birthdays
            for program_id, cents in sale.uses.items():
                standing.given[program_id] = standing.given.get(program_id, 0) + cents
        birthday = self.partners.get(partner, {}).get("birthday")
        standing.birthday = None if birthday is None else datetime.date.fromisoformat(birthday)
        return standing

    def process(self, body, instant):
        covered, uncovered = self.cover(body)
        standing = self.standing(body.get("partner_id"), body.get("store_id"), instant, body.get("hold_id"))
        for card in body.get("cards", []):
            found = self.card_named(card)
            if found is None or found.partner not in (None, body.get("partner_id")):
                raise Refused("not_found")
            if found.is_blocked and body.get("on_refused", "fail") == "fail":
                raise Refused("card_blocked")
        model = Evaluation(self.catalog, body, instant, standing, covered)
        for line in model.lines:
            is_wallet = line.sells is not None and self.catalog.programs[line.sells]["program_type"] == "ewallet"
            if is_wallet and line.qty > 0 and line.tops_up is None and not model.has_member:
                raise Refused("invalid_request")
        refused = [(index, answer) for index, answer in enumerate(model.answers) if not self.is_accepted(answer)]
        if refused and body.get("on_refused", "fail") == "fail":
            index, reason = refused[0]
            code = reason if reason in ("code_used", "limit_reached") else "claim_refused"
            raise Refused(code, claim=str(index), reason=reason)
        booked = self.book(model, body, instant, uncovered)
        self.last = model
        return answer_of_order(model, booked, instant)

    @staticmethod
    def is_accepted(answer):
        return answer == "ok" or isinstance(answer, tuple)

    def cover(self, body):
        """What return lines take back: {line index: parts}, and [(line index, units)] that no original covers."""
        by_order, covered, uncovered = {}, {}, []
        for index, line in enumerate(body["lines"]):
            if exact(line["qty"]) < 0:
                by_order.setdefault(original_of(line, body), []).append(index)
        for order_id, indexes in by_order.items():
            sale, returns = self.sales.get(order_id), [body["lines"][index] for index in indexes]
            if sale is None:
                uncovered += [(index, -exact(line["qty"])) for index, line in zip(indexes, returns) if order_id is not None]
                continue
            if sale.is_cancelled:
                raise Refused("conflict")
            if sale.exceeds(returns):
                raise Refused("refund_exceeds")
            parts, left = sale.cover(returns)
            covered.update({index: part for index, part in zip(indexes, parts) if part})
            uncovered += [(index, units) for index, units in zip(indexes, left) if units]
        return covered, sorted(uncovered)

    def book(self, model, body, instant, uncovered):
        """Books an order: what came back, then what it earns and spends. Answers what moved."""
        booked = Booked(uncovered)
        sale = Sale(model, body, instant)
        for gift in model.state.given:
            program = gift.entry.program
            sale.uses[program["program_id"]] = sale.uses.get(program["program_id"], 0) + gift.amount
            sale.birthdays |= {(program["program_id"], year) for year in model.birthdays_of(program)}
        self.sales[body["order_id"]] = sale
        originals = [original_of(line, body) for line in body["lines"] if exact(line["qty"]) < 0]
        for order_id in dict.fromkeys(originals):
            if order_id in self.sales and order_id != body["order_id"]:
                self.take_points_back(self.sales[order_id], body, instant, booked)
        earned_pockets = {pocket.key(): pocket for pocket in model.pockets()}
        for key, (earned, redeemed) in model.card_points().items():
            pocket = earned_pockets[key]
            card = pocket.card
            if card is None:
                card = self.new_card(pocket.program_id, pocket.partner_id)
                booked.cards.append(card)
            holder, hold = self.hold_named(body.get("hold_id"))
            captured = card.capture(hold, min(redeemed, hold.points()), body["order_id"]) if holder is card else 0
            if captured:
                card.record("redeem", -captured, body["order_id"])
            card.earn(earned, body["order_id"], instant)
            card.redeem(redeemed - captured, body["order_id"], instant)
            sale.accounts += self.accounts(sale, model, card, earned, redeemed)
            booked.move(card, earned, redeemed)
        holder, hold = self.hold_named(body.get("hold_id"))
        if hold is not None:  # nothing of it was spent
            holder.release(hold.id)
        for program_id, points, code, sold_by in model.cards_to_make():
            card = self.new_card(program_id, None, code or f"new-{next(self.numbers)}")
            card.earn(points, body["order_id"], instant)
            kind, weights = "earned", sale.weights
            if sold_by is not None:
                kind, weights = "sold", [1 if line.id == sold_by else 0 for line in sale.lines]
            sale.accounts.append(Account(card, points, weights, kind))
            booked.cards.append(card)
        self.move_points(body.get("partner_id"), instant)
        for account in sale.accounts:
            after = sale.accounts[sale.accounts.index(account) + 1 :]
            account.order = sum(other.kind == "sold" and other.weights == account.weights for other in after)
            if account.kind == "earned":
                same = [other for other in sale.accounts if other.kind == "earned" and other.card.program is account.card.program]
                account.others = sum(other.points for other in same) - account.points
                account.later = sum(other.points for other in same if other in after)
        return booked

    def accounts(self, sale, model, card, earned, redeemed):
        """What moved on a card, with the lines that it comes back with: those that topped it up, else all others."""
        for line in sale.lines:
            if line.tops_up is not None and self.card_named(line.tops_up) is card:
                topped = line.total
                yield Account(card, topped, sale.of_card(line.tops_up), "topped up")
                earned -= topped
        if earned:
            is_wallet = card.program["program_type"] == "ewallet"
            weights = sale.of_program(card.program["program_id"]) if is_wallet else sale.weights
            yield Account(card, earned, weights, "earned")
        if redeemed:
            yield Account(card, redeemed, sale.weights, "redeemed")

    def take_points_back(self, sale, body, instant, booked):
        """Rule 33, as far as the sale is refunded by now."""
        if sale.is_whole():
            sale.uses, sale.birthdays = {}, set()  # given back
        for account in sorted(sale.accounts, key=lambda account: account.kind == "earned"):
            card, points = account.card, account.due(sale)
            if account.kind == "redeemed":
                card.give_back(points, sale.order_id, body["order_id"], instant)
                booked.move(card, 0, -points)
                continue
            default = "refuse" if account.kind == "sold" else "debt"
            shortfall = body.get("shortfall") or card.program.get("shortfall") or default
            if shortfall == "refuse" and points > card.usable(instant):
                raise Refused("insufficient_points")
            if self.is_left(card):
                card = self.level_card(card.partner)
            missing = card.take_back(points, sale.order_id, body["order_id"], instant, shortfall)
            booked.move(card, missing - points, 0)
        self.move_points(sale.partner, instant)

    def order_cancel(self, body):
        sale = self.sales.get(body["order_id"])
        if sale is None or sale.is_cancelled:
            raise Refused("not_found")
        raise NotImplementedError


class Booked:
    """What an order moved: points by card, cards that it made, returned units without an original."""

    def __init__(self, uncovered):
        self.uncovered, self.cards, self.moved = uncovered, [], {}

    def move(self, card, earned, redeemed):
        before = self.moved.get(card, (0, 0))
        self.moved[card] = (before[0] + earned, before[1] + redeemed)
