/*
 * What in_nano.so finds in out_waf.so. Fluent Bit looks up the same names in every Go-proxy object, so an input and an output
 * need an object each; both objects are faces of one Go runtime.
 */
#ifndef WAF_INPUT_API_H
#define WAF_INPUT_API_H

/* Grows with every change of the table. */
enum { WAF_INPUT_API = 1 };

struct waf_input_api {
    int (*pre_register)(int hot_reloading);
    int (*enroll)(void *def);
    void (*dismiss)(void *def);
    int (*init)(void *start);
    int (*collect)(void);
    void (*pause)(void);
    void (*resume)(void);
    void (*pre_exit)(int hot_reloading);
    int (*exit)(void);
};

/* Returns the table, NULL when the version is another one. */
typedef const struct waf_input_api *(*waf_input_api_of)(int version);

#define WAF_INPUT_API_NAME "waf_input_api"

#endif
