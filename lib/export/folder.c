/*
 * A folder of PNG or JPEG files, named by the samples' keys, which ssl-load
 * reads. It is written beside its place under another name, and renamed at the end.
 */
#include "base/io.h"
#include "export/export.h"
#include "export/images.h"
#include "image/encode.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What was written of a folder that is not to be. */
static void discard(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *x;

    while (d && (x = readdir(d))) {
        if (strcmp(x->d_name, ".") == 0 || strcmp(x->d_name, "..") == 0)
            continue;
        if (unlinkat(dirfd(d), x->d_name, 0) && (errno == EISDIR || errno == EPERM))
            discard(dirfd(d), x->d_name);
    }
    if (d)
        closedir(d);
    unlinkat(parent, name, AT_REMOVEDIR);
}

/* The folders on the way to a file. */
static int make_folders(int root, char *name, err *e)
{
    for (char *p = strchr(name, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        int failed = mkdirat(root, name, 0777) && errno != EEXIST;
        if (failed)
            err_sys(e, "cannot make the folder '%s'", name);
        *p = '/';
        if (failed)
            return -1;
    }
    return 0;
}

static int write_file(int root, char *name, const buf *b, err *e)
{
    int fd, rc;

    if (make_folders(root, name, e))
        return -1;
    fd = openat(root, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0 && errno == EEXIST)
        return err_set(e, ERR_INPUT, "another sample is the file '%.200s' already", name);
    if (fd < 0)
        return err_sys(e, "cannot write '%s'", name);
    rc = io_write(fd, b->p, b->n, e);
    if (close(fd) && rc == 0)
        rc = err_sys(e, "cannot write '%s'", name);
    return rc;
}

static int save_images(reader *r, int root, bool jpeg, int quality, err *e)
{
    char name[IMAGES_MAX_NAME];
    buf file = {0};
    sample s;
    image im;
    int rc;

    while ((rc = reader_next(r, &s, e)) > 0) {
        file.n = 0;
        if (images_pixels(&s, &im, e) || images_name(&s, jpeg ? "jpg" : "png", name, e) ||
            (jpeg ? image_jpeg(&im, quality, &file, e) : image_png(&im, &file, e)) || write_file(root, name, &file, e)) {
            rc = reader_where(r, e);
            break;
        }
    }
    buf_free(&file);
    return rc;
}

/* ".NAME.XXXXXX" beside NAME; a slash at the end is not part of it. */
static char *temporary(const char *path, char **target, err *e)
{
    size_t n = strlen(path);
    char *t = NULL;

    while (n > 1 && path[n - 1] == '/')
        n--;
    *target = strndup(path, n);
    char *slash = *target ? strrchr(*target, '/') : NULL;
    int before = slash ? (int)(slash - *target + 1) : 0;
    if (!*target || asprintf(&t, "%.*s.%s.XXXXXX", before, *target, *target + before) < 0) {
        err_nomem(e);
        return NULL;
    }
    return t;
}

static int save(reader *r, const char *path, bool jpeg, int quality, err *e)
{
    char *target = NULL, *temp = NULL;
    int root = -1, rc = -1;
    struct stat st;
    mode_t mask = umask(0);

    umask(mask);
    if (header_expect(reader_header(r), e, KIND_IMAGES, NULL) || !(temp = temporary(path, &target, e)))
        goto out;
    if (stat(target, &st) == 0 && !S_ISDIR(st.st_mode)) {
        err_set(e, ERR_RUN, "'%s' is there, and is no folder", target);
        goto out;
    }
    /* Seen now rather than after an hour. */
    DIR *d = opendir(target);
    for (struct dirent *x; d && (x = readdir(d));)
        if (strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0) {
            err_set(e, ERR_RUN, "the folder '%s' is there, and not empty", target);
            closedir(d);
            goto out;
        }
    if (d)
        closedir(d);
    if (!mkdtemp(temp)) {
        err_sys(e, "cannot make a folder beside '%s'", target);
        goto out;
    }
    if (chmod(temp, 0777 & ~mask) || (root = open(temp, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        err_sys(e, "cannot open the folder '%s'", temp);
    else
        rc = save_images(r, root, jpeg, quality, e);
    if (rc == 0 && rename(temp, target))
        rc = err_sys(e, "cannot rename a folder to '%s'", target);
    if (rc)
        discard(AT_FDCWD, temp);
out:
    if (root >= 0)
        close(root);
    free(target);
    free(temp);
    return rc;
}

static int save_png(reader *r, const export_options *o, const char *path, err *e)
{
    (void)o;
    return save(r, path, false, 0, e);
}

static int save_jpeg(reader *r, const export_options *o, const char *path, err *e)
{
    return save(r, path, true, (int)o->quality, e);
}

const export_format export_png = {"png", "images as a folder of PNG files, named by their keys; ssl-load reads it", NULL, NULL, NULL, save_png};
const export_format export_jpeg = {"jpeg", "the same of JPEG files, smaller and not quite the same", NULL, NULL, NULL, save_jpeg};
