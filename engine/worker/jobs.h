/* jobs.h - background jobs: each looks through a table by its key, page by page, and works on the rows that need it.
 *
 * A step is one job.run. It first finds rows without locks (`scan`), then locks their members and cards, and does the work
 * (`work`), which judges every row anew: it may have changed in between. The cursor moves with the work, in one transaction. */
#ifndef WORKER_JOBS_H
#define WORKER_JOBS_H

#include "worker/executor.h"

/* Where a job is: the last row that it looked at. Before the first: bucket 0 and the least number. */
struct job_place {
    int16_t bucket;
    int64_t id;
};
#define JOB_BEGIN ((struct job_place){ 0, INT64_MIN })

/* A row to be worked on: a card, or (card_id 0) a member. */
struct job_row {
    int64_t card_id;
    bool has_partner;
    int64_t partner_id;
};

struct job_step {
    struct job_place from, to;
    bool is_done;          /* there is nothing after `to` */
    uint32_t limit;        /* rows to be worked on at most */
    int64_t examined;      /* rows that were looked at */
    uint32_t row_count;
    struct job_row *rows;  /* in the arena of the requests */
    int64_t changed, failed;
};

struct job {
    /* What it reads of a bucket after `step->to`: adds rows, counts `examined`, and moves step->to. *more: the bucket has more, or the
     * step is full. -1 with err. */
    int (*scan) (struct executor *executor, struct job_step *step, bool *more, struct error *err);
    /* Under the locks: counts `changed` and `failed`. -1 with err: the step is undone. */
    int (*work) (struct executor *executor, struct job_step *step, struct error *err);
};

/* In the order of NAMES_JOB (wire/schemas.h). */
enum job_id { JOB_EXPIRE, JOB_MEMBERSHIPS, JOB_HOLDS, JOB_REFERRALS, JOB_PARTITIONS, JOB_COUNT };
extern const struct job JOBS[JOB_COUNT];

/* Room for one more row; -1 with err: out of memory. */
int job_add_row (struct executor *executor, struct job_step *step, const struct job_row *row, struct error *err);
/* A page of EXPIRE_PAGE, HOLDS_PAGE or REFERRALS_PAGE: columns card, member, whether it is due, its place in the page; `size` of a full one. */
int job_take_page (struct executor *executor, struct job_step *step, const PGresult *page, int64_t size, bool *more,
                   struct error *err);
/* Books what ran out on a card; *gone: the points. */
int job_expire_card (struct executor *executor, struct unit_card *card, struct str origin, int64_t *gone, struct error *err);

int job_expire_scan (struct executor *executor, struct job_step *step, bool *more, struct error *err);
int job_expire_work (struct executor *executor, struct job_step *step, struct error *err);
int job_memberships_scan (struct executor *executor, struct job_step *step, bool *more, struct error *err);
int job_memberships_work (struct executor *executor, struct job_step *step, struct error *err);
int job_holds_scan (struct executor *executor, struct job_step *step, bool *more, struct error *err);
int job_holds_work (struct executor *executor, struct job_step *step, struct error *err);
int job_referrals_scan (struct executor *executor, struct job_step *step, bool *more, struct error *err);
int job_referrals_work (struct executor *executor, struct job_step *step, struct error *err);
int job_partitions_scan (struct executor *executor, struct job_step *step, bool *more, struct error *err);
int job_partitions_work (struct executor *executor, struct job_step *step, struct error *err);

#endif
