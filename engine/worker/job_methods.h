/* job_methods.h - job.run, job.list and job.stop: their hooks (request.h). What each job does stands in jobs.h. */
#ifndef WORKER_JOB_METHODS_H
#define WORKER_JOB_METHODS_H

#include "worker/executor.h"

int job_look_up (struct executor *executor, struct request *request);
int job_want (struct executor *executor, struct request *request);
int job_execute (struct executor *executor, struct request *request);
int job_list_execute (struct executor *executor, struct request *request);
int job_stop_execute (struct executor *executor, struct request *request);

#endif
