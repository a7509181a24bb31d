#include "host.h"

#include <dlfcn.h>

struct property {
    const char *name;
    const char *value; /* the default, NULL when there is none */
    const char *help;
};

/* Written from package filter by "make generate"; a test fails when they are not current. */
static const struct property filter_properties[] = {
#include "filter_properties.inc"
};

static const struct property output_properties[] = {
#include "output_properties.inc"
};

static const struct property input_properties[] = {
#include "input_properties.inc"
};

enum {
    FILTER_COUNT = sizeof(filter_properties) / sizeof(filter_properties[0]),
    OUTPUT_COUNT = sizeof(output_properties) / sizeof(output_properties[0]),
    INPUT_COUNT = sizeof(input_properties) / sizeof(input_properties[0])
};

/* The value block is where the two layouts differ; the host fills it in copies of the elements. */
#define ELEMENT(block)          \
    {                           \
        int type; /* 0: text */ \
        const char *name;       \
        const char *def_value;  \
        int flags;              \
        int set_property;       \
        uintptr_t offset;       \
        const char *desc;       \
        void *value[block];     \
        struct waf_list head;   \
    }

struct element ELEMENT(4);     /* up to 5.0 */
struct element_raw ELEMENT(5); /* 5.1: the raw text of the value as well */

/* Each ends with an element of zeros. */
static struct element filter_map[FILTER_COUNT + 1];
static struct element_raw filter_map_raw[FILTER_COUNT + 1];
static struct element_raw output_map_raw[OUTPUT_COUNT + 1];
static struct element_raw input_map_raw[INPUT_COUNT + 1];

static int host_has_raw(void)
{
    return dlsym(RTLD_DEFAULT, "flb_config_map_get_raw") != NULL;
}

static void fill_raw(struct element_raw *map, const struct property *properties, int count)
{
    int i;

    for (i = 0; i < count; i++) {
        map[i].name = properties[i].name;
        map[i].def_value = properties[i].value;
        map[i].desc = properties[i].help;
    }
}

void *waf_filter_config_map(void)
{
    int i;

    if (host_has_raw()) {
        fill_raw(filter_map_raw, filter_properties, FILTER_COUNT);
        return filter_map_raw;
    }
    for (i = 0; i < FILTER_COUNT; i++) {
        filter_map[i].name = filter_properties[i].name;
        filter_map[i].def_value = filter_properties[i].value;
        filter_map[i].desc = filter_properties[i].help;
    }
    return filter_map;
}

void *waf_output_config_map(void)
{
    if (!host_has_raw()) {
        return NULL;
    }
    fill_raw(output_map_raw, output_properties, OUTPUT_COUNT);
    return output_map_raw;
}

void *waf_input_config_map(void)
{
    if (!host_has_raw()) {
        return NULL;
    }
    fill_raw(input_map_raw, input_properties, INPUT_COUNT);
    return input_map_raw;
}
