#include "plot/axis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static double nice_step(double range, int ticks)
{
    double raw = range / ticks, power = pow(10, floor(log10(raw))), f = raw / power;

    return power * (f < 1.5 ? 1 : f < 3.5 ? 2 : f < 7.5 ? 5 : 10);
}

static int no_axis(double low, double high, err *e)
{
    return err_set(e, ERR_INPUT, "no axis can be drawn from %.3g to %.3g", low, high);
}

int axis_init(axis *a, double low, double high, double from, double to, int ticks, bool log, bool whole, err *e)
{
    *a = (axis){low, high, from, to, 0, log};
    if (log) {
        if (high < low * 1.01) {
            a->low = low / 2;
            a->high = high * 2;
        }
        if (whole) {
            a->low = pow(10, floor(log10(a->low) + 1e-9));
            a->high = pow(10, ceil(log10(a->high) - 1e-9));
        }
        return a->low > 0 && isfinite(a->high) ? 0 : no_axis(low, high, e);
    }
    if (high - low < 1e-9 * fmax(fabs(low), fabs(high)) || high == low) {
        double room = low != 0 ? fabs(low) * 0.1 : 1;
        a->low = low - room;
        a->high = high + room;
    }
    a->step = nice_step(a->high - a->low, ticks);
    if (whole) {
        a->low = floor(a->low / a->step + 1e-9) * a->step;
        a->high = ceil(a->high / a->step - 1e-9) * a->step;
    }
    /* Ticks are counted until they are beyond the end, which must come. */
    return isfinite(a->high - a->low) && a->step > 0 && isfinite(a->step) ? 0 : no_axis(low, high, e);
}

double axis_at(const axis *a, double v)
{
    double part = a->log ? (log10(v) - log10(a->low)) / (log10(a->high) - log10(a->low)) : (v - a->low) / (a->high - a->low);

    return a->from + part * (a->to - a->from);
}

/* "1.50" without the zeros at its end. */
static void trim(char *s)
{
    if (!strchr(s, '.'))
        return;
    for (size_t n = strlen(s); n && (s[n - 1] == '0' || s[n - 1] == '.'); n--) {
        bool dot = s[n - 1] == '.';
        s[n - 1] = '\0';
        if (dot)
            break;
    }
}

void axis_number(double v, double step, char text[32])
{
    double size = fabs(v);

    if (v == 0 || size < step * 1e-6) {
        snprintf(text, 32, "0");
    } else if (size >= 1e9 || (size < 1e-3 && step < 1e-3)) {
        snprintf(text, 32, "%.3g", v);
        char *e = strchr(text, 'e'); /* 1e-04: without the zero */
        if (e && e[2] == '0')
            memmove(e + 2, e + 3, strlen(e + 3) + 1);
        if (e && e[1] == '+')
            memmove(e + 1, e + 2, strlen(e + 2) + 1);
    } else if (size >= 1e6) {
        snprintf(text, 30, "%.3f", v / 1e6);
        trim(text);
        snprintf(text + strlen(text), 2, "M");
    } else if (size >= 1e4 || (size >= 1e3 && step >= 1e3)) {
        snprintf(text, 30, "%.3f", v / 1e3);
        trim(text);
        snprintf(text + strlen(text), 2, "k");
    } else {
        int digits = step > 0 ? (int)ceil(-log10(step) - 1e-9) : 3;
        snprintf(text, 32, "%.*f", digits < 0 ? 0 : digits, v);
        if (step <= 0)
            trim(text);
    }
    if (text[0] == '-') { /* a true minus sign */
        char copy[28];
        snprintf(copy, sizeof copy, "%.27s", text + 1);
        snprintf(text, 32, "\xe2\x88\x92%s", copy);
    }
}

bool axis_tick(const axis *a, int i, double *v, char text[32])
{
    if (a->log) {
        /* Powers of ten; of a range of less than two of them, also 2 and 5 times these. */
        double decades = log10(a->high) - log10(a->low);
        static const int part[] = {1, 2, 5};
        int skip = decades > 8 ? (int)ceil(decades / 6) : 1, first = (int)floor(log10(a->low) + 1e-9);
        for (int k = 0, seen = 0; k < 400; k++) {
            *v = decades >= 2 ? pow(10, first + k * skip) : part[k % 3] * pow(10, first + k / 3);
            if (*v > a->high * (1 + 1e-9))
                return false;
            if (*v >= a->low * (1 - 1e-9) && seen++ == i) {
                axis_number(*v, *v, text);
                return true;
            }
        }
        return false;
    }
    *v = (ceil(a->low / a->step - 1e-9) + i) * a->step;
    if (*v > a->high + a->step * 1e-6)
        return false;
    axis_number(*v, a->step, text);
    return true;
}
