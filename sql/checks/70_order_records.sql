-- every order's record can be read, and is the record of that order
SELECT NULL::bigint AS card_id, order_ref, figure, expected, found FROM pg_temp.fsck_damage
