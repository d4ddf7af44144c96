/* see capacity.h */
#include "core/capacity.h"

#include "base/check.h"
#include "spec/quantity.h"

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

/* ---- what is in use -------------------------------------------------------------------------- */

#define CPU_MAX 1e12 /* of an account; more is no number of CPUs */

/* As a number, or as a text with one in it: the reply is documented as a map of anything. */
static bool read_cpu(json value, struct arena *arena, int64_t *milli)
{
    double cpu;
    if (json_double(value, &cpu) && cpu >= 0 && cpu < CPU_MAX) {
        *milli = (int64_t)(cpu * 1000);
        return true;
    }
    return quantity_parse_milli(json_text(value, arena), milli) == ERR_OK && *milli >= 0;
}

void capacity_read_usage(json root, struct arena *arena, struct capacity_look *out)
{
    json attributes = json_get_nocase(root, "Attributes");
    out->has_usage = read_cpu(json_get_nocase(attributes, "MaxCpu"), arena, &out->max_milli) &&
                     read_cpu(json_get_nocase(attributes, "UsedCpu"), arena, &out->used_milli) &&
                     out->max_milli > 0;
}

static void look_at_cpu(struct capacity *capacity, const struct capacity_look *look)
{
    int64_t hidden = look->used_milli - look->requests_milli;
    hidden = hidden > 0 ? hidden : 0;
    int64_t lasting = smaller(hidden, capacity->last_hidden_milli);
    int64_t step = look->max_milli / CAPACITY_STEP_SHARE;
    step = step > CAPACITY_STEP_MILLI ? step : CAPACITY_STEP_MILLI;
    capacity->last_hidden_milli = hidden;
    if (look->max_milli != capacity->max_milli) {
        capacity->max_milli = look->max_milli;
        capacity->changes++;
    }
    if (distance(lasting, capacity->hidden_milli) >= step) {
        capacity->hidden_milli = lasting;
        capacity->changes++;
    }
}

void capacity_look_taken(struct capacity *capacity, const struct capacity_look *look)
{
    if (look->has_usage) {
        look_at_cpu(capacity, look);
    }
    uint32_t lasting = look->strays < capacity->last_strays ? look->strays : capacity->last_strays;
    capacity->last_strays = look->strays;
    if (lasting != capacity->strays) {
        capacity->strays = lasting;
        capacity->changes++;
    }
}

void capacity_forget_usage(struct capacity *capacity)
{
    if (capacity->max_milli != 0) {
        capacity->changes++;
    }
    capacity->max_milli = capacity->hidden_milli = capacity->last_hidden_milli = 0;
}

/* ---- refusals -------------------------------------------------------------------------------- */

static msec closed_ms(uint32_t closings)
{
    msec ms = CAPACITY_CLOSED_MS;
    for (uint32_t i = 1; i < closings && ms < CAPACITY_CLOSED_CAP_MS; i++) {
        ms *= 2;
    }
    return ms < CAPACITY_CLOSED_CAP_MS ? ms : CAPACITY_CLOSED_CAP_MS;
}

void capacity_refused(struct capacity *capacity, msec now_ms)
{
    if (capacity->is_closed) {
        return; /* pods that were on their way */
    }
    capacity->refusals++;
    if (capacity->refusals < CAPACITY_REFUSALS) {
        return;
    }
    capacity->closings++;
    capacity->is_closed = true;
    capacity->was_accepted = false;
    capacity->closed_at_ms = now_ms;
    capacity->closed_until_ms = now_ms + closed_ms(capacity->closings);
    capacity->changes++;
}

void capacity_accepted(struct capacity *capacity)
{
    capacity->refusals = 0;
    capacity->closings = 0;
    capacity->was_accepted = true;
}

msec capacity_wake_ms(const struct capacity *capacity)
{
    if (!capacity->is_closed) {
        return INT64_MAX;
    }
    return capacity->was_accepted ? capacity->closed_at_ms + CAPACITY_CLOSED_MIN_MS
                                  : capacity->closed_until_ms;
}

void capacity_turn(struct capacity *capacity, msec now_ms)
{
    if (now_ms < capacity_wake_ms(capacity)) {
        return;
    }
    capacity->is_closed = false;
    capacity->refusals = 0;
    capacity->changes++;
}

/* ---- figures --------------------------------------------------------------------------------- */

struct capacity_figures capacity_figures(const struct capacity *capacity, int64_t cpu_milli,
                                         uint32_t pods)
{
    CHECK(cpu_milli >= 0);
    struct capacity_figures out = {.cpu_milli = cpu_milli};
    if (capacity->max_milli > 0) {
        out.cpu_milli = smaller(cpu_milli, capacity->max_milli);
        out.cpu_free_milli = smaller(cpu_milli, capacity->max_milli - capacity->hidden_milli);
        out.cpu_free_milli = out.cpu_free_milli > 0 ? out.cpu_free_milli : 0;
    } else {
        out.cpu_free_milli = cpu_milli;
    }
    if (!capacity->is_closed && capacity->strays < pods) {
        out.pods_free = pods - capacity->strays;
    }
    return out;
}
