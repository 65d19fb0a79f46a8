#include "base/progress.h"

#include "base/format.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

double progress_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_start(progress *p, int fd, const char *tool, const char *unit, int64_t start, int64_t total, bool quiet)
{
    *p = (progress){.fd = !quiet && isatty(fd) ? fd : -1, .tool = tool, .unit = unit, .total = total, .start = start};
    p->t0 = p->last = progress_clock();
}

static int width(int fd)
{
    struct winsize w;

    return ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

void progress_update(progress *p, int64_t done, const char *extra)
{
    if (p->fd < 0)
        return;
    double now = progress_clock();
    if (now - p->last < 0.1)
        return;
    p->last = now;

    char line[512], a[32], b[32], c[32];
    double secs = now - p->t0, rate = secs > 0 ? (double)(done - p->start) / secs : 0;
    size_t n = (size_t)snprintf(line, sizeof line, "%s: ", p->tool);

    if (p->total > 0) {
        double f = (double)done / (double)p->total;
        int cells = 16, full = (int)(f * cells);
        line[n++] = '[';
        for (int i = 0; i < cells; i++)
            line[n++] = i < full ? '=' : i == full ? '>' : ' ';
        n += (size_t)snprintf(line + n, sizeof line - n, "] %d %% %s/%s %s", (int)(100 * f), format_commas(done, a), format_commas(p->total, b), p->unit);
    } else {
        n += (size_t)snprintf(line + n, sizeof line - n, "%s %s", format_commas(done, a), p->unit);
    }
    n += (size_t)snprintf(line + n, sizeof line - n, "  %s/s", format_commas((int64_t)(rate + 0.5), c));
    if (p->total > 0 && rate > 0) {
        int64_t eta = (int64_t)((double)(p->total - done) / rate + 0.5);
        if (eta < 0)
            eta = 0;
        if (eta >= 3600)
            n += (size_t)snprintf(line + n, sizeof line - n, "  ETA %lld:%02d:%02d", (long long)(eta / 3600), (int)(eta / 60 % 60), (int)(eta % 60));
        else
            n += (size_t)snprintf(line + n, sizeof line - n, "  ETA %d:%02d", (int)(eta / 60), (int)(eta % 60));
    }
    if (extra)
        n += (size_t)snprintf(line + n, sizeof line - n, "  %s", extra);
    if (n >= sizeof line)
        n = sizeof line - 1;

    int cols = width(p->fd) - 1;
    dprintf(p->fd, "\r%.*s\033[K", (int)n < cols ? (int)n : cols, line);
    p->drawn = true;
}

void progress_end(progress *p)
{
    if (p->fd >= 0 && p->drawn)
        dprintf(p->fd, "\r\033[K");
    p->drawn = false;
}
