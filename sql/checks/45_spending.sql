-- where a member's spending is kept by day, the days and what was spent before them are all of it
SELECT NULL::bigint AS card_id, NULL::bigint AS order_ref, 'spending of partner ' || partner_id AS figure,
       (m.spending_undated + coalesce(d.amount, 0))::text AS expected, m.spending::text AS found
FROM members m
LEFT JOIN (SELECT bucket, partner_id, sum(amount) AS amount FROM member_spending GROUP BY bucket, partner_id) d
    USING (bucket, partner_id)
WHERE (m.spending_undated IS NOT NULL OR d.amount IS NOT NULL)
    AND m.spending IS DISTINCT FROM m.spending_undated + coalesce(d.amount, 0)
