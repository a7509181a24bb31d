#include "host.h"

#include <dlfcn.h>

struct property {
    const char *name;
    const char *value; /* the default, NULL when there is none */
    const char *help;
};

/* Written from filter.Properties() by "make generate"; a test fails when it is not current. */
static const struct property properties[] = {
#include "properties.inc"
};

enum { COUNT = sizeof(properties) / sizeof(properties[0]) };

/* The value block is where the two layouts differ; the host fills it in copies of the elements. */
#define ELEMENT(block)         \
    {                          \
        int type; /* 0: text */ \
        const char *name;      \
        const char *def_value; \
        int flags;             \
        int set_property;      \
        uintptr_t offset;      \
        const char *desc;      \
        void *value[block];    \
        struct waf_list head;  \
    }

struct element ELEMENT(4);     /* up to 5.0 */
struct element_raw ELEMENT(5); /* 5.1: the raw text of the value as well */

/* Both end with an element of zeros. */
static struct element map[COUNT + 1];
static struct element_raw map_raw[COUNT + 1];

void *waf_config_map(void)
{
    int i;

    for (i = 0; i < COUNT; i++) {
        map[i].name = map_raw[i].name = properties[i].name;
        map[i].def_value = map_raw[i].def_value = properties[i].value;
        map[i].desc = map_raw[i].desc = properties[i].help;
    }
    return dlsym(RTLD_DEFAULT, "flb_config_map_get_raw") == NULL ? (void *) map : (void *) map_raw;
}
