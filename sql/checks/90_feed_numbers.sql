-- the feed's events are numbered one after another, without a gap or a repeat
SELECT card_id, order_ref, 'event number' AS figure, expected::text, number::text AS found
FROM (
    SELECT f.card_id, f.order_ref, f.number,
           coalesce(lag(f.number + bit_count(f.topics::bit(32))) OVER (ORDER BY f.number), l.dropped + 1) AS expected
    FROM feed f CROSS JOIN feed_leader l WHERE f.number > l.dropped
) f WHERE number <> expected
