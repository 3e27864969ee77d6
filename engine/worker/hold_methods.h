/* hold_methods.h - points.hold, points.capture and points.release (rule 22). */
#ifndef WORKER_HOLD_METHODS_H
#define WORKER_HOLD_METHODS_H

#include "worker/executor.h"

enum { HOLDS_PER_CARD_MAX = 100 };

int points_hold_prepare (struct executor *executor, struct request *request);
int points_hold_execute (struct executor *executor, struct request *request);
/* Of both that name a hold. */
int hold_prepare (struct executor *executor, struct request *request);
int points_capture_execute (struct executor *executor, struct request *request);
int points_release_execute (struct executor *executor, struct request *request);

/* The card of a hold, by its id, which begins with the card's; 0: it is no hold's id. */
int64_t hold_card_id (struct str hold_id);
/* The open hold; NULL with request->error: not_found, hold_expired, or conflict where it was captured or released. */
struct hold *hold_open (struct executor *executor, struct request *request, struct unit_card *card, struct str hold_id);

#endif
