#include "tool.h"

#include "base/io.h"
#include "base/version.h"
#include "stream/stream.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void help(FILE *f, const tool *t, const opt *common)
{
    fprintf(f, "usage: %s %s\n\n%s\n", t->name, t->synopsis, t->about);
    fputs("\nOptions:\n", f);
    opt_print(f, t->opts);
    opt_print(f, common);
    if (t->examples)
        fprintf(f, "\nExamples:\n%s", t->examples);
    fprintf(f, "\nSelf-supervised learning in pipes; see %s(1) and ssl-pipelines(7).\n", t->name);
}

/*
 * Descriptors 0, 1 and 2 must exist, or a file that the tool opens would take
 * their place. Opened the wrong way round, a closed one stays an error to use.
 */
static void fill_standard_fds(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            return;
}

/* Names in a message may hold anything; a terminal is not to obey it. */
static void complain(const tool *t, err *e)
{
    for (char *p = e->msg; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    fprintf(stderr, "%s: %s\n", t->name, e->msg);
    if (e->kind == ERR_USAGE)
        fprintf(stderr, "Try '%s --help'.\n", t->name);
}

static int print_text(tool *t, const opt *common, bool list, err *e)
{
    FILE *f = fdopen(dup(t->out_fd), "w");
    int rc = 0;

    if (!f)
        return err_sys(e, "cannot write the output");
    if (list)
        rc = t->list(f, e);
    else if (common)
        help(f, t, common);
    else
        fprintf(f, "%s (ssl-tools) %s\n", t->name, TOOLS_VERSION);
    if (fclose(f) && rc == 0)
        rc = err_sys(e, "cannot write the output");
    return rc;
}

static int run(tool *t, int argc, char **argv, err *e)
{
    bool want_help = false, want_version = false, want_list = false;
    const opt common[] = {
        {0, NULL, OPT_SECTION, NULL, NULL, "Common options:", 0, 0},
        {'q', "quiet", OPT_FLAG, &t->quiet, NULL, "no progress and no remarks on standard error", 0, 0},
        {0, "dry-run", OPT_FLAG, &t->dry_run, NULL, "check the command line and stop", 0, 0},
        {'h', "help", OPT_FLAG, &want_help, NULL, "print this text", 0, 0},
        {0, "version", OPT_FLAG, &want_version, NULL, "print the version", 0, 0},
        {0, t->list ? "list" : NULL, OPT_FLAG, &want_list, NULL, "list what can be named here, with defaults", 0, 0},
        {0, NULL, OPT_FLAG, NULL, NULL, NULL, 0, 0},
    };

    if (opt_parse(t->opts, common, argc, argv, &t->n_operands, e))
        return -1;
    t->operands = argv + 1;
    if (want_help || want_version || want_list) {
        t->writes_stream = false;
        return print_text(t, want_help ? common : NULL, !want_help && !want_version, e);
    }
    if (t->n_operands < t->min_operands)
        return err_set(e, ERR_USAGE, "an operand is missing");
    if (t->max_operands >= 0 && t->n_operands > t->max_operands)
        return err_set(e, ERR_USAGE, "unexpected operand '%s'", t->operands[t->max_operands]);
    return t->run(t, e);
}

int tool_main(tool *t, int argc, char **argv)
{
    err e = {0};

    signal(SIGPIPE, SIG_IGN);
    fill_standard_fds();
    t->in_fd = 0;
    t->out_fd = fcntl(1, F_DUPFD_CLOEXEC, 3);
    if (t->out_fd < 0 || dup2(2, 1) < 0) {
        err_sys(&e, "cannot duplicate standard output");
    } else if (run(t, argc, argv, &e)) {
        if (t->writes_stream && !t->dry_run)
            stream_abort(t->out_fd, t->name, &e);
    } else {
        e.kind = ERR_NONE;
        /* A full disk may only show here. */
        if (close(t->out_fd))
            err_sys(&e, "cannot write the output");
    }

    if (e.kind != ERR_NONE && e.kind != ERR_GONE && e.kind != ERR_ABORTED)
        complain(t, &e);
    return err_exit_status(&e);
}

int tool_out_open(const tool *t, out *o, const char *path, err *e)
{
    if (strcmp(path, "-") != 0 && strcmp(path, "/dev/stdout") != 0)
        return out_open(o, path, e);
    *o = (out){.fd = fcntl(t->out_fd, F_DUPFD_CLOEXEC, 3), .target = strdup("standard output"), .direct = true};
    if (o->fd >= 0 && o->target)
        return 0;
    err_sys(e, "cannot duplicate standard output");
    out_abort(o);
    return -1;
}

int tool_write(const tool *t, const char *path, const buf *b, err *e)
{
    out o;

    if (tool_out_open(t, &o, path, e))
        return -1;
    if (io_write(o.fd, b->p, b->n, e)) {
        out_abort(&o);
        return -1;
    }
    return out_commit(&o, e);
}

bool tool_is_last(const tool *t)
{
    struct stat st;

    return fstat(t->out_fd, &st) == 0 && !S_ISFIFO(st.st_mode);
}

void tool_note(const tool *t, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    if (t->quiet)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fprintf(stderr, "%s: %s\n", t->name, text);
}
