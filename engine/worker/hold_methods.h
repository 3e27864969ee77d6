/* hold_methods.h - points.hold, points.capture and points.release (rule 22). */
#ifndef WORKER_HOLD_METHODS_H
#define WORKER_HOLD_METHODS_H

#include "worker/executor.h"

enum { HOLDS_PER_CARD_MAX = 100 };

int points_hold_prepare (struct executor *executor, struct request *request);
int points_hold_execute (struct executor *executor, struct request *request);
/* Of both that name a hold. */
int hold_prepare (struct executor *executor, struct request *request);
int hold_look_up (struct executor *executor, struct request *request);
int points_capture_execute (struct executor *executor, struct request *request);
int points_release_execute (struct executor *executor, struct request *request);

/* The card that holds it, by its id, which begins with the number of the card on which it was made; that follows it from level
 * to level. 0: it is no hold's id. Before the transaction: a round trip and more. */
int hold_card_look_up (struct executor *executor, struct request *request, struct str hold_id, int64_t *card_id);
/* The open hold, by the card that was looked up, and its card. NULL: the request waits for another look-up, or failed with
 * not_found, hold_expired, or conflict where it was captured or released. */
struct hold *hold_open (struct executor *executor, struct request *request, int64_t card_id, struct str hold_id,
                        struct unit_card **card);

#endif
