#!/usr/bin/env python3
"""Makes docs/examples/README.md from the programs beside it: what each is for, the program, carts and their receipts.

usage: docs/examples/make_page.py > docs/examples/README.md
"""

import json
import pathlib
from decimal import Decimal

FOLDER = pathlib.Path(__file__).resolve().parent
WIDTH = 52  # of a receipt

HEAD = """# Programs that shops run

Each example is two files: one in [programs](programs) with the program and what it refers to, as `loyalty load` takes it, and one
in [carts](carts) with what it is for, and carts with what they come out as. `test/integration/test_examples.py` loads
all of them and types every call of this page, so what stands here is what happens. [online-retail](online-retail) is a
shop with its real orders.

To try one, start an engine (`loyalty up --data shop`) and, in another terminal, `export LOYALTY_ENDPOINT=$(cat shop/endpoint)`; then
type what stands there. `CODE` is the code that an answer before it gave. Levels are everybody's: an example with
levels wants an engine of its own.

Made by `make_page.py` from the files; do not edit it.
"""


def load():
    """All examples, by number: [(file's name, example)]; `load` is what the file in programs says."""
    return [
        (path.name, dict(read(FOLDER / "carts" / path.name), load=read(path))) for path in sorted((FOLDER / "programs").glob("*.json"))
    ]


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def names(example):
    """What stands for codes that the engine makes up: "Dora's coupon"."""
    coupons = [cart["coupon"] for cart in example["carts"] if "coupon" in cart]
    return coupons + [call["code"] for call in example.get("before", []) if "code" in call]


def command(example, method, body):
    """A request as it is typed."""
    text = json.dumps(body, ensure_ascii=False)
    for name in names(example):
        text = text.replace(json.dumps(name, ensure_ascii=False), '"CODE"')
    assert "'" not in text, f"a shell would end the text there: {text}"
    return f"loyalty call {method} '{text}'"


def load_command(name):
    return f"loyalty load docs/examples/programs/{name}"


def money(amount):
    return f"{Decimal(amount):,.2f}"


def row(text, amount=""):
    return f"{text:<{WIDTH - len(amount)}}{amount}".rstrip()


def receipt(example, cart):
    """What the customer sees."""
    products = {product["product_id"]: product["name"] for product in example["load"].get("products", [])}
    programs = {program["program_id"]: program for program in example["load"]["programs"]}
    order, result = cart["order"], cart["result"]
    rows = []
    for line in order["lines"]:
        qty, price = Decimal(str(line["qty"])), Decimal(line["price_unit"])
        rows.append(row(f"{qty.normalize():f} x {products[line['product_id']]} at {money(price)}", money(qty * price)))
    for effect in result.get("discounts", []):
        rewards = programs[effect["program_id"]]["rewards"]
        name = rewards[effect.get("reward_id", 1) - 1].get("description", programs[effect["program_id"]]["name"])
        rows.append(row(f"  {name}", "-" + money(effect["amount"])))
    rows.append(row("Total", money(result["amount_total"])))
    if Decimal(result.get("amount_tax", 0)):
        rows.append(row("  of which tax", money(result["amount_tax"])))
    for card in result.get("cards", []):
        what = f"code {card['code']}, " if "code" in card else ""
        rows.append(row(f"New: {programs[card['program_id']]['name']} ({what}{money(card['points'])})"))
    for points in result.get("points", []):
        rows.append(points_row(programs[points["program_id"]]["name"], points.get("earned"), points.get("redeemed"), points["balance"]))
    if "final_balance" in result:
        rows.append(points_row("Points", result.get("points_earned"), result.get("points_redeemed"), result["final_balance"]))
    return rows


def points_row(name, earned, redeemed, balance):
    parts = [f"earned {money(earned)}"] if Decimal(earned or 0) else []
    parts += [f"spent {money(redeemed)}"] if Decimal(redeemed or 0) else []
    return row(f"{name}: {', '.join([*parts, f'now {money(balance)}'])}")


def program_text(program):
    """A program as JSON: its head on one line, each rule and each reward on one."""
    lists = [name for name in ("rules", "rewards") if name in program]
    head = {name: value for name, value in program.items() if name not in lists}
    rows = [json.dumps(head, ensure_ascii=False)[:-1]]
    for name in lists:
        entries = [json.dumps(entry, ensure_ascii=False) for entry in program[name]]
        rows[-1] += ","
        rows.append(f' "{name}": [' + (",\n" + " " * (len(name) + 6)).join(entries) + "]")
    return "\n".join(rows) + "}"


def page(examples):
    text = [HEAD]
    for name, example in examples:
        number = int(name.split("-")[0])
        text.append(f"- [{number}. {example['title']}](#{anchor(number, example['title'])})")
    for name, example in examples:
        number = int(name.split("-")[0])
        text += ["", f"## {number}. {example['title']}", "", example["for"], "", f"**How.** {example['how']}", ""]
        text += ["```json", *map(program_text, example["load"]["programs"]), "```", "", "```sh", load_command(name), "```"]
        for call in example.get("before", []):
            text += ["", f"**{call['what']}.**", "", "```sh", command(example, call["method"], call["body"]), "```"]
        for cart in example["carts"]:
            text += ["", f"**{cart['what']}.** {cart['sums']}", ""]
            text += ["```sh", command(example, "order.process", cart["order"]), "```", ""]
            text += ["    " + line for line in receipt(example, cart)]
    return "\n".join(text) + "\n"


def anchor(number, title):
    """As GitHub makes it of a heading."""
    kept = "".join(letter for letter in f"{number}. {title}".lower() if letter.isalnum() or letter in " -_")
    return kept.replace(" ", "-")


if __name__ == "__main__":
    print(page(load()), end="")
