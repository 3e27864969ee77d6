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

/* Who connects: the owner (migrate, psql), and a user for each role that a program of the engine has (sql/migrations/0002_roles.sql). */
enum cluster_user { CLUSTER_OWNER, CLUSTER_WORKER, CLUSTER_FEED, CLUSTER_FSCK, CLUSTER_USER_COUNT };

/* The connection string of one of them. */
void cluster_url (const struct cluster *cluster, enum cluster_user user, char url[DATABASE_MAX]);

/* Once the server answers: makes the database where there is none. */
int cluster_create_database (const struct cluster *cluster, struct error *err);
/* Once it is migrated: makes the users of the engine's programs, each with the rights of its role. */
int cluster_create_users (const char *owner_url, struct error *err);

#endif
