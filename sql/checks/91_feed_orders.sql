-- every order, refund and cancellation is told by one event, numbered or about to be, and every such event has its order
SELECT NULL::bigint AS card_id, order_ref, 'event' AS figure,
       CASE WHEN o.order_ref IS NULL THEN 'an order in bucket ' || c.bucket ELSE 'one of topic ' || o.kind END AS expected,
       CASE WHEN o.order_ref IS NULL THEN 'none' WHEN c.order_ref IS NULL THEN 'none'
            ELSE c.events || ', topics ' || c.topics END AS found
FROM (
    -- Of what was recorded before the oldest events that are kept, the events may be gone.
    SELECT order_ref, bucket, kind FROM orders, feed_leader l
    WHERE l.dropped = 0 OR recorded_at > (SELECT min(sequenced_at) + interval '1 hour' FROM feed)
) o
FULL JOIN (
    SELECT order_ref, min(bucket) AS bucket, count(*) AS events, bit_or(topics) AS topics
    FROM changes WHERE order_ref > 0 GROUP BY order_ref
) c USING (order_ref)
WHERE (o.order_ref IS NULL AND NOT EXISTS (SELECT FROM orders r WHERE r.order_ref = c.order_ref AND r.bucket = c.bucket))
    OR (o.order_ref IS NOT NULL AND (c.order_ref IS NULL OR c.events <> 1 OR c.bucket <> o.bucket OR c.topics & 7 <> 1 << (o.kind - 1)))
