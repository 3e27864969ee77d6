-- a member that became another counts nothing and has no card; the other knows of it; a card that gave way to another of the
-- same member and program has nothing
SELECT NULL::bigint AS card_id, NULL::bigint AS order_ref, 'merged partner ' || m.partner_id AS figure,
       'no card, no order and no money, into a member that knows of it' AS expected,
       CASE WHEN m.order_count <> 0 OR m.spending <> 0 THEN m.order_count || ' orders, spending ' || m.spending
            WHEN EXISTS (SELECT FROM loyalty_cards c WHERE c.partner_id = m.partner_id) THEN 'a card'
            ELSE 'into ' || m.merged_into END AS found
FROM members m
LEFT JOIN members n ON n.partner_id = m.merged_into
WHERE m.merged_into IS NOT NULL
    AND (m.order_count <> 0 OR m.spending <> 0 OR EXISTS (SELECT FROM loyalty_cards c WHERE c.partner_id = m.partner_id)
         OR n.partner_id IS NULL OR n.merged_into IS NOT NULL OR n.absorbed IS NULL OR m.partner_id <> ALL (n.absorbed))
UNION ALL
SELECT NULL, NULL, 'partner ' || a.id || ' that became partner ' || n.partner_id, 'into ' || n.partner_id,
       coalesce('into ' || m.merged_into, 'not merged')
FROM members n
CROSS JOIN LATERAL unnest(n.absorbed) AS a (id)
LEFT JOIN members m ON m.partner_id = a.id
WHERE m.merged_into IS DISTINCT FROM n.partner_id
UNION ALL
SELECT c.card_id, NULL, 'merged into card ' || c.merged_into, 'no points, no debt',
       round(c.points / 100.0, 2) || ' points, ' || round(c.debt / 100.0, 2) || ' debt'
FROM loyalty_cards c
WHERE c.merged_into IS NOT NULL AND (c.points <> 0 OR c.debt <> 0 OR c.single)
UNION ALL
SELECT c.card_id, NULL, 'merged into card ' || c.merged_into, 'a card of program ' || c.program_id || ' and the same member',
       coalesce('program ' || d.program_id || ', partner ' || d.partner_id, 'no such card')
FROM loyalty_cards c
LEFT JOIN loyalty_cards d ON d.card_id = c.merged_into
WHERE c.merged_into IS NOT NULL
    AND (d.program_id IS DISTINCT FROM c.program_id OR d.partner_id IS DISTINCT FROM c.partner_id OR d.merged_into IS NOT NULL)
