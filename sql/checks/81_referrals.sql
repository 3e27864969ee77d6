-- the owner of a referral code is given what the orders that stand gave him, neither cancelled nor wholly returned, each once
SELECT card_id, order_ref, 'points for the owner of a referral code' AS figure,
       round(coalesce(e.points, 0) / 100.0, 2)::text AS expected, round(coalesce(c.points, 0) / 100.0, 2)::text AS found
FROM (
    SELECT r.order_ref, r.card_id, r.points
    FROM pg_temp.fsck_referrals r
    JOIN orders o USING (order_ref)
    WHERE o.state = 1 AND NOT EXISTS (
        SELECT FROM pg_temp.fsck_wholes w JOIN orders t ON t.order_ref = w.order_ref
        WHERE w.original_ref = r.order_ref AND t.state = 1)
) e
FULL JOIN (
    SELECT original_ref AS order_ref, card_id, sum(points)::bigint AS points FROM referral_credits GROUP BY original_ref, card_id
) c USING (order_ref, card_id)
WHERE coalesce(e.points, 0) <> coalesce(c.points, 0)
