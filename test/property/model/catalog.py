"""Programs, products, levels: which program takes part in an order (rule 1), and what a rule or a reward is about (rule 2)."""

import datetime
import zoneinfo

from .figures import exact

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
EXCLUSIONS = ("exclude_product_ids", "exclude_category_id", "exclude_tag")
RULE_FIELDS = ("product_ids", "category_id", "tag") + EXCLUSIONS
REWARD_FIELDS = ("discount_product_ids", "discount_category_id", "discount_tag") + EXCLUSIONS
ITEM_FIELDS = ("product_ids", "category_id", "tag", None, None, None)


class Catalog:
    """Programs, products, categories, stores and levels, as they are put."""

    def __init__(self, programs, products=(), categories=(), stores=(), levels=(), time_zone="UTC"):
        self.programs = {program["program_id"]: program for program in programs}
        self.products = {product["product_id"]: product for product in products}
        self.parents = {category["category_id"]: category.get("parent_id") for category in categories}
        self.zones = {store["store_id"]: store.get("time_zone", time_zone) for store in stores}
        self.levels = {level["membership_product_id"]: level for level in levels}
        self.time_zone = time_zone

    def is_below(self, category, ancestor):
        while category is not None:
            if category == ancestor:
                return True
            category = self.parents.get(category)
        return False

    def fits(self, names, fields, product_id):
        """Whether a rule (RULE_FIELDS), a reward (REWARD_FIELDS) or a set's item is about a product. Naming nothing fits
        everything."""
        products, category, tag, no_products, no_category, no_tag = (fields.get(name) for name in names)
        product = self.products.get(product_id, {})
        tags = product.get("tags", [])
        if product_id in (no_products or []) or no_tag in tags:
            return False
        if no_category is not None and self.is_below(product.get("category_id"), no_category):
            return False
        if not products and category is None and tag is None:
            return True
        return (
            product_id in (products or [])
            or (category is not None and self.is_below(product.get("category_id"), category))
            or (tag is not None and tag in tags)
        )

    def rule_fits(self, program, rule, product_id):
        """The same of a rule; in gift card and wallet programs one that names nothing fits nothing."""
        if is_payment(program) and not any(rule.get(name) for name in RULE_FIELDS[:3]):
            return False
        return self.fits(RULE_FIELDS, rule, product_id)

    def sells(self, program, rule, line):
        """Rule 13: whether a rule of a gift card or a wallet loads a card with the line's price. A wallet's that gives less is a
        bonus on goods."""
        if not self.rule_fits(program, rule, line.product_id):
            return False
        amount, mode = exact(rule.get("reward_point_amount", 1)), rule.get("reward_point_mode", "order")
        if program["program_type"] == "gift_card" or mode == "money":
            return program["program_type"] == "gift_card" or amount >= 1
        sign = 1 if line.total > 0 else -1
        return mode == "unit" and line.total != 0 and sign * amount * line.qty * 100 >= sign * line.total

    def is_given(self, product_id):
        """A product that is not active is never given."""
        return self.products.get(product_id, {}).get("active", True)

    def local(self, order, instant):
        zone = self.zones.get(order.get("store_id"), self.time_zone)
        return instant.astimezone(zoneinfo.ZoneInfo(zone))

    def why_not_now(self, program, order, instant):
        """None if a program takes part where and when the order is, else the reason."""
        if program.get("state", "active") != "active":
            return "not_active"
        local = self.local(order, instant)
        day, minute = local.date(), local.hour * 60 + local.minute
        hours = [minute_of(text) for text in program.get("hours") or []]
        if hours and hours[0] > hours[1] and minute < hours[1]:
            day -= datetime.timedelta(days=1)  # a night belongs to the day on which it began
        if program.get("date_from") and day < datetime.date.fromisoformat(program["date_from"]):
            return "before_date_from"
        if program.get("date_to") and day > datetime.date.fromisoformat(program["date_to"]):
            return "after_date_to"
        if program.get("weekdays") and WEEKDAYS[day.weekday()] not in program["weekdays"]:
            return "wrong_weekday"
        if hours and not within(minute, *hours):
            return "wrong_hours"
        if program.get("pos_config_ids") and order.get("store_id") not in program["pos_config_ids"]:
            return "wrong_store"
        if program.get("channels") and order.get("channel", "pos") not in program["channels"]:
            return "wrong_channel"
        if program.get("pricelist_ids") and order.get("pricelist_id") not in program["pricelist_ids"]:
            return "wrong_pricelist"
        return None

    def base_level(self):
        """The level on which a member stands who has none: the lowest (rule 8)."""
        below = sorted(self.levels.values(), key=lambda level: (level.get("sequence", 0), level["membership_product_id"]))
        return below[0]["membership_product_id"] if below else None

    def primary_of(self, level):
        """The active primary loyalty program of a level, or None."""
        for id in sorted(self.programs):
            program = self.programs[id]
            if (
                level is not None
                and program["program_type"] == "loyalty"
                and program.get("state", "active") == "active"
                and program.get("is_primary_loyalty")
                and program.get("membership_product_id") == level
            ):
                return program
        return None

    def program_of_code(self, code):
        """(program, rule) of a rule's code; compared without case and outer blanks (rule 28)."""
        for program in self.programs.values():
            for rule in program.get("rules", []):
                if program.get("state", "active") == "active" and rule.get("code") and same_code(rule["code"], code):
                    return program, rule
        return None


def same_code(one, other):
    return one.strip(" ").upper() == other.strip(" ").upper()


def names_nothing(names, fields):
    """Whether a rule or a reward covers all products."""
    return not any(fields.get(name) for name in names)


def minute_of(text):
    return int(text[:2]) * 60 + int(text[3:])


def within(minute, start, end):
    """Whether a minute of the day lies in [start, end), which may pass midnight."""
    return start <= minute < end if start <= end else minute >= start or minute < end


APPLIES_BY_TYPE = {"loyalty": "both", "next_order_coupons": "future", "gift_card": "future", "ewallet": "future"}


def applies_on(program):
    return program.get("applies_on") or APPLIES_BY_TYPE.get(program["program_type"], "current")


def is_payment(program):
    """Gift cards and wallets are payments (rule 13)."""
    return program["program_type"] in ("gift_card", "ewallet")


def is_automatic(program):
    return program.get("trigger", "auto") == "auto"


def has_member_card(program):
    """Points of these programs stand on the one card that a member has of it."""
    return program["program_type"] in ("loyalty", "ewallet") or applies_on(program) == "both"


def makes_cards(program):
    """An order that fits gets new cards: gift cards, coupons for the next order."""
    return applies_on(program) == "future" and not has_member_card(program)


def is_spent_by_card(program, codes):
    """What is spent in these comes from a card that is shown, never from the order itself."""
    if applies_on(program) == "future":
        return True
    return program["program_type"] == "coupons" and not is_code_entered(program, codes)


def is_code_entered(program, codes):
    """Whether the code of one of its rules was."""
    return any(same_code(rule["code"], code) for rule in program.get("rules", []) if rule.get("code") for code in codes)


def conditions_of(program, codes):
    """The rules of a coupon program that are asked: one with a code only where it was entered."""
    return [
        rule
        for rule in program.get("rules", [])
        if not rule.get("code") or any(same_code(rule["code"], code) for code in codes)
    ]


def applies_by_itself(program):
    """`auto_claim`: automatic, for the current order, one reward, no choice."""
    rewards = program.get("rewards", [])
    return (
        is_automatic(program)
        and applies_on(program) == "current"
        and program["program_type"] not in ("coupons", "loyalty", "referral")
        and not is_payment(program)
        and len(rewards) == 1
        and len(rewards[0].get("reward_product_ids", [])) <= 1
    )


def rewards_of(program):
    """The rewards by id: their position from 1 where they have none."""
    return {reward.get("id", i + 1): reward for i, reward in enumerate(program.get("rewards", []))}
