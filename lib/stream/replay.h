/*
 * The shell commands that made a stream, from its history.
 *
 * The script that comes out writes the stream's bytes to its standard output.
 * What other commands need of it meanwhile (the saved streams of ssl-load, the
 * assignments of DeepCluster, models) is made first: where the history names a
 * file, under that name, unless it is there already; else in a temporary folder.
 */
#ifndef STREAM_REPLAY_H
#define STREAM_REPLAY_H

#include "base/buf.h"
#include "base/err.h"
#include "stream/header.h"

/*
 * Appends the script. ERR_INPUT: the history is empty or broken, or names a
 * program that is none of ours.
 */
int replay_script(const header *h, buf *out, err *e);

#endif
