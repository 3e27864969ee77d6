-- a program's counters of uses are those of the orders that stand: neither cancelled nor wholly returned
SELECT NULL::bigint AS card_id, NULL::bigint AS order_ref, f.figure || ' of program ' || program_id AS figure, f.expected, f.found
FROM (
    SELECT u.program_id, u.kind, count(*)::bigint AS used, sum(u.amount)::bigint AS amount
    FROM pg_temp.fsck_uses u
    JOIN orders o USING (order_ref)
    WHERE o.state = 1 AND NOT EXISTS (
        SELECT FROM pg_temp.fsck_wholes w JOIN orders r USING (order_ref)
        WHERE w.original_ref = u.order_ref AND r.state = 1)
    GROUP BY u.program_id, u.kind
) e
FULL JOIN (
    SELECT program_id, kind::bigint, sum(used)::bigint AS used, sum(amount)::bigint AS amount
    FROM program_usage GROUP BY program_id, kind
) c USING (program_id, kind)
CROSS JOIN LATERAL (VALUES
    ('uses, counter ' || kind, coalesce(e.used, 0)::text, coalesce(c.used, 0)::text),
    ('money, counter ' || kind, coalesce(e.amount, 0)::text, coalesce(c.amount, 0)::text)
) AS f (figure, expected, found)
WHERE f.expected <> f.found
