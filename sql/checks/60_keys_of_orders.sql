-- every order, refund and cancellation was recorded under one key, and every such key has its order
SELECT NULL::bigint AS card_id, order_ref, 'key' AS figure,
       CASE WHEN o.order_ref IS NULL THEN 'an order in bucket ' || k.member_bucket
            ELSE 'one key, scope ' || CASE WHEN o.kind = 3 THEN 2 ELSE 1 END || ', for bucket ' || o.bucket END AS expected,
       CASE WHEN o.order_ref IS NULL THEN 'none'
            WHEN k.order_ref IS NULL THEN 'none'
            ELSE k.keys || ' keys, scope ' || k.scope || ', for bucket ' || k.member_bucket END AS found
FROM (
    SELECT order_ref, count(*) AS keys, min(scope) AS scope, min(member_bucket) AS member_bucket
    FROM request_keys WHERE scope IN (1, 2) AND order_ref > 0 GROUP BY order_ref
) k
FULL JOIN orders o USING (order_ref)
WHERE o.order_ref IS NULL OR k.order_ref IS NULL OR k.keys <> 1 OR k.member_bucket <> o.bucket
    OR k.scope <> CASE WHEN o.kind = 3 THEN 2 ELSE 1 END
