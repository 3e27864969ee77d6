-- a lot that moved with its member's level, or with its member, was opened with the same dates, the points it was given, on a card of the same member
WITH buckets AS (SELECT value::bigint AS n FROM settings WHERE name = 'buckets')
SELECT t.card_id, NULL::bigint AS order_ref, 'lot ' || t.lot_no || ' moved to card ' || t.to_card_id AS figure,
       'the same member, dates and ' || round(t.points / 100.0, 2) || ' points' AS expected,
       CASE WHEN l.lot_no IS NULL OR n.lot_no IS NULL THEN 'no such lot'
            WHEN c.partner_id IS DISTINCT FROM d.partner_id THEN 'another member'
            WHEN n.initial <> t.points THEN round(n.initial / 100.0, 2) || ' points'
            ELSE 'other dates' END AS found
FROM lot_transfers t
CROSS JOIN buckets
LEFT JOIN point_moves l USING (bucket, card_id, lot_no)
LEFT JOIN point_moves n ON n.bucket = t.to_card_id % buckets.n AND n.card_id = t.to_card_id AND n.lot_no = t.to_lot_no
LEFT JOIN loyalty_cards c ON c.bucket = t.bucket AND c.card_id = t.card_id
LEFT JOIN loyalty_cards d ON d.bucket = t.to_card_id % buckets.n AND d.card_id = t.to_card_id
WHERE l.lot_no IS NULL OR n.lot_no IS NULL OR c.partner_id IS DISTINCT FROM d.partner_id OR n.initial <> t.points
    OR (l.gained, l.expires) IS DISTINCT FROM (n.gained, n.expires)
