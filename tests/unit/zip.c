/* Archives, of the kind zip64 too: written with a limit so low that every size and offset is beyond it. */
#include "data/zip.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint8_t *write_some(uint64_t limit, size_t *n)
{
    FILE *f = tmpfile();
    zip_writer z = {.fd = fileno(f), .limit = limit};
    buf head = {(uint8_t *)"head", 4, 4};
    err e = {0};

    cr_assert_eq(zip_put(&z, "one", &head, "first", 5, &e), 0);
    cr_assert_eq(zip_put(&z, "empty", &(buf){0}, "", 0, &e), 0);
    cr_assert_eq(zip_put(&z, "two", &head, "the second member", 17, &e), 0);
    cr_assert_eq(zip_end(&z, &e), 0);
    zip_write_end(&z);
    *n = (size_t)lseek(fileno(f), 0, SEEK_END);
    uint8_t *p = malloc(*n);
    cr_assert_eq(pread(fileno(f), p, *n, 0), (ssize_t)*n);
    fclose(f);
    return p;
}

static void expect(zip_reader *z, const char *name, const char *text)
{
    zip_member m;
    err e = {0};

    cr_assert_eq(zip_next(z, &m, &e), 1, "%s", e.msg);
    cr_assert_str_eq(m.name, name);
    cr_assert_eq(m.n, strlen(text));
    cr_assert_eq(memcmp(m.p, text, m.n), 0);
}

static void there_and_back(uint64_t limit)
{
    size_t n;
    uint8_t *p = write_some(limit, &n);
    zip_reader z;
    zip_member m;
    err e = {0};

    cr_assert_eq(zip_read(&z, p, n, &e), 0, "%s", e.msg);
    expect(&z, "one", "headfirst");
    expect(&z, "empty", "");
    expect(&z, "two", "headthe second member");
    cr_assert_eq(zip_next(&z, &m, &e), 0);
    zip_read_end(&z);
    /* Cut anywhere it is refused, with any byte changed it is refused or read, within its bounds. */
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *part = malloc(cut + 1);
        memcpy(part, p, cut);
        cr_assert_eq(zip_read(&z, part, cut, &e), -1);
        zip_read_end(&z);
        free(part);
    }
    for (size_t i = 0; i < n; i++)
        for (int bit = 0; bit < 8; bit += 7) {
            p[i] ^= (uint8_t)(1 << bit);
            int rc = zip_read(&z, p, n, &e);
            while (rc == 0 && zip_next(&z, &m, &e) > 0)
                ;
            zip_read_end(&z);
            p[i] ^= (uint8_t)(1 << bit);
        }
    free(p);
}

Test(zip, small)
{
    there_and_back(0);
}

Test(zip, zip64)
{
    there_and_back(1);
    there_and_back(10);
    there_and_back(60);
}

/* What an independent reader says; kept for whoever has one. */
Test(zip, python_agrees)
{
    size_t n;
    uint8_t *p = write_some(1, &n);
    char path[] = "/tmp/ssl-zip.XXXXXX", command[200];
    int fd = mkstemp(path);

    cr_assert(fd >= 0);
    cr_assert_eq(write(fd, p, n), (ssize_t)n);
    close(fd);
    free(p);
    if (access("/usr/bin/python3", X_OK) == 0) {
        snprintf(command, sizeof command, "/usr/bin/python3 -c 'import zipfile, sys; z = zipfile.ZipFile(sys.argv[1]); "
                 "assert z.testzip() is None and z.read(\"two\") == b\"headthe second member\"' %s", path);
        cr_assert_eq(system(command), 0);
    }
    unlink(path);
}
