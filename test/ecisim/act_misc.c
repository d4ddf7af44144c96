/*
 * DescribeRegions, ListUsage, DescribeContainerGroupPrice, DescribeAvailableResource
 * (eci-api 2.12, 2.13): simple, but with the documented shapes.
 */
#include <stdlib.h>
#include <string.h>

#include "actions.h"
#include "cache.h"
#include "group.h"
#include "settings.h"
#include "stock.h"

/* Calls back for each comma-separated item. */
static void each_item(const char *list, void (*take)(void *owner, const char *item), void *owner)
{
    char *copy = text_copy(list);
    for (char *rest = NULL, *item = strtok_r(copy, ", ", &rest); item != NULL;
         item = strtok_r(NULL, ", ", &rest)) {
        take(owner, item);
    }
    free(copy);
}

static void write_item(void *jw, const char *item)
{
    jw_text(jw, item);
}

void act_regions(struct call *call)
{
    struct jw *jw = &call->reply;
    char *endpoint = arena_fmt(&call->arena, "eci.%s.aliyuncs.com", settings.region);
    jw_kopen(jw, "Regions", '[');
    jw_open(jw, '{');
    jw_ktext(jw, "RegionId", settings.region);
    jw_ktext(jw, "RegionEndpoint", endpoint);
    jw_kopen(jw, "Zones", '[');
    each_item(stock_zones(), write_item, jw);
    jw_close(jw, ']');
    jw_kopen(jw, "RecommendZones", '[');
    each_item(stock_zones(), write_item, jw);
    jw_close(jw, ']');
    jw_kopen(jw, "UnavailableZones", '[');
    jw_close(jw, ']');
    jw_close(jw, '}');
    jw_close(jw, ']');
}

void act_usage(struct call *call)
{
    struct jw *jw = &call->reply;
    double used = 0;
    for (size_t at = 0; at < groups.count; at++) {
        used += status_is_end(groups.all[at]->status) ? 0 : groups.all[at]->size.cpu;
    }
    jw_kopen(jw, "Attributes", '{');
    jw_kdouble(jw, "MaxCpu", settings.quota_cpu);
    jw_kdouble(jw, "UsedCpu", used);
    jw_klong(jw, "MaxImageCacheCount", 100);
    jw_klong(jw, "UsedImageCacheCount", (long long)cache_count());
    jw_klong(jw, "MaxAutoImageCacheCount", 100);
    jw_klong(jw, "UsedAutoImageCacheCount", 0);
    jw_klong(jw, "MaxDataCacheCount", 100);
    jw_klong(jw, "UsedDataCacheCount", 0);
    jw_close(jw, '}');
}

/* ---- price ----------------------------------------------------------------------------------- */

/* Invented, but in proportion: CNY per second. */
#define PRICE_CPU 0.0000340
#define PRICE_MEMORY 0.0000036
#define SPOT_FACTOR 0.3

static void write_price(struct jw *jw, double price)
{
    jw_kdouble(jw, "OriginalPrice", price);
    jw_kdouble(jw, "DiscountPrice", 0);
    jw_kdouble(jw, "TradePrice", price);
}

static void write_detail(struct jw *jw, const char *resource, double price)
{
    jw_open(jw, '{');
    jw_ktext(jw, "Resource", resource);
    write_price(jw, price);
    jw_kopen(jw, "Rules", '{');
    jw_kopen(jw, "Rule", '[');
    jw_close(jw, ']');
    jw_close(jw, '}');
    jw_close(jw, '}');
}

static void write_spot_prices(struct jw *jw, const struct call *call, double price)
{
    jw_kopen(jw, "SpotPrices", '{');
    jw_kopen(jw, "SpotPrice", '[');
    if (text_starts(call_param(call, "SpotStrategy"), "Spot")) {
        jw_open(jw, '{');
        jw_ktext(jw, "InstanceType", call_param(call, "InstanceType"));
        jw_ktext(jw, "ZoneId", call_param(call, "ZoneId"));
        jw_kdouble(jw, "OriginPrice", 3600 * price);
        jw_kdouble(jw, "SpotPrice", 3600 * price * SPOT_FACTOR);
        jw_close(jw, '}');
    }
    jw_close(jw, ']');
    jw_close(jw, '}');
}

void act_price(struct call *call)
{
    struct jw *jw = &call->reply;
    const char *type = call_param(call, "InstanceType");
    struct size wish = {tree_number(call->params, "Cpu", 0),
                        tree_number(call->params, "Memory", 0)};
    struct size size;
    if (type != NULL && !size_of_type(type, &wish)) {
        call_fail(call, CODE_INVALID, "The specified parameter InstanceType is not valid.");
        return;
    }
    if (type == NULL && wish.cpu == 0 && wish.memory == 0) {
        call_fail(call, CODE_MISSING, "Cpu and Memory, or InstanceType, are mandatory.");
        return;
    }
    if (!size_round(settings.region, false, wish, &size)) {
        call_fail(call, CODE_CPU_MEMORY, NULL);
        return;
    }
    double cpu = size.cpu * PRICE_CPU;
    double memory = size.memory * PRICE_MEMORY;
    jw_kopen(jw, "PriceInfo", '{');
    jw_kopen(jw, "Price", '{');
    jw_ktext(jw, "Currency", "CNY");
    write_price(jw, cpu + memory);
    jw_kopen(jw, "DetailInfos", '{');
    jw_kopen(jw, "DetailInfo", '[');
    write_detail(jw, "cpu", cpu);
    write_detail(jw, "memory", memory);
    jw_close(jw, ']');
    jw_close(jw, '}');
    jw_close(jw, '}');
    jw_kopen(jw, "Rules", '{');
    jw_kopen(jw, "Rule", '[');
    jw_close(jw, ']');
    jw_close(jw, '}');
    write_spot_prices(jw, call, cpu + memory);
    jw_close(jw, '}');
}

/* ---- available resources --------------------------------------------------------------------- */

struct stock_writer {
    struct jw *jw;
    const struct call *call;
};

static void write_supported(struct stock_writer *writer, const char *zone, const char *value)
{
    jw_open(writer->jw, '{');
    jw_ktext(writer->jw, "Value", value);
    jw_ktext(writer->jw, "StatusCategory",
             stock_is_out(zone, value) ? "WithoutStock" : "WithStock");
    jw_close(writer->jw, '}');
}

static void write_zone(void *owner, const char *zone)
{
    static const char *const types[] = {"ecs.c6.large",  "ecs.g6.large",  "ecs.r6.large",
                                        "ecs.c6.xlarge", "ecs.g6.xlarge", "ecs.c6.2xlarge"};
    struct stock_writer *writer = owner;
    struct jw *jw = writer->jw;
    const char *asked_zone = call_param(writer->call, "ZoneId");
    const char *value = call_param(writer->call, "DestinationResource.Value");
    double cores = tree_number(writer->call->params, "DestinationResource.Cores", 0);
    double memory = tree_number(writer->call->params, "DestinationResource.Memory", 0);
    if (asked_zone != NULL && !text_is(asked_zone, zone)) {
        return;
    }
    jw_open(jw, '{');
    jw_ktext(jw, "RegionId", settings.region);
    jw_ktext(jw, "ZoneId", zone);
    jw_kopen(jw, "AvailableResources", '{');
    jw_kopen(jw, "AvailableResource", '[');
    jw_open(jw, '{');
    jw_ktext(jw, "Type", call_param(writer->call, "DestinationResource.Category"));
    jw_kopen(jw, "SupportedResources", '{');
    jw_kopen(jw, "SupportedResource", '[');
    if (value != NULL) {
        write_supported(writer, zone, value);
    }
    for (size_t at = 0; value == NULL && at < sizeof types / sizeof types[0]; at++) {
        struct size size;
        size_of_type(types[at], &size);
        if ((cores == 0 || cores == size.cpu) && (memory == 0 || memory == size.memory)) {
            write_supported(writer, zone, types[at]);
        }
    }
    jw_close(jw, ']');
    jw_close(jw, '}');
    jw_close(jw, '}');
    jw_close(jw, ']');
    jw_close(jw, '}');
    jw_close(jw, '}');
}

void act_available(struct call *call)
{
    struct stock_writer writer = {.jw = &call->reply, .call = call};
    if (!text_is_any(call_param(call, "DestinationResource.Category"),
                     "InstanceTypeFamily|InstanceType")) {
        call_fail(call, CODE_INVALID,
                  "The specified parameter DestinationResource.Category is not valid.");
        return;
    }
    jw_kopen(writer.jw, "AvailableZones", '{');
    jw_kopen(writer.jw, "AvailableZone", '[');
    each_item(stock_zones(), write_zone, &writer);
    jw_close(writer.jw, ']');
    jw_close(writer.jw, '}');
}
