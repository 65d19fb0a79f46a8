/*
 * A map as one HTML file, with everything in it: no network, no other file.
 * The page is lib/plot/page.html, .css and .js, put into the program by the
 * Makefile; its data are JSON and base64 of little-endian numbers.
 */
#ifndef PLOT_PAGE_H
#define PLOT_PAGE_H

#include "plot/plot.h"

int page_make(const plot_request *q, buf *html, err *e);

#endif
