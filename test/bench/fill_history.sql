-- fill_history.sql - many journal rows for every card there is, for the row "throughput with 10 million history rows" of docs/numbers.md.
--
--     psql -v rows=100 -f test/bench/fill_history.sql URL
--
-- Each card gets so many rows (an even number) that come and go by a point, so that balances and `loyalty fsck` stay as they
-- are. The engine has to be idle meanwhile.
\set ON_ERROR_STOP on
BEGIN;
INSERT INTO point_history (bucket, card_id, seq, recorded_at, kind, points_amount, points_balance, debt, transaction_time,
                           order_ref, origin, lot_nos, lot_points)
SELECT bucket, card_id, journal_count + n, clock_timestamp(), 3, CASE n % 2 WHEN 1 THEN 100 ELSE -100 END,
       points + CASE n % 2 WHEN 1 THEN 100 ELSE 0 END, debt, clock_timestamp(), 0, 'filled', '{}', '{}'
FROM loyalty_cards, generate_series(1, :rows) n;
UPDATE loyalty_cards SET journal_count = journal_count + :rows;
COMMIT;
VACUUM ANALYZE loyalty_cards, point_history;
SELECT count(*) AS journal_rows FROM point_history;
