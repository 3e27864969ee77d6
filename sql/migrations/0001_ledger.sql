-- The ledger and the catalog (docs/architecture.md, "Storage").
--
-- Money is bigint minor units of the one currency, points bigint hundredths. Rows of a member carry
-- `bucket`, first in every key, so that the tables can be distributed by it; rows of a directory (keys,
-- codes) have a bucket of their own. There are no foreign keys between the hot tables: each would cost an
-- index probe and a row lock per row written; `loyalty fsck` proves the references instead.

CREATE TABLE schema_state (
    one             boolean PRIMARY KEY DEFAULT true CHECK (one),
    version         integer NOT NULL,
    compatible_from integer NOT NULL CHECK (compatible_from <= version)
);
INSERT INTO schema_state (version, compatible_from) VALUES (1, 1);

-- Fixed when the database is made: buckets, currency, currency_digits, time_zone.
CREATE TABLE settings (
    name  text PRIMARY KEY,
    value text NOT NULL
);

-- ---------------------------------------------------------------- time zones

-- A zone as instants (microseconds since 1970 UTC) from which an offset (seconds east) holds. Made by SQL
-- once a zone is used, so that no program needs a zone database of its own.
CREATE TABLE time_zones (
    name     text PRIMARY KEY,
    utc_us   bigint[] NOT NULL,
    offset_s integer[] NOT NULL CHECK (cardinality(offset_s) = cardinality(utc_us) AND cardinality(utc_us) > 0)
);

CREATE FUNCTION time_zone_offset(zone text, at timestamptz) RETURNS integer
    LANGUAGE sql STABLE AS
$$ SELECT extract(epoch FROM (at AT TIME ZONE zone) - (at AT TIME ZONE 'UTC'))::integer $$;

-- Inserts the zone's table when it is missing: days on which the offset changes are found first, then
-- the minute. False when PostgreSQL does not know the zone.
CREATE FUNCTION time_zone_ensure(zone text) RETURNS boolean
    LANGUAGE plpgsql AS $$
DECLARE
    starts bigint[] := '{}';
    offsets integer[] := '{}';
    day timestamptz;
    change timestamptz;
    current_offset integer;
BEGIN
    IF EXISTS (SELECT 1 FROM time_zones WHERE name = zone) THEN
        RETURN true;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM pg_timezone_names WHERE name = zone) THEN
        RETURN false;
    END IF;
    current_offset := time_zone_offset(zone, '1970-01-01 00:00:00+00');
    starts := ARRAY[0::bigint];
    offsets := ARRAY[current_offset];
    FOR day IN
        SELECT d FROM generate_series('1970-01-01 00:00:00+00'::timestamptz, '2100-01-01 00:00:00+00', '1 day') d
        WHERE time_zone_offset(zone, d) <> time_zone_offset(zone, d + interval '1 day')
    LOOP
        FOR change IN
            SELECT m FROM generate_series(day + interval '1 minute', day + interval '1 day', '1 minute') m
            WHERE time_zone_offset(zone, m) <> time_zone_offset(zone, m - interval '1 minute')
            ORDER BY m
        LOOP
            starts := starts || (extract(epoch FROM change) * 1000000)::bigint;
            offsets := offsets || time_zone_offset(zone, change);
        END LOOP;
    END LOOP;
    INSERT INTO time_zones VALUES (zone, starts, offsets) ON CONFLICT DO NOTHING;
    RETURN true;
END $$;

-- ---------------------------------------------------------------- catalog

-- `version` moves with every change of what orders are priced against; `reference_version` with every
-- change of products and partners. Whoever moves one locks the row, so the numbers are in commit order.
CREATE TABLE catalog_state (
    one               boolean PRIMARY KEY DEFAULT true CHECK (one),
    version           bigint NOT NULL,
    reference_version bigint NOT NULL
);
INSERT INTO catalog_state (version, reference_version) VALUES (1, 0);

CREATE TABLE catalog_versions (
    version    bigint PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO catalog_versions VALUES (1, '-infinity');

-- One row per version of a thing: in force from version_from until before version_to (null: still). The
-- definition is the request's body as MessagePack, checked before it was stored.
CREATE TABLE promotion_programs (
    program_id            bigint NOT NULL,
    version_from          bigint NOT NULL,
    version_to            bigint CHECK (version_to > version_from),
    name                  text NOT NULL,
    program_type          smallint NOT NULL CHECK (program_type BETWEEN 0 AND 8),
    state                 smallint NOT NULL CHECK (state IN (1, 2)), -- active, archived
    membership_product_id bigint,
    is_primary_loyalty    boolean NOT NULL DEFAULT false,
    definition            bytea NOT NULL,
    PRIMARY KEY (program_id, version_from)
);
CREATE UNIQUE INDEX promotion_programs_current ON promotion_programs (program_id) WHERE version_to IS NULL;
CREATE UNIQUE INDEX promotion_programs_one_primary ON promotion_programs (membership_product_id)
    WHERE version_to IS NULL AND is_primary_loyalty AND state = 1;

-- Drafts take no part and do not move the version.
CREATE TABLE promotion_drafts (
    program_id bigint PRIMARY KEY,
    name       text NOT NULL,
    definition bytea NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE stores (
    store_id     bigint NOT NULL,
    version_from bigint NOT NULL,
    version_to   bigint CHECK (version_to > version_from),
    name         text NOT NULL DEFAULT '',
    time_zone    text NOT NULL REFERENCES time_zones,
    PRIMARY KEY (store_id, version_from)
);
CREATE UNIQUE INDEX stores_current ON stores (store_id) WHERE version_to IS NULL;

CREATE TABLE product_categories (
    category_id  bigint NOT NULL,
    version_from bigint NOT NULL,
    version_to   bigint CHECK (version_to > version_from),
    name         text NOT NULL DEFAULT '',
    parent_id    bigint CHECK (parent_id <> category_id),
    PRIMARY KEY (category_id, version_from)
);
CREATE UNIQUE INDEX product_categories_current ON product_categories (category_id) WHERE version_to IS NULL;

CREATE TABLE membership_levels (
    membership_product_id bigint NOT NULL,
    version_from          bigint NOT NULL,
    version_to            bigint CHECK (version_to > version_from),
    name                  text NOT NULL DEFAULT '',
    sequence              integer NOT NULL,
    threshold             bigint NOT NULL CHECK (threshold >= 0),
    earn_multiplier_micro bigint NOT NULL CHECK (earn_multiplier_micro >= 0),
    is_upgradable         boolean NOT NULL,
    is_downgradable       boolean NOT NULL,
    spending_window       smallint NOT NULL CHECK (spending_window BETWEEN 0 AND 2), -- lifetime, calendar_year, rolling_months
    window_months         integer NOT NULL CHECK (window_months >= 1),
    grace_days            integer NOT NULL CHECK (grace_days >= 0),
    on_change             smallint NOT NULL CHECK (on_change IN (0, 1)), -- transfer, reset
    PRIMARY KEY (membership_product_id, version_from)
);
CREATE UNIQUE INDEX membership_levels_current ON membership_levels (membership_product_id) WHERE version_to IS NULL;

-- Reference rows, cached by the workers: row_version is the reference_version that wrote the row.
CREATE TABLE products (
    product_id  bigint PRIMARY KEY,
    name        text NOT NULL DEFAULT '',
    reference   text NOT NULL DEFAULT '',
    category_id bigint,
    tags        text[] NOT NULL DEFAULT '{}',
    active      boolean NOT NULL DEFAULT true,
    row_version bigint NOT NULL
);
CREATE INDEX products_row_version ON products (row_version);

CREATE TABLE partners (
    partner_id  bigint PRIMARY KEY,
    name        text NOT NULL DEFAULT '',
    birthday    date,
    active      boolean NOT NULL DEFAULT true,
    row_version bigint NOT NULL
);
CREATE INDEX partners_row_version ON partners (row_version);

-- Staged loads: nothing is used before load.commit.
CREATE TABLE loads (
    load_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    note       text NOT NULL DEFAULT '',
    state      smallint NOT NULL DEFAULT 1 CHECK (state IN (1, 2)), -- open, committed
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE load_parts (
    load_id bigint NOT NULL REFERENCES loads ON DELETE CASCADE,
    part    integer NOT NULL CHECK (part > 0),
    body    bytea NOT NULL,
    PRIMARY KEY (load_id, part)
);

-- ---------------------------------------------------------------- directories

-- One row per request that changed something, for ever. `order_ref` 0 under scope order: a tombstone, left
-- by cancelling an order that had not come. `reply`: only of what has no order record.
CREATE TABLE request_keys (
    bucket        smallint NOT NULL,
    scope         smallint NOT NULL CHECK (scope BETWEEN 1 AND 3), -- order, cancel, op
    key           text NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 64),
    method        smallint NOT NULL,
    body_hash     bytea NOT NULL CHECK (octet_length(body_hash) = 32),
    member_bucket smallint NOT NULL,
    order_ref     bigint NOT NULL CHECK (order_ref >= 0),
    recorded_at   timestamptz NOT NULL,
    reply         bytea,
    PRIMARY KEY (bucket, scope, key)
);

-- Which of the replies kept there tell of a member: they are taken out when it is forgotten. In the member's bucket.
CREATE TABLE member_replies (
    bucket     smallint NOT NULL,
    partner_id bigint NOT NULL,
    key        text NOT NULL, -- of scope op
    PRIMARY KEY (bucket, partner_id, key)
);

-- Codes of cards, unique for ever, folded (ASCII upper case, outer blanks off).
CREATE TABLE card_codes (
    bucket      smallint NOT NULL,
    code        text NOT NULL CHECK (octet_length(code) BETWEEN 1 AND 64),
    card_id     bigint NOT NULL,
    PRIMARY KEY (bucket, code)
);

-- Cards that were made in batches: coupon `number` of a batch is one card, for ever, so that a call that is repeated goes
-- on where it stopped. `bucket` is that of the batch's name.
CREATE TABLE coupon_batches (
    batch      text PRIMARY KEY CHECK (octet_length(batch) BETWEEN 1 AND 64),
    program_id bigint NOT NULL,
    pattern    text NOT NULL,
    points     bigint NOT NULL CHECK (points > 0),
    expires    timestamptz, -- null: as the program says
    total      integer NOT NULL CHECK (total > 0),
    created_at timestamptz NOT NULL
);
CREATE INDEX coupon_batches_pattern ON coupon_batches (pattern);
CREATE TABLE coupons (
    bucket  smallint NOT NULL,
    batch   text NOT NULL,
    number  integer NOT NULL CHECK (number >= 0),
    card_id bigint NOT NULL,
    code    text NOT NULL,
    PRIMARY KEY (bucket, batch, number)
);
CREATE INDEX coupons_card ON coupons (bucket, card_id);

-- ---------------------------------------------------------------- members and cards

CREATE TABLE members (
    bucket       smallint NOT NULL,
    partner_id   bigint NOT NULL,
    order_count  bigint NOT NULL DEFAULT 0 CHECK (order_count >= 0),
    spending     bigint NOT NULL DEFAULT 0,
    last_order   timestamptz NOT NULL DEFAULT '-infinity',
    membership_product_id bigint, -- the level held from membership_from until before membership_to; null: the base level
    membership_from   timestamptz,
    membership_to     timestamptz, -- infinity: without end
    below_since       timestamptz, -- since an evaluation found the spending too low for the level
    spending_undated  bigint,      -- of the spending, what is not in member_spending; null: nothing is there yet
    merged_into  bigint CHECK (merged_into <> partner_id), -- the member that this one became; never one that was merged itself
    absorbed     bigint[] CHECK (cardinality(absorbed) BETWEEN 1 AND 100), -- the members that became this one; its cards may lie in their buckets
    pseudonym    bigint, -- what it will be called when it is forgotten: some of its orders are called so already
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (bucket, partner_id),
    CHECK ((membership_product_id IS NULL) = (membership_from IS NULL) AND (membership_from IS NULL) = (membership_to IS NULL)),
    CHECK (membership_from < membership_to),
    CHECK (merged_into IS NULL OR (absorbed IS NULL AND order_count = 0 AND spending = 0))
) WITH (fillfactor = 70);

-- Every level that a member was given or reached: of those held from an instant or before, the last one says what was held then.
CREATE SEQUENCE membership_positions CACHE 64;
CREATE TABLE membership_history (
    bucket     smallint NOT NULL,
    partner_id bigint NOT NULL,
    position   bigint NOT NULL DEFAULT nextval('membership_positions'),
    membership_product_id bigint NOT NULL,
    since      timestamptz NOT NULL,
    until      timestamptz NOT NULL CHECK (until > since),
    order_ref  bigint NOT NULL, -- that caused it; 0: none
    origin     text NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (bucket, partner_id, recorded_at, position)
);

-- Spending by day of the engine's zone, net of what was returned of that day's orders; kept once the catalog has levels.
CREATE TABLE member_spending (
    bucket     smallint NOT NULL,
    partner_id bigint NOT NULL,
    day        date NOT NULL,
    amount     bigint NOT NULL,
    PRIMARY KEY (bucket, partner_id, day)
) WITH (fillfactor = 70);

-- card_id = n × buckets + bucket, so that an id tells its bucket.
CREATE SEQUENCE card_blocks INCREMENT BY 1024 START WITH 1;
CREATE TABLE loyalty_cards (
    bucket        smallint NOT NULL,
    card_id       bigint NOT NULL,
    program_id    bigint NOT NULL,
    partner_id    bigint,
    code          text NOT NULL,
    single        boolean NOT NULL, -- of a program that gives a member one card (loyalty, wallet)
    merged_into   bigint CHECK (merged_into <> card_id), -- the card of its member that has its points since two members became one
    state         smallint NOT NULL DEFAULT 1 CHECK (state IN (1, 2)), -- active, blocked
    state_reason  text NOT NULL DEFAULT '', -- why it was blocked, or unblocked
    points        bigint NOT NULL DEFAULT 0 CHECK (points >= 0),
    held          bigint NOT NULL DEFAULT 0 CHECK (held >= 0 AND held <= points),
    debt          bigint NOT NULL DEFAULT 0 CHECK (debt >= 0),
    lot_count     integer NOT NULL DEFAULT 0 CHECK (lot_count >= 0),
    journal_count integer NOT NULL DEFAULT 0 CHECK (journal_count >= 0),
    pending_until timestamptz NOT NULL DEFAULT '-infinity', -- no lot becomes usable after it
    first_expiry  timestamptz NOT NULL DEFAULT 'infinity', -- no live lot expires before it: most orders need read no lots
    booked_until  timestamptz NOT NULL DEFAULT '-infinity', -- no lot whose expiry was booked expires after it
    version       bigint NOT NULL DEFAULT 1,
    odoo_card_id  bigint,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (bucket, card_id)
) WITH (fillfactor = 70);
CREATE INDEX loyalty_cards_partner ON loyalty_cards (bucket, partner_id) WHERE partner_id IS NOT NULL;
CREATE UNIQUE INDEX loyalty_cards_single ON loyalty_cards (bucket, partner_id, program_id)
    WHERE single AND partner_id IS NOT NULL;
CREATE UNIQUE INDEX loyalty_cards_odoo ON loyalty_cards (bucket, odoo_card_id) WHERE odoo_card_id IS NOT NULL;

-- Lots. The index of the live ones is in the order in which points are consumed.
CREATE TABLE point_moves (
    bucket      smallint NOT NULL,
    card_id     bigint NOT NULL,
    lot_no      integer NOT NULL CHECK (lot_no > 0),
    state       smallint NOT NULL CHECK (state BETWEEN 1 AND 4), -- active, depleted, expired, closed
    gained      timestamptz NOT NULL,
    usable_from timestamptz NOT NULL,
    expires     timestamptz NOT NULL,
    initial     bigint NOT NULL CHECK (initial > 0),
    remaining   bigint NOT NULL CHECK (remaining >= 0 AND remaining <= initial),
    origin_ref  bigint NOT NULL,
    membership_product_id bigint,
    odoo_move_id bigint,
    PRIMARY KEY (bucket, card_id, lot_no),
    CHECK ((state = 2) = (remaining = 0) OR state > 2)
) WITH (fillfactor = 90);
CREATE INDEX point_moves_live ON point_moves (bucket, card_id, expires, gained, lot_no) WHERE state = 1;
CREATE UNIQUE INDEX point_moves_odoo ON point_moves (bucket, odoo_move_id) WHERE odoo_move_id IS NOT NULL;

-- Uses of programs whose use is limited: the program's own counters in the bucket of its id, a member's in the member's.
CREATE TABLE program_usage (
    bucket     smallint NOT NULL,
    program_id bigint NOT NULL,
    kind       smallint NOT NULL CHECK (kind BETWEEN 1 AND 9), -- total, customer, store, day, week, month, year, birthday, referral
    subject    bigint NOT NULL, -- a member, store or card; the least number: none
    period     integer NOT NULL, -- its first day (days since 1970), a birthday's year; 0: always
    used       bigint NOT NULL DEFAULT 0 CHECK (used >= 0),
    amount     bigint NOT NULL DEFAULT 0 CHECK (amount >= 0),
    PRIMARY KEY (bucket, program_id, kind, subject, period)
) WITH (fillfactor = 70);
-- A member's own: a member that becomes another, or is forgotten.
CREATE INDEX program_usage_member ON program_usage (bucket, subject) WHERE kind IN (2, 4, 5, 6, 7, 8);

-- Points of lots that are reserved: a hold is the rows of one id. Of the closed ones the state tells a late capture why.
CREATE TABLE point_holds (
    bucket  smallint NOT NULL,
    card_id bigint NOT NULL,
    hold_id text NOT NULL CHECK (octet_length(hold_id) BETWEEN 1 AND 64),
    lot_no  integer NOT NULL,
    points  bigint NOT NULL CHECK (points > 0),
    until   timestamptz NOT NULL,
    state   smallint NOT NULL CHECK (state BETWEEN 1 AND 5), -- open, captured, released, expired, moved
    moved_to bigint, -- the card where it is open, or was closed, under the same id
    held_at timestamptz NOT NULL,
    CHECK ((state = 5) = (moved_to IS NOT NULL)),
    PRIMARY KEY (bucket, card_id, hold_id, lot_no)
);
CREATE INDEX point_holds_open ON point_holds (bucket, card_id) WHERE state = 1;

-- What became of the lots that a change of membership, or of two members into one, closed: which lot of which card each was
-- opened as. In the bucket of the card that they left.
CREATE TABLE lot_transfers (
    bucket      smallint NOT NULL,
    card_id     bigint NOT NULL,
    lot_no      integer NOT NULL,
    to_card_id  bigint NOT NULL,
    to_lot_no   integer NOT NULL,
    points      bigint NOT NULL CHECK (points > 0),
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (bucket, card_id, lot_no, to_card_id, to_lot_no)
);

-- Points for the owners of referral codes. No order locks a second member: the order of the friend writes what is to be booked,
-- and whoever locks the owner's card next books it. Rows stay: what takes a credit back finds by it the lot that it became.
CREATE TABLE referral_credits (
    bucket       smallint NOT NULL, -- of the owner's card
    card_id      bigint NOT NULL,
    original_ref bigint NOT NULL, -- the friend's order
    order_ref    bigint NOT NULL, -- what gives or takes back: that order, what returned the whole of it, its cancellation
    order_id     text NOT NULL,
    points       bigint NOT NULL CHECK (points <> 0), -- below 0: to be taken back
    forgives     boolean NOT NULL, -- what is not there to be taken back is forgiven; else it becomes debt
    gained       timestamptz NOT NULL,
    usable_from  timestamptz NOT NULL,
    expires      timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    booked       bigint, -- what of it was moved, by journal row `seq`; null: still to be booked
    seq          integer,
    lot_no       integer,
    PRIMARY KEY (bucket, card_id, original_ref, order_ref),
    CHECK (abs(booked) <= abs(points) AND sign(booked) IN (0, sign(points)))
) WITH (fillfactor = 90);
CREATE INDEX referral_credits_pending ON referral_credits (bucket, card_id) WHERE booked IS NULL;

-- How far each background job is: its steps change rows and move the cursor in one transaction.
CREATE TABLE job_runs (
    job           text PRIMARY KEY,
    period        text NOT NULL, -- what it is done for; '': nothing in particular
    step          bigint NOT NULL, -- counts the job's steps for ever: two at once are told by it
    cursor_bucket smallint NOT NULL, -- the last row that it looked at
    cursor_id     bigint NOT NULL,
    examined      bigint NOT NULL DEFAULT 0,
    changed       bigint NOT NULL DEFAULT 0,
    failed        bigint NOT NULL DEFAULT 0,
    started_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    is_done       boolean NOT NULL,
    is_stopped    boolean NOT NULL DEFAULT false -- by an operator: it goes on when somebody says so
);

-- ---------------------------------------------------------------- what grows, by month

-- The journal: append-only, seq without gaps per card. `lot_nos` and `lot_points`: which lots gained or lost.
CREATE TABLE point_history (
    bucket         smallint NOT NULL,
    card_id        bigint NOT NULL,
    seq            integer NOT NULL CHECK (seq > 0),
    recorded_at    timestamptz NOT NULL,
    kind           smallint NOT NULL CHECK (kind BETWEEN 1 AND 9),
    points_amount  bigint NOT NULL CHECK (points_amount <> 0 OR kind IN (2, 4, 9)), -- what all became debt moves none, nor does debt that moves
    points_balance bigint NOT NULL CHECK (points_balance >= 0),
    debt           bigint NOT NULL CHECK (debt >= 0),
    transaction_time timestamptz NOT NULL,
    order_ref      bigint NOT NULL,
    origin         text NOT NULL,
    membership_product_id        bigint,
    status_membership_product_id bigint,
    lot_nos        integer[] NOT NULL,
    lot_points     bigint[] NOT NULL CHECK (cardinality(lot_points) = cardinality(lot_nos)),
    PRIMARY KEY (bucket, card_id, seq, recorded_at)
) PARTITION BY RANGE (recorded_at);

-- An order once: the record of engine/store/record.h, compressed by the worker.
CREATE SEQUENCE order_blocks INCREMENT BY 1024 START WITH 1;
CREATE TABLE orders (
    bucket      smallint NOT NULL,
    order_ref   bigint NOT NULL CHECK (order_ref > 0),
    recorded_at timestamptz NOT NULL,
    kind        smallint NOT NULL CHECK (kind BETWEEN 1 AND 3), -- process, refund, cancel
    state       smallint NOT NULL DEFAULT 1 CHECK (state IN (1, 2)), -- done, cancelled
    partner_id  bigint,
    record      bytea NOT NULL,
    PRIMARY KEY (bucket, order_ref, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX orders_partner ON orders (bucket, partner_id) WHERE partner_id IS NOT NULL;

-- Which orders took something back of which original; in the original's bucket.
CREATE TABLE order_refunds (
    bucket             smallint NOT NULL,
    original_ref       bigint NOT NULL,
    refund_ref         bigint NOT NULL,
    refund_bucket      smallint NOT NULL,
    refund_recorded_at timestamptz NOT NULL,
    PRIMARY KEY (bucket, original_ref, refund_ref)
);

CREATE TABLE point_history_default PARTITION OF point_history DEFAULT;
CREATE TABLE orders_default PARTITION OF orders DEFAULT;
ALTER TABLE orders_default ALTER COLUMN record SET STORAGE EXTERNAL;

-- Makes the months' partitions from the month of `at` on, `months` of them. A month whose rows already lie in the
-- default partition is left there. Returns how many partitions were made.
CREATE FUNCTION partitions_ensure(at timestamptz, months integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    parent text;
    part text;
    month_start timestamptz;
    made integer := 0;
    occupied boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('loyalty.partitions'));
    FOREACH parent IN ARRAY ARRAY['point_history', 'orders'] LOOP
        FOR i IN 0 .. months - 1 LOOP
            month_start := (date_trunc('month', at AT TIME ZONE 'UTC') + make_interval(months => i)) AT TIME ZONE 'UTC';
            part := format('%s_%s', parent, to_char(month_start AT TIME ZONE 'UTC', 'YYYY_MM'));
            CONTINUE WHEN to_regclass(part) IS NOT NULL;
            EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I WHERE recorded_at >= %L AND recorded_at < %L)',
                           parent || '_default', month_start, (month_start AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC')
                INTO occupied;
            CONTINUE WHEN occupied;
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', part, parent,
                           month_start, (month_start AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC');
            IF parent = 'orders' THEN
                EXECUTE format('ALTER TABLE %I ALTER COLUMN record SET STORAGE EXTERNAL', part);
            END IF;
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;
SELECT partitions_ensure(clock_timestamp(), 3);

-- Whether rows lie in a default partition: no month's partition was there for them, and retention cannot drop them.
CREATE FUNCTION partitions_missed() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$ SELECT EXISTS (SELECT FROM point_history_default) OR EXISTS (SELECT FROM orders_default) $$;
