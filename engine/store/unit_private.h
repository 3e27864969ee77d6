/* unit_private.h - what the files of the unit of work share. */
#ifndef STORE_UNIT_PRIVATE_H
#define STORE_UNIT_PRIVATE_H

#include "store/unit.h"

/* Room for one more in an array of the arena; false when memory ran out. */
bool unit_grow (struct arena *arena, void **array, uint32_t count, uint32_t *capacity, size_t size);

/* A card's entry at the end of the table, in the indexes too. NULL: out of memory. */
struct unit_card *unit_card_append (struct unit *unit, int64_t card_id, bool has_partner, int64_t partner_id);

/* Puts the card at that place into its member's list; false: out of memory. */
bool unit_card_link (struct unit *unit, uint32_t at, int64_t partner_id);
/* Takes the cards of the next result; those that are there already stay as they are. */
int unit_receive_card_rows (struct unit *unit, struct error *err);
/* What a member's row says of being merged, from the columns from `column` on (unit_merge.c). -1: out of memory. */
int unit_merge_read (struct unit *unit, struct unit_member *member, const PGresult *result, int row, int column);
/* Queue what was changed of these, and cards that were given to another member (unit_merge.c), as unit_send_writes. */
int unit_send_merges (struct unit *unit, int bucket, unsigned *sent);
int unit_send_replies (struct unit *unit, int bucket, unsigned *sent);
int unit_send_owners (struct unit *unit, int bucket, unsigned *sent);

/* A member's level, from the columns from `column` on (unit_membership.c). */
void unit_membership_read (struct unit_member *member, const PGresult *result, int row, int column);
/* Queue what was changed of memberships, spending by day, and lots that were moved (unit_membership.c), as unit_send_writes. */
int unit_send_memberships (struct unit *unit, int bucket, unsigned *sent);
int unit_send_levels (struct unit *unit, int bucket, unsigned *sent);
int unit_send_spent (struct unit *unit, int bucket, unsigned *sent);
int unit_send_transfers (struct unit *unit, int bucket, unsigned *sent);
/* Queue points for owners of referral codes, new and booked (unit_referrals.c). */
int unit_send_referrals (struct unit *unit, int bucket, unsigned *sent);

/* The columns of one statement, in the order of its parameters from `first` on. */
enum { COLUMNS_MAX = 14 };
struct rows {
    uint32_t count;
    int column_count;
    struct pg_array columns[COLUMNS_MAX];
};
void rows_begin (struct rows *rows, int count, const enum pg_type *types);
/* Sends the statement when there are rows: bucket, the transaction's time where the statement has it second, the columns,
 * the time where it has it last. */
int rows_send (struct unit *unit, enum statement statement, int bucket, bool time_second, bool time_last, struct rows *rows,
               unsigned *sent);

static inline struct pg_params
unit_params (struct unit *unit)
{
    return (struct pg_params){ .arena = unit->arena };
}

#endif
