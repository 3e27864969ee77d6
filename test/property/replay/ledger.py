"""The whole ledger of an engine as rows that two engines can be compared by: without ids, codes that were made up, and times of recording."""

# A card is named by its member, program and first order (rank: where one order made several), an order by its id.
NAMES = """
CREATE TEMP TABLE order_name AS SELECT order_ref, key AS name FROM request_keys WHERE scope = 1;
CREATE UNIQUE INDEX ON order_name (order_ref);
CREATE TEMP TABLE card_name AS
    SELECT c.bucket, c.card_id,
           concat_ws(' ', 'program', c.program_id, 'of', c.partner_id, CASE WHEN c.single THEN '' ELSE 'by ' || o.name || ' ' ||
               rank() OVER (PARTITION BY c.program_id, c.partner_id, o.name ORDER BY c.card_id) END) AS name
    FROM loyalty_cards c
    LEFT JOIN point_history h ON h.bucket = c.bucket AND h.card_id = c.card_id AND h.seq = 1
    LEFT JOIN order_name o ON o.order_ref = h.order_ref;
CREATE UNIQUE INDEX ON card_name (bucket, card_id);
ANALYZE order_name, card_name;
"""

TABLES = {
    "members": """SELECT partner_id, order_count, spending, last_order, membership_product_id, membership_from, membership_to,
        membership_before, below_since, spending_undated FROM members""",
    "spending": "SELECT partner_id, day, amount FROM member_spending",
    "uses": "SELECT program_id, kind, subject, period, used, amount FROM program_usage",
    "cards": """SELECT n.name, c.partner_id, c.program_id, c.single, c.state, c.points, c.held, c.debt, c.lot_count, c.journal_count,
        c.pending_until, c.first_expiry, c.version
        FROM loyalty_cards c JOIN card_name n USING (bucket, card_id)""",
    "lots": """SELECT n.name, m.lot_no, m.state, m.gained, m.usable_from, m.expires, m.initial, m.remaining, o.name,
        m.membership_product_id FROM point_moves m JOIN card_name n USING (bucket, card_id)
        LEFT JOIN order_name o ON o.order_ref = m.origin_ref""",
    "journal": """SELECT n.name, h.seq, h.kind, h.points_amount, h.points_balance, h.debt, h.transaction_time, o.name, h.origin,
        h.membership_product_id, h.status_membership_product_id, h.lot_nos, h.lot_points
        FROM point_history h JOIN card_name n USING (bucket, card_id) LEFT JOIN order_name o USING (order_ref)""",
    "transfers": """SELECT a.name, t.lot_no, b.name, t.to_lot_no, t.points FROM lot_transfers t JOIN card_name a USING (bucket, card_id)
        JOIN card_name b ON b.card_id = t.to_card_id AND b.bucket = t.bucket""",
    "refunds": """SELECT a.name, b.name FROM order_refunds r JOIN order_name a ON a.order_ref = r.original_ref
        JOIN order_name b ON b.order_ref = r.refund_ref""",
    "orders": "SELECT n.name, o.kind, o.state, o.partner_id FROM orders o JOIN order_name n USING (order_ref)",
    "events": "SELECT n.name, e.topic, e.card_id IS NULL, e.partner_id FROM outbox e LEFT JOIN order_name n USING (order_ref)",
}


def read(engine):
    """{table: sorted rows} of an engine."""
    connection = engine.db()
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(NAMES)
            tables = {}
            for table, query in TABLES.items():
                cursor.execute(f"SELECT ROW(q.*)::text FROM ({query}) q")
                tables[table] = sorted(row for (row,) in cursor)
            return tables
    finally:
        connection.close()


def differences(one, other, limit=5):
    """What differs between two ledgers, as lines of text: the first rows of each table that only one of them has."""
    lines = []
    for table in TABLES:
        if one[table] == other[table]:
            continue
        only = sorted(set(one[table]) ^ set(other[table]))
        lines.append(f"{table}: {len(one[table])} rows and {len(other[table])}; {len(only)} that only one has")
        lines += [("  first:  " if row in set(one[table]) else "  second: ") + row for row in only[:limit]]
    return lines
