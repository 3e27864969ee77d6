"""Carts with known results: plays a case of `known_carts/*.json` on an engine and says where the answers differ.

A case is written with names (products, programs, cards, customers); the stage gives each name an id of its own, so that
cases do not meet. What a file may say stands in known_carts/README.md.
"""

import itertools
import json
from decimal import Decimal, InvalidOperation

from harness import BUILD  # noqa: F401  puts the Python client on the path
from loyalty_client import LoyaltyError

_numbers = itertools.count(1)

PRODUCT_LISTS = ("product_ids", "exclude_product_ids", "discount_product_ids", "reward_product_ids")
CATEGORY_FIELDS = ("category_id", "exclude_category_id", "discount_category_id")
SHARED = ("taxes", "products", "categories", "partners", "levels", "stores")  # of the file and of the case together
OF_THE_CASE = ("name", "shows", "refund", "expect", "new_cards", "balances")  # what an order says besides the protocol's fields
CODES_OF_THEIR_OWN = ("code_used", "limit_reached")  # reasons of claims that are codes of errors too
AMOUNTS = ("amount_untaxed", "amount_tax", "amount_total", "points_earned", "points_redeemed", "final_balance")


def load(folder):
    """All cases of a folder's files, each with what its file says for all of them: [(file's stem, case)]."""
    cases = []
    for path in sorted(folder.glob("*.json")):
        text = json.loads(path.read_text(encoding="utf-8"))
        for case in text["cases"]:
            case["file"] = path.stem
            for field in SHARED:
                case[field] = {**text.get(field, {}), **case.get(field, {})}
            case["library"] = text.get("programs", {})
            for field in ("channel", "tax_rounding"):
                case.setdefault(field, text.get(field))
            cases.append(case)
    return cases


def same(expected, actual):
    """Whether two plain values say the same; decimals by their value: 12.5 is "12.50"."""
    if isinstance(expected, bool) or isinstance(actual, bool) or expected is None or actual is None:
        return expected is actual
    try:
        return Decimal(str(expected)) == Decimal(str(actual))
    except InvalidOperation:
        return expected == actual


def differences(expected, actual, path=""):
    """What an answer does not say that was expected: ["amount_total: expected 9.00, is 9.01"]. Of maps only the
    expected fields count; lists have to be as long as expected."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return [
            line
            for name, value in expected.items()
            for line in differences(value, actual.get(name), f"{path}.{name}" if path else name)
        ]
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return [
            line for at, (one, other) in enumerate(zip(expected, actual)) for line in differences(one, other, f"{path}[{at}]")
        ]
    if not isinstance(expected, (dict, list)) and not isinstance(actual, (dict, list)) and same(expected, actual):
        return []
    return [f"{path}: expected {json.dumps(expected)}, is {json.dumps(actual)}"]


class Stage:
    """One case on an engine: its reference data, programs and cards, then its orders, one after another."""

    def __init__(self, engine, case):
        self.engine = engine
        self.case = case
        self.number = next(_numbers)
        self.ids = {}
        self.cards = {}  # name: card_id
        self.names_of_cards = {}
        self.lines = {}  # order's name: its lines as sent
        self.programs = []  # that were put

    # Names

    def id(self, kind, name):
        """The id of a name of this case; each case has a thousand of each kind to itself."""
        ids = self.ids.setdefault(kind, {})
        return ids.setdefault(name, self.number * 1000 + len(ids) + 1)

    def name(self, kind, number):
        return next((name for name, value in self.ids.get(kind, {}).items() if value == number), number)

    def product(self, name):
        assert name in self.case["products"], f"the case names no product {name!r}"
        return self.id("product", name)

    def code(self, text):
        return f"{text}-{self.number}"

    # What the case needs

    def set(self):
        """Puts reference data, programs and cards."""
        case = self.case
        reference = {
            "products": [
                {key: value for key, value in {
                    "product_id": self.id("product", name), "name": name, "tags": product.get("tags"),
                    "active": product.get("active"),
                    "category_id": self.id("category", product["category"]) if "category" in product else None,
                }.items() if value is not None}
                for name, product in case["products"].items()
            ],
            "categories": [
                {"category_id": self.id("category", name), "name": name,
                 **({"parent_id": self.id("category", parent)} if parent else {})}
                for name, parent in case["categories"].items()
            ],
            "partners": [
                dict(partner, partner_id=self.id("partner", name), name=name) for name, partner in case["partners"].items()
            ],
            "stores": [dict(store, store_id=self.id("store", name), name=name) for name, store in case["stores"].items()],
            "levels": [
                dict(level, membership_product_id=self.id("level", name), name=name) for name, level in case["levels"].items()
            ],
        }  # fmt: skip
        self.engine.call("reference.put", {field: rows for field, rows in reference.items() if rows})
        for entry in case["programs"]:
            program = self.program(entry)
            self.engine.call("program.put", program)
            self.programs.append(program["program_id"])
        for name, card in case.get("cards", {}).items():
            self.create_card(name, card)

    def program(self, entry):
        """A program as program.put takes it: one of the file's library by its name, perhaps changed, or the case's own."""
        if isinstance(entry, str):
            entry = {"like": entry}
        entry = dict(entry)
        fields = {"rules": [{}], "program_type": "promotion"}
        name = entry.pop("like", None)
        if name:
            fields.update(self.case["library"][name], name=name)
        for one, many in (("rule", "rules"), ("reward", "rewards")):
            if one in entry:
                first, *rest = fields.get(many) or [{}]
                fields[many] = [dict(first, **entry.pop(one)), *rest]
        fields.update(entry)
        fields["program_id"] = self.id("program", fields["name"])
        fields["rules"] = [self.filters(rule) for rule in fields["rules"]]
        fields["rewards"] = [self.filters(reward) for reward in fields.get("rewards", [])]
        if "pos_config_ids" in fields:
            fields["pos_config_ids"] = [self.id("store", store) for store in fields["pos_config_ids"]]
        if "membership_product_id" in fields:
            fields["membership_product_id"] = self.id("level", fields["membership_product_id"])
        return fields

    def filters(self, fields):
        """A rule or reward with ids for names."""
        fields = dict(fields)
        for field in PRODUCT_LISTS:
            if field in fields:
                fields[field] = [self.product(name) for name in fields[field]]
        for field in CATEGORY_FIELDS:
            if field in fields:
                fields[field] = self.id("category", fields[field])
        if "membership_product_ids" in fields:
            fields["membership_product_ids"] = [self.id("level", name) for name in fields["membership_product_ids"]]
        if "code" in fields:
            fields["code"] = self.code(fields["code"])
        if "set_items" in fields:
            fields["set_items"] = [self.filters(item) for item in fields["set_items"]]
        return fields

    def create_card(self, name, card):
        fields = {key: value for key, value in card.items() if key not in ("program", "partner")}
        fields["program_id"] = self.id("program", card["program"])
        fields["code"] = self.code(name)
        if "partner" in card:
            fields["partner_id"] = self.id("partner", card["partner"])
        self.remember_card(name, self.engine.call("card.create", fields)["card_id"])

    def remember_card(self, name, card_id):
        self.cards[name] = card_id
        self.names_of_cards[card_id] = name

    def clear(self):
        """Takes the programs out of use."""
        for program_id in self.programs:
            self.engine.call("program.delete", {"program_id": program_id})

    # Orders

    def line(self, line, index):
        """A line as the protocol has it, of ["chair", 2], ["chair", 2, "9.90"] or a map."""
        if isinstance(line, list):
            line = dict(zip(("product", "qty", "price"), line))
        line = dict(line)
        product = self.case["products"][line["product"]]
        fields = {"line_id": str(index), "product_id": self.product(line.pop("product")), "qty": line.pop("qty")}
        fields["price_unit"] = line.pop("price", None) or product["price"]
        taxes = line.pop("taxes", product.get("taxes", []))
        if taxes:
            fields["taxes"] = [dict(self.case["taxes"][name], id=self.id("tax", name)) for name in taxes]
        if "gift_code" in line:
            line["gift_code"] = self.code(line["gift_code"])
        if "card" in line:
            line["card"] = {"card_id": self.cards[line["card"]]}
        if "refund_of" in line:
            order, of = line["refund_of"]
            line["refund_of"] = {"order_id": self.code(order), "line_id": of}
        return {**fields, **line}

    def claim(self, claim):
        claim = dict(claim)
        if "code" in claim:
            card = claim["code"] in self.cards
            claim["code"] = self.code_of_card(claim["code"]) if card else self.code(claim["code"])
        if "program" in claim:
            claim["program_id"] = self.id("program", claim.pop("program"))
        if "reward" in claim:
            claim["reward_id"] = claim.pop("reward")
        if "product" in claim:
            claim["product_id"] = self.product(claim.pop("product"))
        if "card" in claim:
            claim["card"] = {"card_id": self.cards[claim["card"]]}
        return claim

    def code_of_card(self, name):
        return self.engine.call("card.get", {"card_id": self.cards[name]})["code"]

    def order(self, order, index):
        """An order as the protocol has it."""
        body = {name: value for name, value in order.items() if name not in OF_THE_CASE}
        body["order_id"] = self.code(order.get("name", f"order {index}"))
        body["lines"] = [self.line(line, at) for at, line in enumerate(order["lines"])]
        for field in ("channel", "tax_rounding"):
            if self.case.get(field):
                body.setdefault(field, self.case[field])
        for field, kind in (("partner", "partner"), ("store", "store"), ("pricelist", "pricelist")):
            if field in body:
                body[f"{kind}_id"] = self.id(kind, body.pop(field))
        if "claims" in body:
            body["claims"] = [self.claim(claim) for claim in body["claims"]]
        if "cards" in body:
            body["cards"] = [{"code": self.code_of_card(name)} for name in body["cards"]]
        if "refund_of" in body:
            body["refund_of"] = self.code(body["refund_of"])
        return body

    # Answers

    def seen(self, body, answer):
        """An answer in the words of the case."""
        given = {line["line_id"] for line in body["lines"]}
        seen = {name: answer[name] for name in AMOUNTS}
        seen["discounts"] = [
            {"program": self.name("program", effect["program_id"]), "reward": effect["reward_id"], "layer": effect["layer"],
             "amount": effect["amount"], "points_cost": effect["points_cost"],
             "taxes": {self.name("tax", tax["tax_id"]): tax["amount"] for tax in effect["taxes"]}}
            for effect in answer["discounts"]
        ]  # fmt: skip
        seen["gives"] = {}
        for effect in seen["discounts"]:
            sum_of = seen["gives"].get(effect["program"], Decimal(0))
            seen["gives"][effect["program"]] = sum_of + Decimal(effect["amount"])
        seen["gives"] = {name: str(amount) for name, amount in seen["gives"].items() if amount}
        seen["claims"] = [
            {"ok": claim["ok"], "reason": claim["reason"], "replaced_by": claim["replaced_by"]} for claim in answer["claims"]
        ]
        seen["points"] = {
            self.names_of_cards.get(row["card_id"], self.name("program", row["program_id"])): row for row in answer["points"]
        }
        seen["cards"] = [
            {"program": self.name("program", card["program_id"]), "points": card["points"], "expires": card["expires"]}
            for card in answer["cards"]
        ]
        seen["lines"] = [line_of(self, line) for line in answer["lines"] if line["line_id"] in given]
        seen["added"] = [line_of(self, line) for line in answer["lines"] if line["line_id"] is None]  # at full discount
        seen["warnings"] = sorted({warning["kind"] for warning in answer["warnings"]})
        for name in ("restored", "shortfall", "uncovered", "give_back", "membership"):
            seen[name] = answer.get(name)
        return seen

    def play(self, order, index):
        """Quotes an order, and processes it; what is not as expected, as lines of text."""
        expect = dict(order.get("expect", {}))
        error = expect.pop("error", None)
        body = self.order(order, index)
        where = order.get("name", f"order {index}")
        if "gives" in expect:  # exactly these programs
            expect["programs"] = sorted(expect["gives"])
        refused = [at for at, claim in enumerate(expect.get("claims", [])) if claim.get("ok") is False]
        method = "order.refund" if order.get("refund") else "order.process"

        def compare(what, answer):
            seen = self.seen(body, answer)
            seen["programs"] = sorted(seen["gives"])
            return [f"{where}, {what}: {line}" for line in differences(expect, seen)]

        if error:
            try:
                self.engine.call(method, body)
            except LoyaltyError as failed:
                unsupported(failed)
                found = dict(failed.details, code=failed.code)
                return [f"{where}, error: {line}" for line in differences(error, found)]
            return [f"{where}: expected the error {error}, but it was processed"]
        text = compare("quote", self.call("order.quote", body)) if method == "order.process" else []
        if refused:
            try:
                self.engine.call(method, body)
                text.append(f"{where}: claims {refused} should have failed it, but it was processed")
            except LoyaltyError as failed:
                unsupported(failed)
                reason = expect["claims"][refused[0]].get("reason", failed.details.get("reason"))
                code = reason if reason in CODES_OF_THEIR_OWN else "claim_refused"
                wanted = {"code": code, "claim": str(refused[0]), "reason": reason}
                found = dict(failed.details, code=failed.code)
                text += [f"{where}, error: {line}" for line in differences(wanted, found)]
            body["on_refused"] = "skip"
        answer = self.call(method, body)
        text += compare("process", answer)
        for name, card in zip(order.get("new_cards", []), answer["cards"]):
            self.remember_card(name, card["card_id"])
        for name, points in order.get("balances", {}).items():
            balance = self.engine.call("card.balance", self.card_key(name))["balance"]
            text += differences(points, balance, f"{where}, balance of {name}")
        return text

    def card_key(self, name):
        """A card by its name, or a member's card as "anna's PROGRAM"."""
        if name in self.cards:
            return {"card_id": self.cards[name]}
        partner, _, program = name.partition("'s ")
        return {"partner_id": self.id("partner", partner), "program_id": self.id("program", program)}

    def call(self, method, body):
        try:
            return self.engine.call(method, body)
        except LoyaltyError as failed:
            unsupported(failed)
            raise


def line_of(stage, line):
    return {
        "product": stage.name("product", line["product_id"]), "qty": line["qty"], "amount_untaxed": line["amount_untaxed"],
        "amount_tax": line["amount_tax"], "amount_total": line["amount_total"], "discount": line["discount"],
    }  # fmt: skip


class NotSupportedYet(Exception):
    """The engine says that it cannot do this yet."""


def unsupported(failed):
    if failed.code == "invalid_request" and "not supported yet" in str(failed):
        raise NotSupportedYet(str(failed)) from None


def play(engine, case):
    """Plays a case; what is not as expected, as lines of text."""
    stage = Stage(engine, case)
    try:
        try:
            stage.set()
        except LoyaltyError as failed:
            unsupported(failed)
            raise
        return [line for index, order in enumerate(case["orders"], 1) for line in stage.play(order, index)]
    finally:
        stage.clear()
