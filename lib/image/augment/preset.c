#include "image/augment/preset.h"

#include "base/opt.h"

#include <string.h>

const preset presets[] = {
    {"eval", 224, "resize:{R} centercrop:{N}", "nothing random: the central view, as for evaluation on ImageNet"},
    {"rotnet", 32, "crop:{N},pad=4 flip", "RotNet and supervised training on CIFAR (Gidaris et al. 2018)"},
    {"simclr", 224, "crop:{N},scale=0.08-1 flip jitter:0.8,0.8,0.8,0.2,p=0.8 gray:p=0.2 blur:kernel={K},sigma=0.1-2,p=0.5",
     "SimCLR (Chen et al. 2020), ImageNet"},
    {"simclr-cifar", 32, "crop:{N},scale=0.08-1 flip jitter:0.4,0.4,0.4,0.1,p=0.8 gray:p=0.2",
     "SimCLR on CIFAR: half the jitter, no blur"},
    {"moco-v2", 224, "crop:{N},scale=0.2-1 jitter:0.4,0.4,0.4,0.1,p=0.8 gray:p=0.2 blur:kernel={K},sigma=0.1-2,p=0.5 flip",
     "MoCo v2 (Chen et al. 2020), SimSiam (Chen and He 2021)"},
    {"byol", 224,
     "crop:{N},scale=0.08-1,filter=bicubic flip jitter:0.4,0.4,0.2,0.1,p=0.8 gray:p=0.2 "
     "blur:kernel={K},sigma=0.1-2,p=1/0.1 solarize:128,p=0/0.2",
     "BYOL (Grill et al. 2020), Barlow Twins; the two views differ"},
    {"swav", 224,
     "crop:{N},scale=0.14-1 flip jitter:0.8,0.8,0.8,0.2,p=0.8 gray:p=0.2 blur:kernel=13,sigma=0.1-2,p=0.5 + "
     "crop:{L},scale=0.05-0.14 flip jitter:0.8,0.8,0.8,0.2,p=0.8 gray:p=0.2 blur:kernel=13,sigma=0.1-2,p=0.5",
     "SwAV (Caron et al. 2020), with --views 2+6"},
    {"dino", 224,
     "crop:{N},scale=0.4-1,filter=bicubic flip jitter:0.4,0.4,0.2,0.1,p=0.8 gray:p=0.2 "
     "blur:kernel=13,sigma=0.1-2,p=1/0.1 solarize:128,p=0/0.2 + "
     "crop:{L},scale=0.05-0.4,filter=bicubic flip jitter:0.4,0.4,0.2,0.1,p=0.8 gray:p=0.2 blur:kernel=13,sigma=0.1-2,p=0.5",
     "DINO (Caron et al. 2021), with --views 2+8"},
    {NULL, 0, NULL, NULL},
};

static const preset *find(const char *name, size_t n)
{
    for (const preset *p = presets; p->name; p++)
        if (strlen(p->name) == n && memcmp(p->name, name, n) == 0)
            return p;
    return NULL;
}

static int unknown(const char *name, size_t n, err *e)
{
    const char *names[32];
    char word[32];
    int k = 0;

    for (; presets[k].name; k++)
        names[k] = presets[k].name;
    snprintf(word, sizeof word, "%.*s", (int)n, name);
    const char *near = opt_nearest(word, names, k);
    if (near)
        return err_set(e, ERR_USAGE, "unknown preset '@%s'; did you mean '@%s'?", word, near);
    return err_set(e, ERR_USAGE, "unknown preset '@%s'; --list names them", word);
}

int preset_expand(const char *operand, buf *out, err *e)
{
    const char *name = operand + 1, *colon = strchr(name, ':');
    size_t n = colon ? (size_t)(colon - name) : strlen(name);
    const preset *p = find(name, n);
    int64_t size;

    if (!p)
        return unknown(name, n, e);
    size = p->size;
    if (colon && (opt_int(colon + 1, &size) || size < 8 || size > 4096))
        return err_set(e, ERR_USAGE, "'%s': a preset takes a size in pixels, 8 to 4096", operand);
    for (const char *s = p->chain; *s; s++) {
        int rc;
        if (*s != '{') {
            rc = buf_add(out, s, 1, e);
        } else {
            int v = s[1] == 'K' ? (int)(size / 10) | 1 : s[1] == 'R' ? (int)(size * 8 / 7)
                  : s[1] == 'L' ? (int)(size * 3 / 14) * 2 : (int)size;
            rc = buf_addf(out, e, "%d", v);
            s += 2;
        }
        if (rc)
            return -1;
    }
    return buf_add(out, "", 1, e);
}
