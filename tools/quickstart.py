"""Shows an engine at work: starts one of its own, sends it the real orders of docs/examples/online-retail, and proves the ledger.

tools/quickstart installs and builds what this needs, and calls it. The last line is JSON.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from decimal import Decimal

ROOT = pathlib.Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "docs" / "examples" / "online-retail"
LOYALTY = pathlib.Path(os.environ.get("LOYALTY_BUILD", ROOT / "build")).resolve() / "bin" / "loyalty"
sys.path.insert(0, str(ROOT / "clients" / "python"))

STORE = 1
PROGRAM = 1
REWARD_POINTS = Decimal(100)  # what the reward needs at least
TILLS = 8  # connections that send orders at the same time


def say(text=""):
    print(text, flush=True)


def product_number(code):
    """The engine's number of a product that the shop names by text: FNV-1a 64 without its lowest 11 bits."""
    number = 0xCBF29CE484222325
    for byte in code.encode():
        number = (number ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return number >> 11


class Shop:
    """The example's orders, and the products and customers in them."""

    def __init__(self):
        lines = (EXAMPLE / "online-retail-sample.orders.jsonl").read_text().splitlines()
        self.orders = [json.loads(line, parse_float=Decimal) for line in lines]
        self.orders.sort(key=lambda order: (order["order_date"], order["order_id"]))
        self.products = {}
        for order in self.orders:
            for line in order["lines"]:
                self.add_product(line["product_id"], line["description"])
        self.partners = {int(order["partner_id"]): order["country"] for order in self.orders}

    def add_product(self, code, name):
        number = product_number(code)
        known = self.products.setdefault(number, {"product_id": number, "reference": code, "name": name})
        if known["reference"] != code:
            raise SystemExit(f"products {known['reference']} and {code} have one number, {number}")

    def put(self, client):
        """Tells the engine who buys what."""
        products = list(self.products.values())
        for start in range(0, len(products), 1000):
            client.reference_put(products=products[start : start + 1000])
        client.reference_put(partners=[{"partner_id": number, "name": f"Customer {number}"} for number in self.partners])

    def by_member(self):
        """Each customer's orders, in the order in which they were made."""
        orders = collections.defaultdict(list)
        for order in self.orders:
            orders[order["partner_id"]].append(order)
        return list(orders.values())


def request_of(order, balance):
    """The order as the engine takes it. A member who has enough points spends them."""
    request = {
        "order_id": order["order_id"],
        "store_id": STORE,
        "date": order["order_date"],
        "partner_id": int(order["partner_id"]),
        "currency": "GBP",
        "import": True,
        "lines": [
            {
                "line_id": str(index),  # an order may have the same product twice
                "product_id": product_number(line["product_id"]),
                "qty": line["qty"],
                "price_unit": line["unit_price"],
            }
            for index, line in enumerate(order["lines"])
        ],
    }
    if is_refund(order):
        if order["refund_of"] is not None:
            request["refund_of"] = {"order_id": order["refund_of"]}
    elif balance >= REWARD_POINTS:
        request["claims"] = [{"program_id": PROGRAM}]
    return request


def is_refund(order):
    return order["order_id"].startswith("C")


class Totals:
    """What happened, added up over all orders."""

    def __init__(self):
        self.orders = self.refunds = self.refunds_linked = self.rewards = 0
        self.revenue = self.refunded = self.discounts = Decimal(0)
        self.earned = self.redeemed = self.taken_back = self.given_back = Decimal(0)
        self.latencies_ms = []
        self.members = {}

    def add(self, order, answer, latency_ms):
        self.latencies_ms.append(latency_ms)
        earned, redeemed = Decimal(answer["points_earned"]), Decimal(answer["points_redeemed"])
        if is_refund(order):
            self.refunds += 1
            self.refunds_linked += order["refund_of"] is not None
            self.refunded -= Decimal(answer["amount_total"])
            self.taken_back -= earned  # signs are reversed in the answer to a refund
            self.given_back -= redeemed
        else:
            self.orders += 1
            self.revenue += Decimal(answer["amount_total"])
            self.earned += earned
            self.redeemed += redeemed
            self.rewards += len(answer["discounts"])
            self.discounts += sum(Decimal(discount["amount"]) for discount in answer["discounts"])
        spent, _ = self.members.get(order["partner_id"], (Decimal(0), Decimal(0)))
        self.members[order["partner_id"]] = (spent + Decimal(answer["amount_total"]), balance_of(answer))

    def percentile_ms(self, percent):
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def balance_of(answer):
    return Decimal(answer["final_balance"] or 0)


def send_member(client, orders):
    """Sends one member's orders, one after another, as that member's tills would: (order, answer, ms) of each."""
    balance = Decimal(0)
    sent = []
    for order in orders:
        request = request_of(order, balance)
        start = time.perf_counter()
        answer = client.order_refund(request) if is_refund(order) else client.order_process(request)
        sent.append((order, answer, (time.perf_counter() - start) * 1000))
        balance = balance_of(answer)
    return sent


def send_all(client, shop):
    """Sends everything through several connections at once; returns the totals and the seconds it took."""
    totals = Totals()
    start = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(TILLS) as tills:
        for sent in tills.map(lambda orders: send_member(client, orders), shop.by_member()):
            for order, answer, latency_ms in sent:
                totals.add(order, answer, latency_ms)
                if sys.stderr.isatty() and len(totals.latencies_ms) % 10 == 0:
                    print(f"\rsending orders: {len(totals.latencies_ms)} of {len(shop.orders)}", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    return totals, time.perf_counter() - start


def show(totals, seconds):
    """The table a shop owner understands."""
    rows = [
        ("orders", f"{totals.orders:,}", f"revenue {totals.revenue:,.2f} GBP"),
        ("refunds", f"{totals.refunds:,}", f"{totals.refunded:,.2f} GBP; {totals.refunds_linked} of an order in the sample"),
        ("points earned", f"{totals.earned:,.2f}", "a point a pound spent, none for postage and the like"),
        ("points redeemed", f"{totals.redeemed:,.2f}", f"for {totals.rewards} rewards, {totals.discounts:,.2f} GBP off"),
        ("points taken back", f"{totals.taken_back:,.2f}", "of orders that came back"),
    ]
    say()
    for name, figure, remark in rows:
        say(f"  {name:<18} {figure:>12}   {remark}")
    say(f"\n  the ten best customers {'spent, GBP':>16} {'points':>12}")
    best = sorted(totals.members.items(), key=lambda member: (-member[1][0], member[0]))[:10]
    for partner, (spent, balance) in best:
        say(f"    customer {partner:<12} {spent:>16,.2f} {balance:>12,.2f}")
    say(
        f"\n  {len(totals.latencies_ms)} orders in {seconds:.2f} s; half were answered within {totals.percentile_ms(50):.1f} ms,"
        f" 99 of 100 within {totals.percentile_ms(99):.1f} ms"
    )


class Engine:
    """`loyalty up` in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "up.log"
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [LOYALTY, "up", "--data", self.data, "--listen", "tcp://127.0.0.1:*", "--currency", "GBP",
             "--time-zone", "Europe/London"],
            stdout=subprocess.PIPE, stderr=open(self.log, "w"), text=True, start_new_session=True,
        )  # fmt: skip
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            raise SystemExit("the engine did not start:\n" + self.log.read_text())
        self.endpoint = line.split()[1]

    def command(self, *arguments):
        return subprocess.run([LOYALTY, *arguments, "--data", self.data], stdout=subprocess.PIPE, text=True)

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()


def run(engine):
    """The whole show; returns its figures."""
    from loyalty_client import Client

    say(f"an engine with a database of its own serves at {engine.endpoint}")
    shop = Shop()
    if engine.command("load", EXAMPLE / "loyalty.json").returncode != 0:
        raise SystemExit("the loyalty program could not be loaded")
    with Client(engine.endpoint, timeout=30) as client:
        shop.put(client)
        say(f"{len(shop.products):,} products and {len(shop.partners)} customers are known to it; sending {len(shop.orders)} orders")
        totals, seconds = send_all(client, shop)
    show(totals, seconds)
    say()
    proof = engine.command("fsck")
    say("  the ledger: " + proof.stdout.strip())
    return {
        "orders": totals.orders,
        "refunds": totals.refunds,
        "points_earned": float(totals.earned),
        "points_redeemed": float(totals.redeemed),
        "orders_per_s": round(len(shop.orders) / seconds, 1),
        "p50_ms": round(totals.percentile_ms(50), 2),
        "p99_ms": round(totals.percentile_ms(99), 2),
        "ledger": "ok" if proof.returncode == 0 else "wrong",
    }


def main():
    parser = argparse.ArgumentParser(prog="tools/quickstart", description=__doc__.splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="leave the engine running and say how to talk to it")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="loyalty-quickstart-"))
    folder.chmod(0o755)  # PostgreSQL's own user has to get in, where this runs as root
    engine = Engine(folder)
    keep = False
    try:
        engine.start()
        result = run(engine)
        keep = options.keep
        if keep:
            command = os.path.relpath(LOYALTY)
            say(f"\nthe engine goes on (process {engine.process.pid}); talk to it with")
            say(f"  {command} call card.balance '{{\"partner_id\": 12748}}' --data {engine.data}")
            say(f"  {command} top --data {engine.data}")
            say(f"and stop it with\n  {command} drain --data {engine.data}")
        say(json.dumps(result))
        return 0 if result["ledger"] == "ok" else 1
    finally:
        if not keep:
            engine.stop()
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
