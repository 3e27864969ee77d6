"""What the gift shop of the replay runs: levels with their points, promotions, coupons, a wallet, and what products belong to."""

STORE = 1
STORES = [{"store_id": STORE, "name": "Online shop", "time_zone": "Europe/London"}]

GOODS, POSTAGE = 1, 2
CATEGORIES = [{"category_id": GOODS}, {"category_id": POSTAGE}] + [
    {"category_id": 10 + digit, "parent_id": GOODS} for digit in range(10)  # by the first digit of the product's code
]
WORDS = ("CHRISTMAS", "MUG", "BAG", "CAKE", "HEART", "RETROSPOT", "LUNCH")  # of product names: tags

BRONZE, SILVER, GOLD = 901, 902, 903
LEVELS = [
    {"membership_product_id": BRONZE, "name": "Bronze", "sequence": 1},
    {"membership_product_id": SILVER, "name": "Silver", "sequence": 2, "threshold": "1000.00", "earn_multiplier": "1.25",
     "window": "rolling_months", "window_months": 6, "grace_days": 30},
    {"membership_product_id": GOLD, "name": "Gold", "sequence": 3, "threshold": "3000.00", "earn_multiplier": "1.5",
     "window": "calendar_year", "grace_days": 30},
]  # fmt: skip

POINTS_BRONZE, POINTS_SILVER, POINTS_GOLD, WALLET, COUPON = 1, 2, 3, 4, 5
CODE = "GIFTS-10"
# What a customer asks for once so many points are there: (reward, points).
SPENDS = {POINTS_BRONZE: [(1, 100)], POINTS_SILVER: [(2, 500), (1, 100)], POINTS_GOLD: [(2, 500), (1, 100)]}


def points_of_level(number, level, expiry):
    """A point a pound for goods; 100 points are 1.00 off, 500 a voucher of 6.00."""
    return {
        "program_id": number, "name": f"Points of level {level}", "program_type": "loyalty", "membership_product_id": level,
        "is_primary_loyalty": True, "expiry": expiry, "rules": [{"category_id": GOODS, "reward_point_mode": "money"}],
        "rewards": [{"discount_mode": "per_point", "discount": "0.01", "required_points": 100},
                    {"discount_mode": "per_order", "discount": "6.00", "required_points": 500}],
    }  # fmt: skip


def promotion(number, name, rule, reward, **fields):
    return dict({"program_id": number, "name": name, "program_type": "promotion", "rules": [rule], "rewards": [reward]}, **fields)


PROGRAMS = [
    points_of_level(POINTS_BRONZE, BRONZE, {"policy": "days", "count": 90}),
    points_of_level(POINTS_SILVER, SILVER, {"policy": "months", "count": 6}),
    points_of_level(POINTS_GOLD, GOLD, {"policy": "end_of_year"}),
    {"program_id": WALLET, "name": "1 % cashback", "program_type": "ewallet", "applies_on": "future",
     "rules": [{"category_id": GOODS, "reward_point_mode": "money", "reward_point_amount": "0.01"}],
     "rewards": [{"discount_mode": "per_point", "discount": 1}]},
    {"program_id": COUPON, "name": "10.00 off the next order", "program_type": "next_order_coupons", "applies_on": "future",
     "expiry": {"policy": "days", "count": 60}, "rules": [{"minimum_amount": "600.00"}],
     "rewards": [{"discount_mode": "per_order", "discount": "10.00"}]},
    {"program_id": 6, "name": "10 % with a code, three times a customer", "program_type": "promo_code", "trigger": "with_code",
     "max_usage_per_customer": 3, "rules": [{"code": CODE, "mode": "with_code", "minimum_amount": "50.00"}],
     "rewards": [{"discount": 10, "discount_max_amount": "40.00"}]},
    promotion(11, "Christmas", {"tag": "CHRISTMAS"}, {"discount": 15, "discount_applicability": "specific", "discount_tag": "CHRISTMAS"},
              date_from="2010-11-15", date_to="2010-12-24"),
    promotion(12, "Large orders", {"minimum_amount": "1500.00"}, {"discount": 3}),
    promotion(13, "Welcome", {"first_order": True}, {"discount": 5, "discount_max_amount": "25.00"}, priority=-1),
    promotion(14, "Morning mugs", {"tag": "MUG", "minimum_qty": 6},
              {"discount": "7.5", "discount_applicability": "specific", "discount_tag": "MUG"}, hours=["07:00", "11:00"]),
    promotion(15, "A twelfth bag is free", {"tag": "BAG", "minimum_qty": 12}, {"discount": 100, "discount_applicability": "cheapest",
              "discount_tag": "BAG"}),
    promotion(16, "Cakes at 1.00", {"tag": "CAKE", "minimum_qty": 24},
              {"reward_type": "special_price", "special_price": "1.00", "max_units": 24, "discount_tag": "CAKE"}),
    promotion(17, "A heart and a lunch bag", {"tag": "HEART"}, {"reward_type": "special_set", "max_sets": 5, "set_price": "3.00",
              "set_items": [{"tag": "HEART", "qty": 1}, {"tag": "LUNCH", "qty": 1}]}),
    promotion(18, "Retrospot, 20 % and 10 %", {"tag": "RETROSPOT", "minimum_amount": "30.00"},
              {"reward_type": "multiple_discount", "discounts": [{"discount": 20}, {"discount": 10}],
               "discount_applicability": "specific", "discount_tag": "RETROSPOT"}, weekdays=["thursday", "sunday"],
              max_usage_per_customer=20),
    promotion(19, "Gold members", {"membership_product_ids": [GOLD], "minimum_amount": "100.00"}, {"discount": 4}),
    promotion(20, "Birthday", {"birthday": {"days_before": 10, "days_after": 10}}, {"discount_mode": "per_order", "discount": "5.00"}),
    promotion(21, "The brand's budget", {"category_id": 12, "minimum_amount": "200.00"}, {"discount": 2,
              "discount_applicability": "specific", "discount_category_id": 12}, stacking="best_of", best_of="brand"),
    promotion(22, "The other brand's", {"category_id": 18, "minimum_amount": "200.00"}, {"discount": 2,
              "discount_applicability": "specific", "discount_category_id": 18}, stacking="best_of", best_of="brand"),
]  # fmt: skip


def product(number, code, name):
    """A product: what is sold by weight of its number belongs to the goods, postage and the like do not."""
    category = 10 + int(code[0]) if code[0].isdigit() else POSTAGE
    tags = [word for word in WORDS if word in name.upper().replace("'", " ").split()]
    return {"product_id": number, "reference": code, "name": name, "category_id": category, "tags": tags}


def partner(number):
    """A customer, with a birthday that is made up from the number."""
    return {"partner_id": number, "name": f"Customer {number}", "birthday": f"19{50 + number % 50}-{1 + number % 12:02}-{1 + number % 28:02}"}
