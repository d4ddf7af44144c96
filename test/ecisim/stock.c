/* see stock.h */
#include "stock.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings.h"
#include "sim.h"

#define SPECS_MAX 5 /* InstanceType, eci-api 2.1 */
#define SWITCHES_MAX 10

static char *zones;
static uint32_t first_address; /* host order: the network itself */
static uint32_t address_count;
static int prefix;
static unsigned char *taken; /* one bit per address */
static uint32_t next_address;

/* ---- addresses ------------------------------------------------------------------------------- */

static bool parse_subnet(const char *text)
{
    char host[32] = {0};
    struct in_addr address;
    if (sscanf(text, "%31[0-9.]/%d", host, &prefix) != 2 || prefix < 8 || prefix > 29 ||
        inet_pton(AF_INET, host, &address) != 1) {
        return false;
    }
    address_count = (uint32_t)1 << (32 - prefix);
    first_address = ntohl(address.s_addr) & ~(address_count - 1);
    return true;
}

const char *stock_start(void)
{
    bool has_boxes = text_is(settings.mode, "container");
    const char *usual = has_boxes ? "172.31.240.0/20" : "10.240.0.0/14";
    struct buf list = {0};
    if (!parse_subnet(settings.subnet[0] == '\0' ? usual : settings.subnet)) {
        return "--subnet: not an IPv4 network such as 172.31.240.0/20";
    }
    if (settings.zones[0] == '\0') {
        buf_fmt(&list, "%s-i,%s-j,%s-k", settings.region, settings.region, settings.region);
    } else {
        buf_text(&list, settings.zones);
    }
    zones = list.data;
    taken = text_grab(NULL, address_count / 8);
    stock_reset();
    return NULL;
}

void stock_reset(void)
{
    memset(taken, 0, address_count / 8);
    next_address = 2; /* the network and the bridge are not for groups */
}

void stock_free(void)
{
    free(taken);
    free(zones);
    taken = NULL;
    zones = NULL;
}

uint32_t stock_gateway(void)
{
    return first_address + 1;
}

int stock_prefix(void)
{
    return prefix;
}

void stock_address_text(char out[16], uint32_t address)
{
    snprintf(out, 16, "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255,
             address & 255);
}

static bool is_taken(uint32_t number)
{
    return (taken[number / 8] >> number % 8 & 1) != 0;
}

static bool wanted_number(const char *text, uint32_t *number)
{
    struct in_addr address;
    if (inet_pton(AF_INET, text, &address) != 1) {
        return false;
    }
    *number = ntohl(address.s_addr) - first_address;
    return *number >= 2 && *number < address_count - 1;
}

bool stock_address_is_free(const char *text)
{
    uint32_t number = 0;
    return wanted_number(text, &number) && !is_taken(number);
}

bool stock_take_address(struct group *group, const char *wanted)
{
    uint32_t number = 0;
    if (wanted != NULL && !wanted_number(wanted, &number)) {
        /* An address of the user's real vSwitch, outside our subnet: shown, not used. */
        snprintf(group->ip, sizeof group->ip, "%s", wanted);
        return true;
    }
    for (uint32_t tries = 0; wanted == NULL && tries < address_count; tries++) {
        uint32_t candidate = next_address;
        next_address = next_address + 1 >= address_count - 1 ? 2 : next_address + 1;
        if (!is_taken(candidate)) {
            number = candidate;
            break;
        }
    }
    if (number == 0 || is_taken(number)) {
        return false;
    }
    taken[number / 8] |= (unsigned char)(1 << number % 8);
    group->address = first_address + number;
    stock_address_text(group->ip, group->address);
    return true;
}

void stock_give_address(struct group *group)
{
    if (group->address != 0) {
        uint32_t number = group->address - first_address;
        taken[number / 8] &= (unsigned char)~(1 << number % 8);
        group->address = 0;
    }
}

/* ---- zones and stock ------------------------------------------------------------------------- */

const char *stock_zones(void)
{
    return zones;
}

/* The nth item of a comma-separated list, in the arena; NULL behind the last. */
static const char *list_item(struct arena *arena, const char *list, size_t number)
{
    while (number > 0 && list != NULL) {
        list = strchr(list, ',');
        list = list == NULL ? NULL : list + 1;
        number--;
    }
    if (list == NULL || *list == '\0') {
        return NULL;
    }
    list += strspn(list, " ");
    return arena_copy(arena, list, strcspn(list, ", "));
}

static size_t list_count(const char *list)
{
    size_t count = list[0] == '\0' ? 0 : 1;
    for (const char *at = list; (at = strchr(at, ',')) != NULL; at++) {
        count++;
    }
    return count;
}

/* Known vSwitches have the zone of the setting; for the others the name decides. */
const char *stock_zone_of(const char *vswitch)
{
    static char zone[64];
    struct arena arena = {0};
    const char *found = NULL;
    size_t bytes = strlen(vswitch);
    for (size_t at = 0; found == NULL; at++) {
        const char *item = list_item(&arena, settings.vswitches, at);
        if (item == NULL) {
            break;
        }
        if (strncmp(item, vswitch, bytes) == 0 && item[bytes] == ':') {
            found = item + bytes + 1;
        }
    }
    if (found == NULL) {
        size_t hash = 0;
        for (const char *at = vswitch; *at != '\0'; at++) {
            hash = hash * 31 + (unsigned char)*at;
        }
        found = list_item(&arena, zones, hash % list_count(zones));
    }
    snprintf(zone, sizeof zone, "%s", found);
    arena_free(&arena);
    return zone;
}

bool stock_is_out(const char *zone, const char *spec)
{
    return text_in_list(settings.no_stock, "all") || text_in_list(settings.no_stock, zone) ||
           text_in_list(settings.no_stock, spec);
}

static void shuffle(const char **items, size_t count)
{
    for (size_t at = count; at > 1; at--) {
        size_t other = dice_roll(&sim_dice) % at;
        const char *item = items[at - 1];
        items[at - 1] = items[other];
        items[other] = item;
    }
}

static size_t split(struct arena *arena, const char *list, const char **items, size_t count_max)
{
    size_t count = 0;
    while (count < count_max && (items[count] = list_item(arena, list, count)) != NULL) {
        count++;
    }
    return count;
}

/* The vSwitches to try, in order; without any, one of our own per zone. */
static size_t list_switches(struct group *group, const char **items)
{
    const char *given = tree_text(group->params, "VSwitchId");
    size_t count = 0;
    if (given != NULL && given[0] != '\0') {
        count = split(&group->arena, given, items, SWITCHES_MAX);
    } else {
        const char *names[SWITCHES_MAX];
        count = split(&group->arena, zones, names, SWITCHES_MAX);
        for (size_t at = 0; at < count; at++) {
            items[at] = arena_fmt(&group->arena, "vsw-default-%s", names[at]);
        }
    }
    if (!text_is(tree_text(group->params, "ScheduleStrategy"), "VSwitchOrdered")) {
        shuffle(items, count);
    }
    return count;
}

static const char *zone_of_switch(struct group *group, const char *vswitch)
{
    const char *zone = text_starts(vswitch, "vsw-default-") ? vswitch + strlen("vsw-default-")
                                                            : stock_zone_of(vswitch);
    return arena_copy(&group->arena, zone, strlen(zone));
}

bool stock_choose(struct group *group, const char **what)
{
    const char *switches[SWITCHES_MAX] = {NULL};
    const char *specs[SPECS_MAX] = {NULL};
    const char *types = tree_text(group->params, "InstanceType");
    const char *wanted_zone = tree_text(group->params, "ZoneId");
    size_t switch_count = list_switches(group, switches);
    size_t spec_count = split(&group->arena, types == NULL ? "" : types, specs, SPECS_MAX);
    if (spec_count == 0) {
        specs[spec_count++] =
            arena_fmt(&group->arena, "%g-%gGi", group->size.cpu, group->size.memory);
    }
    for (size_t spec = 0; spec < spec_count; spec++) {
        for (size_t at = 0; at < switch_count; at++) {
            const char *zone = zone_of_switch(group, switches[at]);
            if ((wanted_zone != NULL && wanted_zone[0] != '\0' && !text_is(wanted_zone, zone)) ||
                stock_is_out(zone, specs[spec])) {
                continue;
            }
            group->zone = zone;
            group->vswitch = switches[at];
            if (types != NULL && types[0] != '\0') {
                struct size size = group->size;
                size_of_type(specs[spec], &size);
                bool is_spot = text_starts(tree_text(group->params, "SpotStrategy"), "SpotWith") ||
                               text_starts(tree_text(group->params, "SpotStrategy"), "SpotAs");
                group->instance_type = text_starts(specs[spec], "ecs.") ? specs[spec] : "";
                if (group->instance_type[0] != '\0' ||
                    !size_round(settings.region, is_spot, size, &group->size)) {
                    group->size = size;
                }
            }
            return true;
        }
    }
    *what = specs[0];
    return false;
}
