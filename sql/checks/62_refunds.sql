-- a refund and the order that it takes back are both there
SELECT NULL::bigint AS card_id, r.refund_ref AS order_ref, f.figure, 'order ' || f.order_ref AS expected, 'none' AS found
FROM order_refunds r
CROSS JOIN LATERAL (VALUES ('refund', r.refund_ref, r.refund_bucket), ('original', r.original_ref, r.bucket))
    AS f (figure, order_ref, bucket)
WHERE NOT EXISTS (SELECT FROM orders o WHERE o.bucket = f.bucket AND o.order_ref = f.order_ref)
