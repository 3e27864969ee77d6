-- no balance, debt, hold or count is negative
SELECT card_id, NULL::bigint AS order_ref, f.figure, '0 or more' AS expected, f.value::text AS found
FROM loyalty_cards
CROSS JOIN LATERAL (VALUES ('points', points), ('held', held), ('debt', debt), ('lots', lot_count),
                           ('journal rows', journal_count)) AS f (figure, value)
WHERE f.value < 0
UNION ALL
SELECT card_id, order_ref, f.figure || seq, '0 or more', f.value::text
FROM point_history
CROSS JOIN LATERAL (VALUES ('balance of journal row ', points_balance), ('debt of journal row ', debt)) AS f (figure, value)
WHERE f.value < 0
UNION ALL
SELECT NULL, NULL, 'orders of partner ' || partner_id, '0 or more', order_count::text FROM members WHERE order_count < 0
