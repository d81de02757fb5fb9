/* store.h - the state database: one SQLite file (WAL), its schema and migrations, transactions.
 *
 * One connection, one writer. The nouns keep their facts in memory on the loop; the store is read
 * once at start (store_load) and written by changes that ops hand over. All changes that wait are
 * committed in one transaction on a pool thread; done is called on the loop after the commit.
 * DURABLE changes are on disk before done (synchronous=FULL for that transaction); LAZY ones
 * survive a kill -9 of the daemon and may lose the last second in a power cut. A failed commit
 * (ENOSPC, EIO) fails every change in it: done gets the error and the noun takes its change back.
 * Later changes are tried afresh. A change that breaks a constraint of its table fails alone
 * (ERR_CONFLICT); the others in its transaction are committed.
 *
 * SQL lives with its noun; the tables of all nouns are declared in store/schema.c, as numbered
 * migrations that are never edited once released. A database of a newer version is refused by name.
 * Durable state: <data-root>/store/corten.db with its -wal and -shm; <data-root>/lock holds the pid
 * of the daemon and its flock(2). Volatile: none. Nothing is cleaned up after a kill -9: the next
 * open reads the log. The log is copied back (checkpoint) after a quiet second, never inside of a
 * commit. Tests: test/unit/store, test/kernel/store.c (full disk).
 */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "loop/loop.h"

#define STORE_LOG_RESERVE (256 << 10) /* bytes of the disk that the log has from the start */

struct store;
/* Opens or creates, takes the lock of the data root (a second daemon gets ERR_CONFLICT naming the
 * holder's pid), migrates. loop may be NULL for tools that only load. */
struct err store_open(const char *data_root, struct loop *loop, struct store **ret);
/* Commits what waits (drives the loop's rounds for it, so all done are called), checkpoints,
 * closes. NULL allowed. */
void store_close(struct store *s);

/* A set of changes that are committed together or not at all. Built on any thread, owned by the
 * caller until store_commit. */
struct store_txn;
struct store_txn *store_txn_new(void);
struct store_txn *store_txn_free(struct store_txn *t);
/* Adds one statement. sql is a constant. types has one letter per parameter:
 * 's' const char * (NULL → SQL NULL) · 'i' int64_t · 'b' struct str (blob) · 't' struct str (text);
 * b and t with p NULL → SQL NULL. All values are copied. */
void store_add(struct store_txn *t, const char *sql, const char *types, ...);

enum store_mode { STORE_LAZY, STORE_DURABLE };
/* Loop thread. Takes t over. done NULL: failures are logged. Never calls done before returning. */
void store_commit(struct store *s, struct store_txn *t, enum store_mode mode,
                  void (*done)(void *arg, struct err e), void *arg);

/* Start-up only, blocking, loop thread: calls row for each result row. */
struct store_row;
struct err store_load(struct store *s, const char *sql,
                      struct err (*row)(void *arg, struct store_row *r), void *arg);
const char *row_text(struct store_row *r,
                     int column); /* NULL for SQL NULL; valid during the call */
struct str row_blob(struct store_row *r, int column);
int64_t row_int(struct store_row *r, int column);
bool row_null(struct store_row *r, int column);
