-- an order's record and its key name the same order
SELECT NULL::bigint AS card_id, order_ref, 'order id' AS figure, k.key AS expected, o.order_id AS found
FROM pg_temp.fsck_orders o
JOIN request_keys k USING (order_ref)
WHERE k.scope IN (1, 2) AND k.key <> o.order_id
