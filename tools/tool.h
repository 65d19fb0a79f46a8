/*
 * What every program shares: the careful main(). A tool is one table of options
 * and one run(); tool_main() does the rest:
 *
 *  - SIGPIPE is ignored, whatever the parent did, so a reader that has gone
 *    shows as EPIPE (ERR_GONE): the tool stops quietly with status 0;
 *  - the stream gets a descriptor of its own and standard output is pointed at
 *    standard error, so that a library that prints cannot corrupt it;
 *  - --help, --version, --quiet and --dry-run are understood by all; --dry-run
 *    checks the command line and stops before anything is opened;
 *  - the message is printed once, as "NAME: message", and the status is that of
 *    the first error.
 *
 * The one place (with the tools' own files) that prints and exits.
 */
#ifndef TOOLS_TOOL_H
#define TOOLS_TOOL_H

#include "base/err.h"
#include "base/opt.h"

#include <stdbool.h>
#include <stdio.h>

typedef struct tool {
    const char *name;     /* "ssl-augment" */
    const char *synopsis; /* what follows the name: "[option ...] operation ..." */
    const char *about;    /* one or two lines on its one job */
    const opt *opts;
    const char *examples; /* lines for --help */
    int min_operands, max_operands; /* max -1: any number */
    /*
     * A stream goes to standard output: whoever reads it is to learn of a failure
     * there, instead of finding nothing. run() clears it when it hands out_fd to a
     * writer, which from then on tells of failures itself.
     */
    bool writes_stream;

    /*
     * Does the work. Operands are t->operands[0..n_operands-1]. 0 or -1.
     * When t->dry_run is set, check what can be checked without opening
     * anything (operand grammar, option combinations) and return.
     */
    int (*run)(struct tool *t, err *e);
    /* Optional: --list. Prints the tool's table to f. */
    int (*list)(FILE *f, err *e);

    /* Filled in by tool_main(). */
    char **operands;
    int n_operands;
    int in_fd;  /* standard input */
    int out_fd; /* the real standard output */
    bool quiet, dry_run;
} tool;

int tool_main(tool *t, int argc, char **argv);

/*
 * out_open() for a path from the command line: "-" and /dev/stdout are the
 * real standard output (descriptor 1 is standard error here).
 */
struct out;
int tool_out_open(const tool *t, struct out *o, const char *path, err *e);

/* All of b to such a path, whole or not at all. 0 or -1. */
struct buf;
int tool_write(const tool *t, const char *path, const struct buf *b, err *e);

/* Whether no program reads the output: a progress bar further up the pipe would fight with the others'. */
bool tool_is_last(const tool *t);

/* A warning or a closing remark on stderr, as "NAME: text"; not under --quiet. */
void tool_note(const tool *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
