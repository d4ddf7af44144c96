/* sizing.c - see sizing.h */
#include "spec/sizing.h"

#include "base/check.h"

#define MIB ((int64_t)1 << 20)
#define GIB_LIST_MAX 5
#define H(gib) (1024 * (gib)) /* GiB in MiB */

/*
 * What is on sale everywhere (eci-api 4.1), smallest first; memory in MiB, 0 ends the list.
 */
static const struct size_row {
    uint32_t cpu_milli;
    uint32_t memory_mib[GIB_LIST_MAX + 1];
} size_rows[] = {
    {250, {512, H(1)}},
    {500, {H(1), H(2)}},
    {1000, {H(2), H(4), H(8)}},
    {2000, {H(1), H(2), H(4), H(8), H(16)}},
    {4000, {H(2), H(4), H(8), H(16), H(32)}},
    {6000, {0}}, /* extra pairs only */
    {8000, {H(4), H(8), H(16), H(32), H(64)}},
    {12000, {H(12), H(24), H(48), H(96)}},
    {16000, {H(16), H(32), H(64), H(128)}},
    {24000, {H(24), H(48), H(96), H(192)}},
    {32000, {H(32), H(64), H(128), H(256)}},
    {52000, {H(96), H(192), H(384)}},
    {64000, {H(128), H(256), H(512)}},
};

/* More on sale in some regions: every even number of GiB from low to high (those that are in the
 * first table as well do no harm). */
static const struct extra_row {
    uint32_t cpu_milli;
    uint32_t low_gib;
    uint32_t high_gib;
} extra_rows[] = {
    {2000, 6, 14},
    {4000, 6, 30},
    {6000, 6, 48},
    {8000, 10, 62},
};

static const char *const extra_regions[] = {
    "cn-hangzhou",  "cn-shanghai",    "cn-qingdao",  "cn-beijing", "cn-zhangjiakou",
    "cn-huhehaote", "cn-wulanchabu",  "cn-shenzhen", "cn-heyuan",  "cn-guangzhou",
    "cn-chengdu",   "ap-southeast-1",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int64_t smallest_mib(const struct size_row *row, int64_t wanted_mib, bool has_extra);
static int64_t smallest_extra_mib(uint32_t cpu_milli, int64_t wanted_mib);
static int64_t add(int64_t a, int64_t b);
static int64_t max(int64_t a, int64_t b);
static str decimal_text(struct arena *arena, int64_t whole, uint32_t fraction, unsigned places);

enum err sizing_round(struct sizing wanted, str region_id, struct sizing *out)
{
    if (wanted.cpu_milli < 0 || wanted.memory_bytes < 0) {
        return ERR_BAD_INPUT;
    }
    if (wanted.cpu_milli > SIZING_CPU_MILLI_MAX ||
        wanted.memory_bytes > SIZING_MEMORY_GIB_MAX * SIZING_GIB) {
        return ERR_TOO_BIG;
    }
    if (wanted.cpu_milli == 0 && wanted.memory_bytes == 0) {
        wanted = (struct sizing){SIZING_CPU_MILLI_DEFAULT, SIZING_MEMORY_GIB_DEFAULT * SIZING_GIB};
    }
    bool has_extra = sizing_region_has_extra(region_id);
    int64_t wanted_mib = (wanted.memory_bytes + MIB - 1) / MIB;
    for (size_t i = 0;; i++) {
        CHECK(i < COUNT(size_rows)); /* the last one has the most of both */
        int64_t mib = size_rows[i].cpu_milli >= wanted.cpu_milli
                          ? smallest_mib(&size_rows[i], wanted_mib, has_extra)
                          : 0;
        if (mib > 0) {
            *out = (struct sizing){size_rows[i].cpu_milli, mib * MIB};
            return ERR_OK;
        }
    }
}

/* 0 when the row has nothing that large. */
static int64_t smallest_mib(const struct size_row *row, int64_t wanted_mib, bool has_extra)
{
    int64_t best = has_extra ? smallest_extra_mib(row->cpu_milli, wanted_mib) : 0;

    for (size_t i = 0; row->memory_mib[i] != 0; i++) {
        if (row->memory_mib[i] >= wanted_mib) {
            return best != 0 && best < row->memory_mib[i] ? best : row->memory_mib[i];
        }
    }
    return best;
}

static int64_t smallest_extra_mib(uint32_t cpu_milli, int64_t wanted_mib)
{
    for (size_t i = 0; i < COUNT(extra_rows); i++) {
        int64_t even_mib = (wanted_mib + H(2) - 1) / H(2) * H(2);
        int64_t mib = max(even_mib, H((int64_t)extra_rows[i].low_gib));
        if (extra_rows[i].cpu_milli == cpu_milli && mib <= H((int64_t)extra_rows[i].high_gib)) {
            return mib;
        }
    }
    return 0;
}

bool sizing_region_has_extra(str region_id)
{
    for (size_t i = 0; i < COUNT(extra_regions); i++) {
        if (str_eq(region_id, str_of(extra_regions[i]))) {
            return true;
        }
    }
    return false;
}

void sizing_add_app(struct sizing_sum *sum, struct sizing one)
{
    sum->apps.cpu_milli = add(sum->apps.cpu_milli, one.cpu_milli);
    sum->apps.memory_bytes = add(sum->apps.memory_bytes, one.memory_bytes);
}

void sizing_add_init(struct sizing_sum *sum, struct sizing one)
{
    sum->inits.cpu_milli = max(sum->inits.cpu_milli, one.cpu_milli);
    sum->inits.memory_bytes = max(sum->inits.memory_bytes, one.memory_bytes);
}

struct sizing sizing_total(const struct sizing_sum *sum)
{
    return (struct sizing){
        max(sum->apps.cpu_milli, sum->inits.cpu_milli),
        max(sum->apps.memory_bytes, sum->inits.memory_bytes),
    };
}

/* Both at least 0; stops at the largest number. */
static int64_t add(int64_t a, int64_t b)
{
    CHECK(a >= 0 && b >= 0);
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

str sizing_cpu_text(struct arena *arena, int64_t cpu_milli)
{
    CHECK(cpu_milli >= 0);
    return decimal_text(arena, cpu_milli / 1000, (uint32_t)(cpu_milli % 1000), 3);
}

str sizing_gib_text(struct arena *arena, int64_t memory_bytes)
{
    CHECK(memory_bytes >= 0);
    int64_t whole = memory_bytes / SIZING_GIB;
    uint32_t millionths = (uint32_t)(memory_bytes % SIZING_GIB * 1000000 / SIZING_GIB);

    if (memory_bytes > 0 && whole == 0 && millionths == 0) {
        millionths = 1;
    }
    return decimal_text(arena, whole, millionths, 6);
}

static str decimal_text(struct arena *arena, int64_t whole, uint32_t fraction, unsigned places)
{
    for (; places > 0 && fraction % 10 == 0; places--) {
        fraction /= 10;
    }
    if (places == 0) {
        return arena_fmt(arena, "%lld", (long long)whole);
    }
    return arena_fmt(arena, "%lld.%0*u", (long long)whole, (int)places, fraction);
}
