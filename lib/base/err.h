/*
 * Errors. A function that can fail takes an `err *` last and returns 0 or -1
 * (or a pointer or NULL). It fills the err once, where the failure is known
 * best; callers only add context with err_prefix(). Libraries never print.
 *
 * Wording: lower case, no full stop, what failed first:
 *     cannot open 'a.jpg': No such file or directory
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err_kind {
    ERR_NONE = 0,
    ERR_RUN = 1,   /* run-time failure: exit 1 */
    ERR_USAGE = 2, /* the command line is wrong: exit 2 */
    ERR_INPUT = 3, /* bad, truncated or empty input: exit 3 */
    ERR_ABORTED,   /* an upstream tool failed and has already said so: exit 3, silently */
    ERR_GONE       /* our reader has gone (EPIPE): exit 0, silently */
};

typedef struct err {
    enum err_kind kind;
    char msg[1024]; /* always NUL-terminated; over-long text is cut */
} err;

/* Each sets *e and returns -1, so that `return err_set(...)` reads well. */
int err_set(err *e, enum err_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set with ERR_RUN, or ERR_GONE when errno is EPIPE; appends ": " and errno's text. */
int err_sys(err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "out of memory", ERR_RUN. */
int err_nomem(err *e);

/* Put context in front of a message that is already set; returns -1. Leaves that of ERR_ABORTED and ERR_GONE alone. */
int err_prefix(err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The process's exit status for this error. */
int err_exit_status(const err *e);

#endif
