"""Compares what clients were told with what the ledger holds. Every disagreement is a finding."""

import collections

from operations import hundredths, text

Finding = collections.namedtuple("Finding", "what key text")

# Per order or operation that moved points: on how many cards, by how much in all, what it left, and whether something before
# it on the card bears a later time: of two workers' transactions the one that began first may get the locks last, and
# answers the balance as of its own time, without points that are a moment younger.
EFFECTS = """
    WITH moves AS (
        SELECT card_id, seq, order_ref, origin, points_amount, points_balance, debt,
               debt - coalesce(lag(debt) OVER (PARTITION BY card_id ORDER BY seq), 0) AS debt_more,
               max(transaction_time) OVER (PARTITION BY card_id ORDER BY seq) > transaction_time AS is_behind
        FROM point_history)
    SELECT order_ref, origin, count(DISTINCT card_id), sum(points_amount - debt_more)::bigint,
           (array_agg(points_balance ORDER BY seq DESC))[1], (array_agg(debt ORDER BY seq DESC))[1], bool_or(is_behind)
    FROM moves GROUP BY order_ref, origin"""

Effect = collections.namedtuple("Effect", "order_ref origin cards points balance debt is_behind")


class Ledger:
    """All that the database holds, read at once."""

    def __init__(self, query):
        self.keys = {(scope, key): ref for scope, key, ref in query("SELECT scope, key, order_ref FROM request_keys")}
        self.orders = collections.defaultdict(list)
        for ref, kind, state in query("SELECT order_ref, kind, state FROM orders"):
            self.orders[ref].append((kind, state))
        self.effects = collections.defaultdict(list)
        for row in query(EFFECTS):
            effect = Effect(*row)
            self.effects[(effect.order_ref, effect.origin)].append(effect)
        self.members = {
            partner: (count, spending) for partner, count, spending in query("SELECT partner_id, order_count, spending FROM members")
        }
        self.points = collections.Counter()
        for partner, points, debt in query("SELECT partner_id, points, debt FROM loyalty_cards"):
            self.points[partner] += points - debt


class Verdict:
    """Judges the entries of all clients that ever wrote to one engine."""

    KINDS = {"earn": 1, "redeem": 1, "refund": 2, "cancel": 3}

    def __init__(self, entries, ledger):
        self.entries = entries
        self.ledger = ledger
        self.findings = []
        self.totals = {entry.operation.place: entry.operation.total for entry in entries}
        self.net = {}  # of each ok order and operation: what it did to its member's points
        self.member_points = collections.Counter()
        self.member_orders = collections.Counter()
        self.member_money = collections.Counter()

    def find(self, what, key, finding):
        self.findings.append(Finding(what, key, finding))

    def judge(self):
        """All findings; none is what a test wants."""
        # Originals before what gives them back.
        rank = {"earn": 0, "redeem": 0, "adjust": 0, "refund": 1, "cancel": 1}
        for entry in sorted(self.entries, key=lambda entry: rank[entry.operation.kind]):
            if entry.ok:
                self.judge_ok(entry)
            elif entry.refused:
                self.judge_refused(entry)
            else:
                self.find("unsettled", entry.operation.key, f"ended with {entry.code}: send it again")
        self.judge_strangers()
        self.judge_members()
        return self.findings

    # An ok: there exactly once, with the figures that were answered, which are those that follow from the request

    def judge_ok(self, entry):
        operation = entry.operation
        ref = self.ledger.keys.get(operation.place)
        if ref is None:
            self.find("lost", operation.key, f"{operation.kind} was answered ok, and its key is not in the ledger")
            return
        net = self.expected(entry)
        if operation.place not in self.net:  # sent more than once by its key, it still counts once
            self.count(entry, net)
        self.net[operation.place] = net
        if operation.kind != "adjust":
            self.judge_order(operation, ref)
            self.judge_figures(entry)
        self.judge_points(entry, ref, net)

    def count(self, entry, net):
        operation = entry.operation
        self.member_points[operation.partner] += net
        if operation.kind != "adjust":
            self.member_orders[operation.partner] += {"earn": 1, "redeem": 1, "refund": 0, "cancel": -1}[operation.kind]
            self.member_money[operation.partner] += hundredths(entry.outcome["result"]["amount_total"])

    def judge_order(self, operation, ref):
        rows = self.ledger.orders.get(ref, [])
        if len(rows) != 1:
            self.find("doubled" if rows else "lost", operation.key, f"{len(rows)} rows of order {ref}")
        elif rows[0][0] != self.KINDS[operation.kind]:
            self.find("wrong", operation.key, f"order {ref} is of kind {rows[0][0]}")
        if operation.kind == "cancel":
            original = self.ledger.keys.get((1, operation.original))
            if [state for _, state in self.ledger.orders.get(original, [])] != [2]:
                self.find("wrong", operation.key, "was cancelled, and is not marked so")

    def expected(self, entry):
        """What it must do to its member's points and debt taken together."""
        operation, result = entry.operation, entry.outcome["result"]
        if operation.kind in ("adjust", "earn"):
            return operation.points or operation.total
        if operation.kind == "redeem":
            # A point is worth 0.01: what was taken off the price in money is what was spent.
            return operation.total - (operation.total - hundredths(result["amount_total"])) * 100
        original = (1, operation.original)
        if operation.kind == "cancel" or -operation.total == self.totals.get(original):
            return -self.net.get(original, 0)
        return operation.total

    def judge_figures(self, entry):
        operation, result = entry.operation, entry.outcome["result"]
        if result["order_id"] != operation.key:
            self.find("wrong", operation.key, f"was answered with order {result['order_id']}")
        earned, redeemed = hundredths(result["points_earned"]), hundredths(result["points_redeemed"])
        net = self.net[operation.place]
        short = sum(hundredths(one["points"]) for one in result.get("shortfall", []))
        if operation.kind in ("earn", "redeem") and earned != operation.total:
            self.find("wrong", operation.key, f"earned {text(earned)} with goods of {text(operation.total)}")
        if earned - redeemed not in (net, net + short):
            self.find("wrong", operation.key, f"answered {text(earned)} earned, {text(redeemed)} redeemed; {text(net)} follows")

    def judge_points(self, entry, ref, net):
        operation, result = entry.operation, entry.outcome["result"]
        effects = self.ledger.effects.get((0 if operation.kind == "adjust" else ref, operation.key), [])
        stored = sum(effect.points for effect in effects)
        if stored != net:
            what = "doubled" if net != 0 and stored == 2 * net else "lost" if stored == 0 else "wrong"
            self.find(what, operation.key, f"moved {text(stored)} points in the journal; {text(net)} follow from it")
        if any(effect.cards != 1 for effect in effects):
            self.find("wrong", operation.key, "moved points on more than one card")
        if not effects or effects[0].is_behind:
            return
        answered = result if operation.kind == "adjust" else result["points"][0]
        told = hundredths(answered["balance"]), hundredths(answered["debt"])
        if told != (effects[0].balance, effects[0].debt):
            self.find("wrong", operation.key, f"answered balance and debt {told}, stored {effects[0].balance}, {effects[0].debt}")

    # A final refusal: nothing there

    def judge_refused(self, entry):
        if entry.operation.place in self.ledger.keys:
            self.find("refused", entry.operation.key, f"was answered {entry.code}, and is in the ledger all the same")

    # Nothing that nobody asked for, nothing created or lost

    def judge_strangers(self):
        known = {entry.operation.place for entry in self.entries}
        refs = set()
        for place, ref in self.ledger.keys.items():
            if place not in known and not place[1].startswith("setup"):
                self.find("stranger", place[1], "is in the ledger, and no client sent it")
            refs.add(ref)
        for ref in self.ledger.orders.keys() - refs:
            self.find("stranger", str(ref), "an order without a key")

    def judge_members(self):
        for partner in self.ledger.points.keys() | self.member_points.keys():
            stored, expected = self.ledger.points[partner], self.member_points[partner]
            if stored != expected:
                self.find("sum", str(partner), f"has {text(stored)} points; {text(expected)} follow from all answers")
        for partner in self.ledger.members.keys() | self.member_orders.keys():
            count, money = self.ledger.members.get(partner, (0, 0))
            if (count, money) != (self.member_orders[partner], self.member_money[partner]):
                self.find("sum", str(partner), f"member has {count} orders over {text(money)}; "
                          f"{self.member_orders[partner]} over {text(self.member_money[partner])} were answered ok")  # fmt: skip
