/* pod_policy.c - see pod_policy.h */
#include "spec/pod_policy.h"

#include "spec/annotation.h"
#include "spec/pod_to_eci.h"

/* The pod's own value counts, even an empty one; then the profile's. */
static str find_value(json pod, enum annotation annotation, const struct spec_pair *effects,
                      uint32_t effects_count, struct arena *arena)
{
    const char *key = annotation_row(annotation)->key;
    json own = json_get(json_get(json_get(pod, "metadata"), "annotations"), key);

    if (json_is_there(own)) {
        return str_trim(json_text(own, arena));
    }
    for (uint32_t i = 0; i < effects_count; i++) {
        if (annotation_find(effects[i].key) == annotation) {
            return str_trim(effects[i].value);
        }
    }
    return STR_NONE;
}

struct pod_policy pod_policy_read(json pod, const struct spec_pair *effects, uint32_t effects_count,
                                  struct arena *arena)
{
    str strategy = find_value(pod, ANNOTATION_FAIL_STRATEGY, effects, effects_count, arena);
    str fails = find_value(pod, ANNOTATION_FAIL_ON_ERROR, effects, effects_count, arena);
    str goes_on = find_value(pod, ANNOTATION_RESCHEDULE, effects, effects_count, arena);

    if (str_eq_nocase(strategy, S("fail-fast"))) {
        return (struct pod_policy){FAIL_FAST, FAIL_FAST};
    }
    if (str_eq_nocase(strategy, S("fail-over"))) {
        return (struct pod_policy){FAIL_OVER, FAIL_OVER};
    }
    if (str_eq_nocase(strategy, S("fail-back")) || !str_eq_nocase(fails, S("true"))) {
        return (struct pod_policy){FAIL_BACK, FAIL_BACK};
    }
    return (struct pod_policy){FAIL_FAST,
                               str_eq_nocase(goes_on, S("true")) ? FAIL_BACK : FAIL_FAST};
}
