#include "export/images.h"

#include <stdio.h>
#include <string.h>

/* Whether a path would leave the folder that it is unpacked in. */
static bool leaves(const char *path)
{
    for (const char *s = path; s; s = strchr(s, '/') ? strchr(s, '/') + 1 : NULL) {
        size_t n = strcspn(s, "/");
        if (n == 0 || (n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
            return true;
    }
    return false;
}

int images_name(const sample *s, const char *suffix, char name[IMAGES_MAX_NAME], err *e)
{
    char key[IMAGES_MAX_NAME / 2], class[512], split[64];

    sample_str(s, "key", key, sizeof key);
    sample_str(s, "class", class, sizeof class);
    sample_str(s, "split", split, sizeof split);
    char *slash = strrchr(key, '/'), *base = slash ? slash + 1 : key, *dot = strrchr(base, '.');
    if (dot && dot > base)
        *dot = '\0';
    for (char *p = base; *p; p++)
        *p = *p == '.' ? '_' : *p;
    size_t n = strlen(class);
    bool placed = !n || (slash && (size_t)(slash - key) >= n && memcmp(slash - n, class, n) == 0 && (slash - n == key || slash[-(ptrdiff_t)n - 1] == '/'));
    snprintf(name, IMAGES_MAX_NAME, "%s%s%s%s%s.%s", placed ? "" : split, placed || !*split ? "" : "/", placed ? "" : class, placed ? "" : "/", key, suffix);
    return leaves(name) ? err_set(e, ERR_INPUT, "the name '%.200s' leads out of its folder", name) : 0;
}

int images_pixels(const sample *s, image *im, err *e)
{
    const tensor *t = sample_tensor(s, "image", DT_U1, 3, e);

    if (!t)
        return -1;
    if ((t->shape[2] != 1 && t->shape[2] != 3) || t->shape[0] < 1 || t->shape[1] < 1 || t->shape[0] > INT32_MAX || t->shape[1] > INT32_MAX)
        return err_set(e, ERR_INPUT, "the image has %d channels, or no pixels", (int)t->shape[2]);
    *im = (image){.h = (int)t->shape[0], .w = (int)t->shape[1], .c = (int)t->shape[2], .p = (uint8_t *)(uintptr_t)t->data};
    return 0;
}
