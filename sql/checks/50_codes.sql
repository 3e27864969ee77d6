-- every card's code stands in the directory of codes, and every code there belongs to a card
SELECT card_id, NULL::bigint AS order_ref, 'code' AS figure,
       coalesce(upper(btrim(c.code) COLLATE "C"), 'no such card') AS expected, coalesce(d.code, 'not in the directory') AS found
FROM loyalty_cards c
FULL JOIN card_codes d USING (card_id)
WHERE upper(btrim(c.code) COLLATE "C") IS DISTINCT FROM d.code
