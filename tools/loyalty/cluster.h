/* cluster.h - the private PostgreSQL of `loyalty up`: made once in the data folder, reached by a socket only. */
#ifndef LOYALTY_CLUSTER_H
#define LOYALTY_CLUSTER_H

#include "child.h"
#include "database.h"

/* A socket's path has at most 107 bytes; this leaves room for "/.s.PGSQL.5432" and the like. */
enum { RUN_FOLDER_MAX = 92 };

struct cluster {
    char folder[PATH_MAX];    /* DATA/postgresql */
    char programs[PATH_MAX];  /* where initdb and postgres are */
    char run[RUN_FOLDER_MAX]; /* of sockets: short, private */
    bool has_user;            /* started as root: uid and gid are those that PostgreSQL runs as */
    uid_t uid;
    gid_t gid;
    char user[64];            /* that user's name, or the caller's */
    char server[PATH_MAX + 16]; /* programs/postgres */
};

/* The folder for sockets of an engine with its data in `data`: DATA/run, or where that is too long a folder in /tmp named after
 * it. Made, and only the owner may enter. */
int cluster_run_folder (const char *data, bool has_owner, uid_t uid, gid_t gid, char run[RUN_FOLDER_MAX], struct error *err);

/* Finds the programs and the user, makes the cluster when there is none yet (initdb; a second or two), and
 * writes its settings. -1, `unavailable`: no PostgreSQL is installed, the folder is in use or out of reach, initdb failed. */
int cluster_prepare (struct cluster *cluster, const char *data, const char *log_folder, struct error *err);

/* Fills in how the server is run. */
void cluster_child (struct cluster *cluster, const char *log_folder, struct child *child);

/* Connection strings: of the owner (migrate, fsck, psql) and of the engine's programs. */
void cluster_urls (const struct cluster *cluster, char owner[DATABASE_MAX], char engine[DATABASE_MAX]);

/* Once the server answers: makes the database where there is none. */
int cluster_create_database (const struct cluster *cluster, struct error *err);
/* Once it is migrated: makes the user of the engine's programs, with the rights of loyalty_worker. */
int cluster_create_user (const char *owner_url, struct error *err);

#endif
