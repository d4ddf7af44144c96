/* see config_key.h */
#include "app/config_key.h"

#include <assert.h>

#include "app/config_form.h"
#include "base/check.h"
#include "eci/eci_exec_framing.h"
#include "os/heap.h"

static const char *const config_words_cluster[] = {
    [CONFIG_CLUSTER_CLOUD] = "CLOUD", [CONFIG_CLUSTER_IDC] = "IDC", NULL};

static const char *const config_words_taint[] = {[CONFIG_TAINT_NO_SCHEDULE] = "NoSchedule",
                                                 [CONFIG_TAINT_PREFER_NO_SCHEDULE] =
                                                     "PreferNoSchedule",
                                                 [CONFIG_TAINT_NO_EXECUTE] = "NoExecute",
                                                 NULL};

static const char *const config_words_framing[] = {[ECI_FRAMING_AUTO] = "auto",
                                                   [ECI_FRAMING_CHANNEL] = "channel",
                                                   [ECI_FRAMING_BASE64] = "base64",
                                                   [ECI_FRAMING_RAW] = "raw",
                                                   NULL};

static const char *const config_words_log_level[] = {
    [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug", NULL};

#define FIELD_OF(type, field) \
    .offset = offsetof(struct type, field), .field_bytes = sizeof(((struct type *)NULL)->field)
#define AT(field) FIELD_OF(config, field)
#define SECRET_AT(field) FIELD_OF(config_secrets, field)
#define KEY(...) {__VA_ARGS__},

const struct config_key config_keys[] = {
#include "app/config.def"
};

const uint32_t config_keys_count = sizeof(config_keys) / sizeof(config_keys[0]);
static_assert(sizeof(config_keys) / sizeof(config_keys[0]) <= CONFIG_KEYS_MAX,
              "more rows than CONFIG_KEYS_MAX");

const struct config_key *config_key_find(str key)
{
    for (uint32_t i = 0; i < config_keys_count; i++) {
        if (str_eq(key, str_of(config_keys[i].key))) {
            return &config_keys[i];
        }
    }
    return NULL;
}

const struct config_key *config_key_nearest(str key)
{
    unsigned best = key.bytes < 9 ? 2 : 3; /* typing mistakes, not other words */
    const struct config_key *nearest = NULL;
    for (uint32_t i = 0; i < config_keys_count; i++) {
        unsigned distance = str_distance(key, str_of(config_keys[i].key), best);
        if (distance < best || (distance == best && nearest == NULL)) {
            best = distance;
            nearest = &config_keys[i];
        }
    }
    return nearest;
}

bool config_key_has_file_form(const struct config_key *row)
{
    return row->type == CONFIG_TEXT || row->type == CONFIG_SECRET || row->is_hidden;
}

const char *config_group_title(enum config_group group)
{
    static const char *const titles[CONFIG_GROUP_COUNT] = {
        [CONFIG_GROUP_CLOUD] = "The cloud", [CONFIG_GROUP_CLUSTER] = "The cluster",
        [CONFIG_GROUP_NODE] = "The node",   [CONFIG_GROUP_PACE] = "Pace",
        [CONFIG_GROUP_CAUTION] = "Caution", [CONFIG_GROUP_ROOM] = "Room",
        [CONFIG_GROUP_LOG] = "The log",
    };
    CHECK(group < CONFIG_GROUP_COUNT);
    return titles[group];
}

const char *config_taint_text(enum config_taint effect)
{
    CHECK(effect <= CONFIG_TAINT_NO_EXECUTE);
    return config_words_taint[effect];
}
