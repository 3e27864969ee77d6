-- The event feed (docs/decisions/012-the-feed.md): workers write what they changed into `outbox`, in the transaction that
-- changed it; the feed's leader moves it to `feed`, where each event has its number.

-- ---------------------------------------------------------------- what workers write

-- Positions: drawn while the member's lock is held, so that of two changes of one member the later has the greater one. A statement
-- draws one number, and has 1024 positions by it.
CREATE SEQUENCE outbox_positions;

-- The slot that is written to now. A sequence, since its value is changed in place: a row that changes every second would leave a
-- version behind for as long as any snapshot is open, and every batch would read past all of them. Who read it a moment ago writes
-- into the slot before, which does no harm: all slots are read.
CREATE SEQUENCE outbox_slot AS smallint MINVALUE 0 START WITH 0;

-- One row per change: an order, or a card, a member, the catalog without one. No index: rows stay for some milliseconds.
CREATE TABLE outbox (
    slot        smallint NOT NULL,
    bucket      smallint NOT NULL,
    position    bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    topics      integer NOT NULL CHECK (topics > 0), -- bit (t - 1) for topic t (engine/wire/topic.h): each is an event
    order_ref   bigint NOT NULL, -- 0: none; else the events are rendered from that order's record
    card_id     bigint,
    partner_id  bigint, -- of changes without an order
    body        bytea   -- of changes without an order: a MessagePack map of the events' own fields
) PARTITION BY LIST (slot);

-- Slots are emptied by TRUNCATE, so that no snapshot keeps their dead rows; vacuum would only be in its way.
CREATE FUNCTION outbox_slot_make(number integer) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE outbox_%s (LIKE outbox INCLUDING CONSTRAINTS) WITH (autovacuum_enabled = off)', number);
    EXECUTE format('ALTER TABLE outbox ATTACH PARTITION outbox_%s FOR VALUES IN (%s)', number, number);
END $$;
SELECT outbox_slot_make(0), outbox_slot_make(1);
REVOKE EXECUTE ON FUNCTION outbox_slot_make FROM public;

-- ---------------------------------------------------------------- what the feed keeps

-- `number` is that of the change's first event; its k-th set bit of `topics`, from the lowest, from 0, is event number + k. Events
-- are numbered from 1 without gaps.
CREATE TABLE feed (
    number       bigint NOT NULL CHECK (number > 0),
    topics       integer NOT NULL,
    recorded_at  timestamptz NOT NULL,
    bucket       smallint NOT NULL,
    order_ref    bigint NOT NULL,
    card_id      bigint,
    partner_id   bigint,
    body         bytea,
    sequenced_at timestamptz NOT NULL
) PARTITION BY RANGE (sequenced_at);
CREATE INDEX feed_number ON feed (number);
CREATE INDEX feed_partner ON feed (bucket, partner_id) WHERE partner_id IS NOT NULL; -- a member that is forgotten

-- Who leads. The epoch is the truth: what moves events checks it, and locks the row; the lease only says when another may take over.
CREATE TABLE feed_leader (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch       bigint NOT NULL,
    leader      text NOT NULL,
    lease_until timestamptz NOT NULL,
    dropped     bigint NOT NULL CHECK (dropped >= 0) -- events up to this number are not kept any more
) WITH (fillfactor = 50);
INSERT INTO feed_leader (epoch, leader, lease_until, dropped) VALUES (0, '', '-infinity', 0);

-- All of the feed's state. `last` is not stored: a row that changes with every move is what snapshots would make slow.
CREATE VIEW feed_state AS
    SELECT l.epoch, l.leader, l.lease_until,
           greatest((SELECT f.number + bit_count(f.topics::bit(32)) - 1 FROM feed f ORDER BY f.number DESC LIMIT 1), l.dropped) AS last,
           l.dropped + 1 AS oldest,
           (SELECT last_value FROM outbox_slot) AS slot
    FROM feed_leader l;

-- Every change that is known, numbered or not yet (number null).
CREATE VIEW changes AS
    SELECT NULL::bigint AS number, topics, recorded_at, bucket, order_ref, card_id, partner_id, body FROM outbox
    UNION ALL
    SELECT number, topics, recorded_at, bucket, order_ref, card_id, partner_id, body FROM feed;

-- ---------------------------------------------------------------- the leader

-- Makes `my_name` the leader when nobody's lease holds, or when it was the leader already. A lease that ends later than any that is
-- given now is of a clock that was set back. Returns its epoch and the newest number; nothing: another leads.
CREATE FUNCTION feed_take(my_name text, lease_ms integer) RETURNS TABLE (epoch bigint, last bigint)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    UPDATE feed_leader SET epoch = epoch + 1, leader = my_name, lease_until = clock_timestamp() + lease_ms * interval '1 ms'
    WHERE leader = my_name OR lease_until NOT BETWEEN clock_timestamp() AND clock_timestamp() + lease_ms * interval '2 ms';
    IF FOUND THEN
        -- A statement of its own: it sees what the leader before moved while this one waited for its lock.
        RETURN QUERY SELECT s.epoch, s.last FROM feed_state s;
    END IF;
END $$;

-- Extends the lease, without waiting for the disk: what a crash loses of it is but time. False: another leads.
CREATE FUNCTION feed_renew(my_epoch bigint, lease_ms integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    UPDATE feed_leader SET lease_until = clock_timestamp() + lease_ms * interval '1 ms' WHERE epoch = my_epoch;
    RETURN FOUND;
END $$;

-- Moves what lies in the outbox to the feed, in the order of positions, after event number `after`, and returns it as it was numbered,
-- with the records of orders: all that is visible, or the `at_most` changes with the lowest positions (0: all). Without
-- `with_records` only the last of the moved changes is returned. Whoever sees a change of a member sees all its changes before, since
-- those committed before the later one had the member's lock.
--
-- The epoch is checked last: where there is nothing to move nothing is written, and what was moved in vain is undone.
CREATE FUNCTION feed_move(my_epoch bigint, after bigint, at_most integer, with_records boolean)
    RETURNS TABLE (number bigint, topics integer, recorded_at timestamptz, bucket smallint, order_ref bigint, card_id bigint,
                   partner_id bigint, body bytea, record bytea)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    up_to bigint := 9223372036854775807;
BEGIN
    IF at_most > 0 THEN
        SELECT max(p.position) INTO up_to FROM (SELECT position FROM outbox ORDER BY position LIMIT at_most) p;
    END IF;
    RETURN QUERY
        WITH taken AS (DELETE FROM outbox o WHERE o.position <= up_to RETURNING o.*),
        numbered AS MATERIALIZED (
            SELECT after + 1 + coalesce(sum(bit_count(topics::bit(32)))
                       OVER (ORDER BY position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::bigint AS number,
                   topics, recorded_at, bucket, order_ref, card_id, partner_id, body
            FROM taken),
        kept AS (
            INSERT INTO feed (number, topics, recorded_at, bucket, order_ref, card_id, partner_id, body, sequenced_at)
            SELECT number, topics, recorded_at, bucket, order_ref, card_id, partner_id, body, now() FROM numbered)
        SELECT n.number, n.topics, n.recorded_at, n.bucket, n.order_ref, n.card_id, n.partner_id, n.body, r.record
        FROM numbered n LEFT JOIN LATERAL (
            SELECT record FROM orders o WHERE with_records AND n.order_ref > 0
            AND o.bucket = n.bucket AND o.order_ref = n.order_ref AND o.recorded_at = n.recorded_at LIMIT 1) r ON true
        WHERE with_records OR n.number = (SELECT max(number) FROM numbered)
        ORDER BY n.number;
    IF FOUND THEN
        PERFORM FROM feed_leader WHERE epoch = my_epoch FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'another feed leads now' USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
    END IF;
END $$;

-- Keeps the outbox small: truncates the slots that are not written to and empty, and names another slot once the one that is written
-- to is larger than `bytes_max`. Nobody waits for it: where a lock is held on a slot (by a transaction that still writes into it, by
-- pg_dump), that one is left for later, and where no slot is free one more is made, up to `slots_max`. Returns how many there are,
-- and whether the slot is too large and no other was to be had; nothing when another leads.
--
-- A slot is named by a call after the one that made or emptied it: the sequence's new value is seen at once, by workers that could
-- not write into a slot that is not committed yet, or would wait for the lock on one that was just truncated.
CREATE FUNCTION outbox_rotate(my_epoch bigint, bytes_max bigint, slots_max integer)
    RETURNS TABLE (slots integer, is_stuck boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    current_slot integer;
    free_slot integer;
    emptied boolean := false;
    occupied boolean;
BEGIN
    PERFORM FROM feed_leader WHERE epoch = my_epoch FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT last_value INTO current_slot FROM outbox_slot;
    SELECT count(*) INTO slots FROM pg_inherits WHERE inhparent = 'outbox'::regclass;
    is_stuck := false;
    FOR number IN 0 .. slots - 1 LOOP
        CONTINUE WHEN number = current_slot;
        IF pg_relation_size(format('outbox_%s', number)) = 0 THEN
            free_slot := coalesce(free_slot, number);
            CONTINUE;
        END IF;
        EXECUTE format('SELECT EXISTS (SELECT FROM outbox_%s)', number) INTO occupied;
        CONTINUE WHEN occupied;
        BEGIN
            EXECUTE format('LOCK TABLE outbox_%s IN ACCESS EXCLUSIVE MODE NOWAIT', number);
            EXECUTE format('SELECT EXISTS (SELECT FROM outbox_%s)', number) INTO occupied;
            CONTINUE WHEN occupied;
            EXECUTE format('TRUNCATE outbox_%s', number);
        EXCEPTION WHEN lock_not_available THEN
            CONTINUE;
        END;
        emptied := true;
    END LOOP;
    IF pg_relation_size(format('outbox_%s', current_slot)) > bytes_max THEN
        IF free_slot IS NOT NULL THEN
            PERFORM setval('outbox_slot', free_slot);
        ELSIF NOT emptied AND slots < slots_max THEN
            PERFORM outbox_slot_make(slots);
            slots := slots + 1;
        ELSIF NOT emptied THEN
            is_stuck := true;
        END IF;
    END IF;
    RETURN NEXT;
END $$;

-- Makes the feed's partitions of today and the next days, and drops those that ended `kept_days` ago or earlier. What is still read is
-- dropped later. Returns how many were made and dropped.
CREATE FUNCTION feed_partitions(my_epoch bigint, kept_days integer, OUT made integer, OUT dropped integer)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
    part text;
    ended record;
    newest bigint;
BEGIN
    made := 0;
    dropped := 0;
    PERFORM FROM feed_leader WHERE epoch = my_epoch FOR UPDATE;
    IF NOT FOUND AND my_epoch > 0 THEN
        RETURN;
    END IF;
    FOR day IN 0 .. 3 LOOP
        part := 'feed_' || to_char(today + day, 'YYYY_MM_DD');
        CONTINUE WHEN to_regclass(part) IS NOT NULL;
        -- Made beside the table and attached then, which keeps nobody from reading and writing it.
        EXECUTE format('CREATE TABLE %I (LIKE feed INCLUDING CONSTRAINTS)', part);
        EXECUTE format('ALTER TABLE feed ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', part,
                       (today + day)::timestamp AT TIME ZONE 'UTC', (today + day + 1)::timestamp AT TIME ZONE 'UTC');
        made := made + 1;
    END LOOP;
    FOR ended IN
        SELECT c.relname::text AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'feed'::regclass AND c.relname < 'feed_' || to_char(today - kept_days, 'YYYY_MM_DD')
        ORDER BY c.relname
    LOOP
        BEGIN
            LOCK TABLE ONLY feed IN ACCESS EXCLUSIVE MODE NOWAIT;
            EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE NOWAIT', ended.name);
            EXECUTE format('SELECT number + bit_count(topics::bit(32)) - 1 FROM %I ORDER BY number DESC LIMIT 1', ended.name) INTO newest;
            EXECUTE format('DROP TABLE %I', ended.name);
            UPDATE feed_leader SET dropped = greatest(feed_leader.dropped, newest) WHERE newest IS NOT NULL;
            dropped := dropped + 1;
        EXCEPTION WHEN lock_not_available THEN
            RETURN;
        END;
    END LOOP;
END $$;
SELECT feed_partitions(0, 7);

REVOKE EXECUTE ON FUNCTION feed_take, feed_renew, feed_move, outbox_rotate, feed_partitions FROM public;

-- ---------------------------------------------------------------- rights

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'loyalty_worker') THEN
        GRANT INSERT ON outbox TO loyalty_worker;
        GRANT SELECT ON outbox_slot TO loyalty_worker;
        GRANT USAGE ON outbox_positions TO loyalty_worker;
        GRANT SELECT ON feed, feed_state TO loyalty_worker; -- events.read
        GRANT SELECT (bucket, partner_id, position, body) ON outbox TO loyalty_worker; -- a member that is forgotten
        GRANT UPDATE (partner_id, body) ON outbox, feed TO loyalty_worker;
    END IF;
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'loyalty_fsck') THEN
        GRANT SELECT ON outbox, feed, feed_leader, changes TO loyalty_fsck;
    END IF;
    -- The feed does all by these functions, which run as their owner.
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'loyalty_feed') THEN
        GRANT EXECUTE ON FUNCTION feed_take, feed_renew, feed_move, outbox_rotate, feed_partitions TO loyalty_feed;
    END IF;
END $$;
