#include "plot/look.h"

#include <stdio.h>

static const char *const six[] = {"#5790fc", "#f89c20", "#e42536", "#964a8b", "#9c9ca1", "#7a21dd"};
static const char *const ten[] = {"#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6",
                                  "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"};

const char *look_colour(int i, int n)
{
    return n <= 6 ? six[i % 6] : ten[i % 10];
}

const char *look_dash(int i)
{
    static const char *const dash[] = {"none", "6 2.5", "1.5 2.5", "9 2.5 1.5 2.5", "4 1.5", "12 3"};

    return dash[i % 6];
}

/* ---- Points ------------------------------------------------------------------------------ */

/* For a radius of 1, as relative moves from the centre; areas are about equal. */
static const struct {
    bool outline;
    int n;
    float xy[12][2];
    bool disc;
} shapes[LOOK_MARKERS] = {
    {false, 0, {{0}}, true},
    {false, 4, {{-.88f, -.88f}, {.88f, -.88f}, {.88f, .88f}, {-.88f, .88f}}, false},
    {false, 3, {{0, -1.3f}, {1.2f, .8f}, {-1.2f, .8f}}, false},
    {false, 4, {{0, -1.3f}, {1.15f, 0}, {0, 1.3f}, {-1.15f, 0}}, false},
    {false, 12, {{-.38f, -1.15f}, {.38f, -1.15f}, {.38f, -.38f}, {1.15f, -.38f}, {1.15f, .38f}, {.38f, .38f}, {.38f, 1.15f},
                 {-.38f, 1.15f}, {-.38f, .38f}, {-1.15f, .38f}, {-1.15f, -.38f}, {-.38f, -.38f}}, false},
    {true, 0, {{0}}, true},
    {false, 3, {{0, 1.3f}, {-1.2f, -.8f}, {1.2f, -.8f}}, false},
    {true, 4, {{-.8f, -.8f}, {.8f, -.8f}, {.8f, .8f}, {-.8f, .8f}}, false},
    {false, 12, {{0, -.54f}, {.54f, -1.08f}, {1.08f, -.54f}, {.54f, 0}, {1.08f, .54f}, {.54f, 1.08f}, {0, .54f}, {-.54f, 1.08f},
                 {-1.08f, .54f}, {-.54f, 0}, {-1.08f, -.54f}, {-.54f, -1.08f}}, false},
    {true, 3, {{0, -1.15f}, {1.05f, .7f}, {-1.05f, .7f}}, false},
};

bool look_is_outline(int marker)
{
    return shapes[marker % LOOK_MARKERS].outline;
}

void look_marker(svg *s, int marker, double x, double y, double r)
{
    marker %= LOOK_MARKERS;
    if (shapes[marker].disc) {
        double q = shapes[marker].outline ? 0.85 * r : r;
        svg_add(s, "M%.1f %.1fa%.2f %.2f 0 1 0 %.2f 0a%.2f %.2f 0 1 0 %.2f 0z", x - q, y, q, q, 2 * q, q, q, -2 * q);
        return;
    }
    for (int i = 0; i < shapes[marker].n; i++)
        svg_add(s, "%s%.1f %.1f", i ? "L" : "M", x + r * (double)shapes[marker].xy[i][0], y + r * (double)shapes[marker].xy[i][1]);
    svg_add(s, "z");
}

void look_point(svg *s, int marker, double x, double y, double r, const char *colour)
{
    svg_add(s, "<path d=\"");
    look_marker(s, marker, x, y, r);
    if (look_is_outline(marker))
        svg_add(s, "\" fill=\"#fff\" stroke=\"%s\" stroke-width=\"%.2g\"/>\n", colour, r * 0.45);
    else
        svg_add(s, "\" fill=\"%s\"/>\n", colour);
}

/* ---- Areas ------------------------------------------------------------------------------- */

void look_hatchings(svg *s, int n)
{
    static const char *const lines[] = {
        "M-2 2L2 -2M0 8L8 0M6 10L10 6", "M2 2h.01M6 6h.01", "M-2 6L2 10M0 0L8 8M6 -2L10 2", "M0 2H8M0 6H8", "M-2 2L2 -2M0 8L8 0M6 10L10 6M0 0L8 8",
    };

    svg_add(s, "<defs>\n");
    for (int i = 1; i < n; i++)
        svg_add(s, "<pattern id=\"h%d\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\"><rect width=\"8\" height=\"8\" fill=\"%s\"/>"
                "<path d=\"%s\" stroke=\"#fff\" stroke-width=\"%g\" stroke-linecap=\"round\" fill=\"none\"/></pattern>\n", i, look_colour(i, n),
                lines[(i - 1) % 5], i % 5 == 2 ? 2.2 : 1.2);
    svg_add(s, "<pattern id=\"h0\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\"><rect width=\"8\" height=\"8\" fill=\"%s\"/>"
            "</pattern>\n</defs>\n", look_colour(0, n));
}

void look_fill(int i, char out[24])
{
    snprintf(out, 24, "url(#h%d)", i);
}
