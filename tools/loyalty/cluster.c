/* cluster.c - see cluster.h. */
#include "cluster.h"
#include "base/clock.h"
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DATABASE_NAME "loyalty"
#define OWNER_USER "loyalty"
static const struct {
    const char *name, *role; /* role NULL: the owner of all */
} USERS[CLUSTER_USER_COUNT] = {
    [CLUSTER_OWNER] = { OWNER_USER, NULL },
    [CLUSTER_WORKER] = { "engine", "loyalty_worker" },
    [CLUSTER_FEED] = { "feed", "loyalty_feed" },
    [CLUSTER_FSCK] = { "fsck", "loyalty_fsck" },
};

enum { INITDB_WAIT_MS = 120000, LEFTOVER_WAIT_MS = 15000, STEP_MS = 20 };

/* --- Folders --- */

/* Makes a folder with this owner and mode; one that is there must be the owner's. */
static int
folder_make (const char *path, bool has_owner, uid_t uid, gid_t gid, mode_t mode, struct error *err)
{
    struct stat status;
    bool made = mkdir (path, mode) == 0;
    if (!made && errno != EEXIST)
        return error_set (err, ERROR_UNAVAILABLE, "cannot make the folder %.180s: %s", path, strerror (errno));
    if (made && ((has_owner && chown (path, uid, gid) < 0) || chmod (path, mode) < 0))
        return error_set (err, ERROR_UNAVAILABLE, "cannot give away %.180s: %s", path, strerror (errno));
    if (lstat (path, &status) < 0 || !S_ISDIR (status.st_mode) || status.st_uid != (has_owner ? uid : geteuid ()) ||
        (status.st_mode & 022 & ~mode) != 0)
        return error_set (err, ERROR_UNAVAILABLE, "%.180s is not a folder of the right user alone", path);
    return 0;
}

int
cluster_run_folder (const char *data, bool has_owner, uid_t uid, gid_t gid, char run[RUN_FOLDER_MAX], struct error *err)
{
    if (snprintf (run, RUN_FOLDER_MAX, "%s/run", data) >= RUN_FOLDER_MAX)
        snprintf (run, RUN_FOLDER_MAX, "/tmp/loyalty-%016llx", (unsigned long long)fnv1a64 (data, strlen (data)));
    return folder_make (run, has_owner, uid, gid, 0700, err);
}

static int
remove_entry (const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove (path);
}

/* Whether the user can enter the folder: tried in a process that becomes that user. */
static bool
folder_reachable (const char *path, uid_t uid, gid_t gid)
{
    int status = 1;
    pid_t pid = fork ();
    if (pid == 0)
        _exit (setgroups (0, NULL) == 0 && setgid (gid) == 0 && setuid (uid) == 0 && chdir (path) == 0 ? 0 : 1);
    return pid > 0 && waitpid (pid, &status, 0) == pid && status == 0;
}

/* --- Who and with what --- */

/* The owner of a cluster that is there already, else the first of the users that fit. PostgreSQL refuses root. */
static int
user_choose (struct cluster *cluster, struct error *err)
{
    static const char *const CANDIDATES[] = { "loyalty", "postgres", "nobody" };
    struct stat status;
    struct passwd *user = NULL;
    cluster->has_user = geteuid () == 0;
    if (!cluster->has_user) {
        user = getpwuid (geteuid ());
    } else if (stat (cluster->folder, &status) == 0) {
        user = getpwuid (status.st_uid);
    } else {
        for (size_t i = 0; i < sizeof CANDIDATES / sizeof CANDIDATES[0] && user == NULL; i++)
            user = getpwnam (CANDIDATES[i]);
    }
    if (user == NULL || strlen (user->pw_name) >= sizeof cluster->user)
        return error_set (err, ERROR_UNAVAILABLE,
                          "there is no user that PostgreSQL could run as (make one: adduser --system loyalty)");
    if (cluster->has_user && user->pw_uid == 0)
        return error_set (err, ERROR_UNAVAILABLE, "%.180s belongs to root, as whom PostgreSQL does not run",
                          cluster->folder);
    cluster->uid = user->pw_uid;
    cluster->gid = user->pw_gid;
    snprintf (cluster->user, sizeof cluster->user, "%s", user->pw_name);
    return 0;
}

static bool
has_programs (const char *folder)
{
    char initdb[PATH_MAX + 16], server[PATH_MAX + 16];
    snprintf (initdb, sizeof initdb, "%s/initdb", folder);
    snprintf (server, sizeof server, "%s/postgres", folder);
    return access (initdb, X_OK) == 0 && access (server, X_OK) == 0;
}

/* The major version in a folder's path (".../15/bin"), 0 when there is none. */
static int
folder_version (const char *folder)
{
    const char *digit = strpbrk (folder, "0123456789");
    return digit != NULL ? atoi (digit) : 0;
}

/* The highest version (or exactly `major`, when it is not 0) among the folders of a pattern. */
static void
programs_glob (const char *pattern, int major, char found[PATH_MAX], int *best)
{
    glob_t folders;
    if (glob (pattern, 0, NULL, &folders) != 0)
        return;
    for (size_t i = 0; i < folders.gl_pathc; i++) {
        int version = folder_version (folders.gl_pathv[i]);
        if (version > *best && (major == 0 || version == major) && has_programs (folders.gl_pathv[i])) {
            *best = version;
            snprintf (found, PATH_MAX, "%s", folders.gl_pathv[i]);
        }
    }
    globfree (&folders);
}

/* Of the version that made the cluster; for a new one the newest that is installed; else what PATH has. */
static int
programs_find (struct cluster *cluster, struct error *err)
{
    char path[PATH_MAX + 16], copy[8192], *rest = copy, *folder;
    int major = 0, best = 0;
    snprintf (path, sizeof path, "%s/PG_VERSION", cluster->folder);
    FILE *file = fopen (path, "re");
    if (file != NULL) {
        if (fscanf (file, "%d", &major) != 1)
            major = 0;
        fclose (file);
    }
    programs_glob ("/usr/lib/postgresql/*/bin", major, cluster->programs, &best);
    programs_glob ("/usr/pgsql-*/bin", major, cluster->programs, &best);
    if (best > 0)
        return 0;
    snprintf (copy, sizeof copy, "%s", getenv ("PATH") != NULL ? getenv ("PATH") : "");
    while ((folder = strsep (&rest, ":")) != NULL)
        if (folder[0] == '/' && has_programs (folder)) {
            snprintf (cluster->programs, sizeof cluster->programs, "%s", folder);
            return 0;
        }
    if (major > 0)
        return error_set (err, ERROR_UNAVAILABLE, "the data folder needs PostgreSQL %d, which is not installed", major);
    return error_set (err, ERROR_UNAVAILABLE,
                      "PostgreSQL (14 or newer) is not installed: neither in /usr/lib/postgresql nor in PATH");
}

/* --- What an engine that was killed may have left --- */

static bool
is_server_of (pid_t pid, const char *folder)
{
    char link[64], where[PATH_MAX];
    snprintf (link, sizeof link, "/proc/%d/cwd", (int)pid);
    ssize_t length = readlink (link, where, sizeof where - 1);
    if (length < 0)
        return false;
    where[length] = 0;
    return strcmp (where, folder) == 0;
}

/* Waits for a server that is still stopping; removes the pid file of one that is gone (its number may
 * belong to another process by now, which PostgreSQL would take for a server). */
static int
leftover_clear (const struct cluster *cluster, struct error *err)
{
    char path[PATH_MAX + 16];
    snprintf (path, sizeof path, "%s/postmaster.pid", cluster->folder);
    for (int waited_ms = 0;; waited_ms += STEP_MS) {
        int pid = 0;
        FILE *file = fopen (path, "re");
        if (file == NULL)
            return 0;
        if (fscanf (file, "%d", &pid) != 1)
            pid = 0;
        fclose (file);
        if (pid <= 0 || !is_server_of (pid, cluster->folder)) {
            unlink (path);
            return 0;
        }
        if (waited_ms >= LEFTOVER_WAIT_MS)
            return error_set (err, ERROR_UNAVAILABLE,
                              "the data folder is in use by PostgreSQL, process %d (in %.120s): stop it first", pid,
                              cluster->folder);
        usleep (STEP_MS * 1000);
    }
}

/* --- Making and configuring --- */

static int
file_write (const struct cluster *cluster, const char *folder, const char *name, const char *text, struct error *err)
{
    char path[PATH_MAX + 32];
    snprintf (path, sizeof path, "%s/%s", folder, name);
    int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    size_t size = strlen (text);
    bool written = fd >= 0 && write (fd, text, size) == (ssize_t)size &&
                   (!cluster->has_user || fchown (fd, cluster->uid, cluster->gid) == 0);
    int failure = errno;
    if (fd >= 0)
        close (fd);
    return written ? 0 : error_set (err, ERROR_UNAVAILABLE, "cannot write %.180s: %s", path, strerror (failure));
}

/* The machine's memory, or the control group's where that is less. */
static int64_t
memory_bytes (void)
{
    int64_t bytes = (int64_t)sysconf (_SC_PHYS_PAGES) * sysconf (_SC_PAGESIZE);
    FILE *file = fopen ("/sys/fs/cgroup/memory.max", "re");
    long long limit;
    if (file != NULL) {
        if (fscanf (file, "%lld", &limit) == 1 && limit > 0 && limit < bytes)
            bytes = limit;
        fclose (file);
    }
    return bytes;
}

/* Everything that makes a commit durable stays at PostgreSQL's defaults, written out so that it can be seen. */
static int
settings_write (const struct cluster *cluster, struct error *err)
{
    char text[4096];
    int64_t buffers_mb = memory_bytes () / 4 >> 20;
    buffers_mb = buffers_mb > 2048 ? 2048 : buffers_mb < 64 ? 64 : buffers_mb;
    snprintf (text, sizeof text,
              "# Written by `loyalty up` at every start: change postgresql.conf, where what follows the include wins.\n"
              "listen_addresses = ''\n"
              "unix_socket_directories = '%s'\n"
              "unix_socket_permissions = 0700\n"
              "max_connections = 200\n"
              "fsync = on\n"
              "synchronous_commit = on\n"
              "full_page_writes = on\n"
              "shared_buffers = %lldMB\n"
              "wal_compression = %s\n"
              "wal_buffers = 16MB\n"
              "min_wal_size = 512MB\n"
              "max_wal_size = 4GB\n"
              "checkpoint_timeout = 15min\n"
              "checkpoint_completion_target = 0.9\n"
              "random_page_cost = 1.1\n"
              "jit = off\n"
              "max_parallel_workers_per_gather = 0\n"
              "autovacuum_naptime = 20s\n"
              "autovacuum_max_workers = 1\n"
              "autovacuum_vacuum_cost_delay = 10ms\n"
              "default_statistics_target = 10\n"
              "timezone = 'UTC'\n"
              "log_timezone = 'UTC'\n"
              "lc_messages = 'C'\n"
              "logging_collector = off\n"
              "log_line_prefix = '%%m [%%p] '\n",
              cluster->run, (long long)buffers_mb, folder_version (cluster->programs) == 14 ? "on" : "lz4");
    return file_write (cluster, cluster->folder, "loyalty.conf", text, err);
}

/* The socket admits the user PostgreSQL runs as and the one who started it, by the kernel's word. */
static int
access_write (const struct cluster *cluster, struct error *err)
{
    char text[2048];
    struct passwd *caller = getpwuid (geteuid ());
    const char *caller_name = caller != NULL ? caller->pw_name : cluster->user;
    int size = snprintf (text, sizeof text, "# Written by `loyalty up` at every start.\n");
    for (int user = 0; user < CLUSTER_USER_COUNT; user++)
        size += snprintf (text + size, sizeof text - (size_t)size, "loyalty \"%s\" %s\nloyalty \"%s\" %s\n",
                          cluster->user, USERS[user].name, caller_name, USERS[user].name);
    if (file_write (cluster, cluster->folder, "pg_ident.conf", text, err) < 0)
        return -1;
    return file_write (cluster, cluster->folder, "pg_hba.conf",
                       "# Written by `loyalty up` at every start.\nlocal all all peer map=loyalty\n"
                       "local replication " OWNER_USER " peer map=loyalty\n",
                       err);
}

/* Runs initdb on a folder beside, which takes its place when all is done: a kill leaves nothing half made. */
static int
cluster_init (struct cluster *cluster, const char *log_folder, struct error *err)
{
    char beside[PATH_MAX + 8], program[PATH_MAX + 16];
    struct child child;
    snprintf (beside, sizeof beside, "%s.new", cluster->folder);
    snprintf (program, sizeof program, "%s/initdb", cluster->programs);
    nftw (beside, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    if (folder_make (beside, cluster->has_user, cluster->uid, cluster->gid, 0700, err) < 0)
        return -1;
    child_init (&child, "initdb");
    const char *args[] = { program,
                           "-D",
                           beside,
                           "-U",
                           OWNER_USER,
                           "--auth=peer",
                           "--encoding=UTF8",
                           "--locale=C",
                           "--data-checksums",
                           "--no-instructions",
                           NULL };
    memcpy (child.args, args, sizeof args);
    child.has_user = cluster->has_user;
    child.uid = cluster->uid;
    child.gid = cluster->gid;
    snprintf (child.log_path, sizeof child.log_path, "%s/initdb.log", log_folder);
    if (child_start (&child, clock_monotonic_ms (), err) < 0)
        return -1;
    for (int waited_ms = 0; !child_reap (&child, clock_monotonic_ms ()); waited_ms += STEP_MS) {
        if (waited_ms == INITDB_WAIT_MS)
            child_signal (&child, SIGKILL);
        usleep (STEP_MS * 1000);
    }
    if (child.last_status != 0) {
        char words[160], end[64];
        child_last_words (&child, words, sizeof words);
        return error_set (err, ERROR_UNAVAILABLE, "initdb %s: %s", child_end_text (&child, end), words);
    }
    if (file_write (
            cluster, beside, "postgresql.conf",
            "# This engine's PostgreSQL. loyalty.conf is written at every start; what stands below the include wins.\n"
            "include 'loyalty.conf'\n",
            err) < 0)
        return -1;
    if (rename (beside, cluster->folder) < 0)
        return error_set (err, ERROR_UNAVAILABLE, "cannot rename %.180s: %s", beside, strerror (errno));
    return 0;
}

int
cluster_prepare (struct cluster *cluster, const char *data, const char *log_folder, struct error *err)
{
    if (snprintf (cluster->folder, sizeof cluster->folder, "%s/postgresql", data) >= (int)sizeof cluster->folder)
        return error_set (err, ERROR_INVALID_REQUEST, "the path of the data folder is too long");
    if (user_choose (cluster, err) < 0 || programs_find (cluster, err) < 0)
        return -1;
    if (cluster->has_user && !folder_reachable (data, cluster->uid, cluster->gid))
        return error_set (err, ERROR_UNAVAILABLE,
                          "PostgreSQL runs as %s, who cannot enter %.120s: open it and the folders above (chmod o+x), "
                          "or choose another --data",
                          cluster->user, data);
    if (cluster_run_folder (data, cluster->has_user, cluster->uid, cluster->gid, cluster->run, err) < 0)
        return -1;
    if (access (cluster->folder, F_OK) < 0 && cluster_init (cluster, log_folder, err) < 0)
        return -1;
    if (leftover_clear (cluster, err) < 0)
        return -1;
    return settings_write (cluster, err) < 0 || access_write (cluster, err) < 0 ? -1 : 0;
}

void
cluster_child (struct cluster *cluster, const char *log_folder, struct child *child)
{
    child_init (child, "postgresql");
    snprintf (cluster->server, sizeof cluster->server, "%s/postgres", cluster->programs);
    child->args[0] = cluster->server;
    child->args[1] = "-D";
    child->args[2] = cluster->folder;
    child->has_user = cluster->has_user;
    child->uid = cluster->uid;
    child->gid = cluster->gid;
    child->orphan_signal = SIGQUIT; /* Immediate shutdown: its processes end with it, and the next start recovers. */
    snprintf (child->log_path, sizeof child->log_path, "%s/postgresql.log", log_folder);
}

/* --- Inside --- */

void
cluster_url (const struct cluster *cluster, enum cluster_user user, char url[DATABASE_MAX])
{
    char host[3 * RUN_FOLDER_MAX + 1], *end = host;
    for (const char *byte = cluster->run; *byte != 0; byte++)
        end += sprintf (end, *byte == '/' ? "%%2F" : strchr ("%?&=# ", *byte) != NULL ? "%%%02X" : "%c", *byte);
    snprintf (url, DATABASE_MAX, "postgresql:///%s?host=%s&user=%s", DATABASE_NAME, host, USERS[user].name);
}

/* Runs `create` unless `exists` finds a row. */
static int
create_unless (PGconn *db, const char *exists, const char *create, const char *doing, struct error *err)
{
    PGresult *result = database_query (db, exists, doing, err);
    if (result == NULL)
        return -1;
    bool there = PQntuples (result) > 0;
    PQclear (result);
    if (there)
        return 0;
    result = database_query (db, create, doing, err);
    PQclear (result);
    return result != NULL ? 0 : -1;
}

int
cluster_create_database (const struct cluster *cluster, struct error *err)
{
    char owner[DATABASE_MAX], maintenance[DATABASE_MAX + 32];
    cluster_url (cluster, CLUSTER_OWNER, owner);
    snprintf (maintenance, sizeof maintenance, "postgresql:///postgres%s", strchr (owner, '?'));
    PGconn *db = database_open (maintenance, err);
    if (db == NULL)
        return -1;
    int status = create_unless (db, "SELECT FROM pg_database WHERE datname = '" DATABASE_NAME "'",
                                "CREATE DATABASE " DATABASE_NAME, "making the database", err);
    PQfinish (db);
    return status;
}

int
cluster_create_users (const char *owner_url, struct error *err)
{
    int status = 0;
    PGconn *db = database_open (owner_url, err);
    if (db == NULL)
        return -1;
    for (int user = 0; user < CLUSTER_USER_COUNT && status == 0; user++) {
        char exists[96], create[96];
        if (USERS[user].role == NULL)
            continue;
        snprintf (exists, sizeof exists, "SELECT FROM pg_roles WHERE rolname = '%s'", USERS[user].name);
        snprintf (create, sizeof create, "CREATE ROLE %s LOGIN IN ROLE %s", USERS[user].name, USERS[user].role);
        status = create_unless (db, exists, create, "making the engine's users", err);
    }
    PQfinish (db);
    return status;
}
