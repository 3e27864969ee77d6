/* card_select.h - the card that a request names: by id, by code, or by member and program. */
#ifndef WORKER_CARD_SELECT_H
#define WORKER_CARD_SELECT_H

#include "worker/executor.h"

/* Where a schema keeps the four fields. */
struct card_fields {
    int card_id, code, partner_id, program_id;
};

struct card_selector {
    bool has_id, has_code, has_partner, has_program;
    int64_t card_id, partner_id, program_id; /* card_id 0 with has_code: there is no such code */
    struct str code;
};

/* Reads the fields; -1: none or several ways are given. */
int card_selector_of (struct request *request, struct card_fields fields, struct card_selector *selector);
/* Turns a code into an id (a round trip), before the transaction. */
int card_selector_look_up (struct executor *executor, struct request *request, struct card_selector *selector);
int card_selector_want (struct executor *executor, const struct card_selector *selector);
/* The one card; NULL with request->error: not_found, or invalid_request where a member has several and no program is named. */
struct unit_card *card_selected (struct executor *executor, struct request *request, const struct card_selector *selector);

#endif
