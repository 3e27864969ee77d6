-- a card's points are the sum of its journal
SELECT card_id, NULL::bigint AS order_ref, 'points' AS figure,
       round(coalesce(h.points, 0) / 100.0, 2)::text AS expected, round(c.points / 100.0, 2)::text AS found
FROM loyalty_cards c
FULL JOIN (
    SELECT bucket, card_id, sum(points_amount) AS points FROM point_history GROUP BY bucket, card_id
) h USING (bucket, card_id)
WHERE c.points IS DISTINCT FROM coalesce(h.points, 0)
