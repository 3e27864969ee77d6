"""Which program takes part in an order (rule 1), and which product a rule or a reward is about (rule 2)."""

import datetime
import zoneinfo

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
RULE_FIELDS = ("product_ids", "category_id", "tag", "exclude_product_ids", "exclude_category_id", "exclude_tag")
REWARD_FIELDS = ("discount_product_ids", "discount_category_id", "discount_tag") + RULE_FIELDS[3:]


class Catalog:
    """Programs, products, categories and stores, as they are put."""

    def __init__(self, programs, products=(), categories=(), stores=(), time_zone="UTC"):
        self.programs = {program["program_id"]: program for program in programs}
        self.products = {product["product_id"]: product for product in products}
        self.parents = {category["category_id"]: category.get("parent_id") for category in categories}
        self.zones = {store["store_id"]: store.get("time_zone", time_zone) for store in stores}
        self.time_zone = time_zone

    def is_below(self, category, ancestor):
        while category is not None:
            if category == ancestor:
                return True
            category = self.parents.get(category)
        return False

    def fits(self, names, fields, product_id):
        """Whether a rule (RULE_FIELDS) or a reward (REWARD_FIELDS) is about a product. Naming nothing fits everything."""
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

    def local(self, order, instant):
        zone = self.zones.get(order.get("store_id"), self.time_zone)
        return instant.astimezone(zoneinfo.ZoneInfo(zone))

    def why_not(self, program, order, instant):
        """None if the program takes part in the order, else the reason."""
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


def names_nothing(names, fields):
    """Whether a rule or a reward covers all products."""
    return not any(fields.get(name) for name in names)


def minute_of(text):
    return int(text[:2]) * 60 + int(text[3:])


def within(minute, start, end):
    """Whether a minute of the day lies in [start, end), which may pass midnight."""
    return start <= minute < end if start <= end else minute >= start or minute < end


def has_cards(program):
    """Points of these programs stand on a member's card."""
    return program["program_type"] == "loyalty" or program.get("applies_on") == "both"


def applies_by_itself(program):
    """`auto_claim`: automatic, for the current order, one reward, no choice."""
    return not has_cards(program) and len(program.get("rewards", [])) == 1


def rewards_of(program):
    """The rewards by id: their position from 1 where they have none."""
    return {reward.get("id", i + 1): reward for i, reward in enumerate(program.get("rewards", []))}
