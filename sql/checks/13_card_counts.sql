-- a card numbers its lots from 1 without gaps, holds no more than it has, and lies in the bucket of its number
WITH buckets AS (SELECT value::bigint AS n FROM settings WHERE name = 'buckets')
SELECT card_id, NULL::bigint AS order_ref, f.figure, f.expected, f.found
FROM loyalty_cards c
LEFT JOIN (
    SELECT bucket, card_id, count(*) AS lots, max(lot_no) AS last FROM point_moves GROUP BY bucket, card_id
) l USING (bucket, card_id)
CROSS JOIN buckets
CROSS JOIN LATERAL (VALUES
    ('lots', c.lot_count::text, coalesce(l.lots, 0)::text),
    ('last lot', c.lot_count::text, coalesce(l.last, 0)::text),
    ('held', least(c.held, c.points)::text, c.held::text),
    ('bucket', (c.card_id % buckets.n)::text, c.bucket::text)
) AS f (figure, expected, found)
WHERE f.expected <> f.found
