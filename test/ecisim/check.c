/* see check.h: the instance level; containers and volumes are in check_container.c */
#include "check.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "settings.h"
#include "stock.h"

/* Words and ranges of single parameters. words NULL: a number from low to high. */
static const struct rule {
    const char *name;
    const char *words;
    double low;
    double high;
} rules[] = {
    {"RestartPolicy", "Always|OnFailure|Never", 0, 0},
    {"ScheduleStrategy", "VSwitchOrdered|VSwitchRandom", 0, 0},
    {"CpuArchitecture", "AMD64|ARM64", 0, 0},
    {"OsType", "Linux|Windows", 0, 0},
    {"SpotStrategy", "NoSpot|SpotAsPriceGo|SpotWithPriceLimit", 0, 0},
    {"ImageAccelerateMode", "nydus|dadi|p2p|imc", 0, 0},
    {"DnsPolicy", "Default|None", 0, 0},
    {"EipISP", "BGP|BGP_PRO", 0, 0},
    {"FixedIp", "true|false", 0, 0},
    {"DataCachePL", "PL0|PL1|PL2|PL3", 0, 0},
    {"Cpu", NULL, 0, 1e6},
    {"Memory", NULL, 0, 1e6},
    {"CpuOptionsCore", NULL, 1, 128},
    {"CpuOptionsThreadsPerCore", NULL, 1, 2},
    {"ActiveDeadlineSeconds", NULL, 1, 1e12},
    {"TerminationGracePeriodSeconds", NULL, 0, 1e9},
    {"MaxPendingMinute", NULL, 10, 1440},
    {"SpotPriceLimit", NULL, 0.001, 1e6},
    {"SpotDuration", NULL, 0, 6},
    {"EphemeralStorage", NULL, 0, 5000},
    {"EipBandwidth", NULL, 1, 500},
    {"Ipv6AddressCount", NULL, 1, 1},
    {"IngressBandwidth", NULL, 1, 1e15},
    {"EgressBandwidth", NULL, 1, 1e15},
    {"FixedIpRetainHour", NULL, 1, 8760},
    {"DataCacheProvisionedIops", NULL, 0, 50000},
};

static void invalid(struct call *call, const char *name)
{
    call_fail(call, CODE_INVALID, "The specified parameter %s is not valid.", name);
}

size_t check_item_count(const char *list)
{
    size_t count = 1;
    for (const char *at = list; (at = strchr(at, ',')) != NULL; at++) {
        count++;
    }
    return count;
}

static void check_rules(struct call *call)
{
    for (size_t at = 0; at < sizeof rules / sizeof rules[0]; at++) {
        const struct rule *rule = &rules[at];
        const char *value = call_param(call, rule->name);
        if (value == NULL) {
            continue;
        }
        double number = tree_number(call->params, rule->name, -1);
        bool fits = rule->words != NULL ? text_is_any(value, rule->words)
                                        : number >= rule->low && number <= rule->high;
        if (!fits) {
            invalid(call, rule->name);
            return;
        }
    }
}

static void check_name(struct call *call)
{
    const char *name = call_param(call, "ContainerGroupName");
    size_t bytes = strlen(name);
    if (bytes < 2 || bytes > 128 || name[0] == '-' || name[bytes - 1] == '-' ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != bytes) {
        invalid(call, "ContainerGroupName");
    }
}

/* ---- what goes together ---------------------------------------------------------------------- */

static bool is_spot(const struct call *call)
{
    return text_is_any(call_param(call, "SpotStrategy"), "SpotAsPriceGo|SpotWithPriceLimit");
}

static void check_spot(struct call *call)
{
    bool has_limit = call_param(call, "SpotPriceLimit") != NULL;
    if (text_is(call_param(call, "SpotStrategy"), "SpotWithPriceLimit") != has_limit) {
        invalid(call, "SpotPriceLimit");
    }
}

static void check_category(struct call *call)
{
    const struct node *item = tree_list(call->params, "ComputeCategory");
    if (item != NULL && (is_spot(call) || text_is(call_param(call, "CpuArchitecture"), "ARM64"))) {
        call_fail(call, CODE_FEATURE_CONFLICT,
                  "ComputeCategory cannot be used with spot instances or ARM64.");
    }
    for (; item != NULL; item = item->next) {
        if (!text_is_any(item->value, "economy|general")) {
            invalid(call, "ComputeCategory");
        }
    }
}

static void check_network(struct call *call)
{
    const char *vswitches = call_param(call, "VSwitchId");
    const char *zone = call_param(call, "ZoneId");
    const char *private_ip = call_param(call, "PrivateIpAddress");
    bool has_eip = tree_true(call->params, "AutoCreateEip");
    struct in_addr address;
    if (vswitches != NULL && check_item_count(vswitches) > 10) {
        call_fail(call, CODE_EXCEEDED, "VSwitchId: more than 10 vSwitches.");
    } else if (call_param(call, "SecurityGroupId") != NULL && settings.strict &&
               check_item_count(call_param(call, "SecurityGroupId")) > 1) {
        invalid(call, "SecurityGroupId");
    } else if (zone != NULL && !text_in_list(stock_zones(), zone)) {
        invalid(call, "ZoneId");
    } else if (zone != NULL && vswitches != NULL && strchr(vswitches, ',') == NULL &&
               !text_is(stock_zone_of(vswitches), zone)) {
        call_fail(call, CODE_ZONE_MISMATCH, NULL);
    } else if (private_ip != NULL &&
               (vswitches == NULL || call_param(call, "SecurityGroupId") == NULL ||
                inet_pton(AF_INET, private_ip, &address) != 1)) {
        invalid(call, "PrivateIpAddress");
    } else if (has_eip && call_param(call, "EipInstanceId") != NULL) {
        invalid(call, "EipInstanceId");
    } else if (!has_eip && call_param(call, "EipBandwidth") != NULL) {
        invalid(call, "EipBandwidth");
    }
}

static void check_hosts(struct call *call)
{
    struct in6_addr address;
    for (const struct node *host = tree_list(call->params, "HostAliase"); host != NULL;
         host = host->next) {
        const char *ip = tree_text(host, "Ip");
        if (ip == NULL || tree_list(host, "Hostname") == NULL ||
            (inet_pton(AF_INET, ip, &address) != 1 && inet_pton(AF_INET6, ip, &address) != 1)) {
            invalid(call, "HostAliase");
            return;
        }
    }
    for (const struct node *server = tree_list(call->params, "DnsConfig.NameServer");
         server != NULL; server = server->next) {
        if (server->value == NULL || (inet_pton(AF_INET, server->value, &address) != 1 &&
                                      inet_pton(AF_INET6, server->value, &address) != 1)) {
            invalid(call, "DnsConfig.NameServer");
            return;
        }
    }
    if (tree_count(call->params, "DnsConfig.Search") > 32) {
        call_fail(call, CODE_EXCEEDED, "DnsConfig.Search: more than 32 domains.");
    }
    if (tree_count(call->params, "NtpServer") > 21) {
        call_fail(call, CODE_EXCEEDED, "NtpServer: more than 21 servers.");
    }
}

static void check_images(struct call *call)
{
    const char *cache = call_param(call, "ImageSnapshotId");
    if (tree_count(call->params, "ImageRegistryCredential") > 11) {
        call_fail(call, CODE_EXCEEDED, "ImageRegistryCredential: more than 11.");
    }
    for (const struct node *item = tree_list(call->params, "ImageRegistryCredential"); item != NULL;
         item = item->next) {
        const char *server = tree_text(item, "Server");
        if (server == NULL || strstr(server, "://") != NULL || server[0] == '\0') {
            invalid(call, "ImageRegistryCredential.Server");
        }
    }
    for (const struct node *item = tree_list(call->params, "AcrRegistryInfo"); item != NULL;
         item = item->next) {
        if (tree_text(item, "InstanceId") == NULL) {
            invalid(call, "AcrRegistryInfo.InstanceId");
        }
    }
    if (cache != NULL && cache_status(cache) == NULL) {
        call_fail(call, CODE_CACHE_NOT_FOUND, NULL);
    } else if (cache != NULL && !text_is(cache_status(cache), "Ready")) {
        call_fail(call, CODE_CACHE_STATUS, NULL);
    }
}

static void check_rest(struct call *call)
{
    const char *token = call_param(call, "ClientToken");
    if (text_starts(call_param(call, "CorePattern"), "|")) {
        invalid(call, "CorePattern");
    }
    for (const char *at = token; at != NULL && *at != '\0'; at++) {
        if (*at < 0x20 || *at > 0x7e || at - token >= 64) {
            invalid(call, "ClientToken");
            return;
        }
    }
}

void check_tags(struct call *call)
{
    const struct node *first = tree_list(call->params, "Tag");
    if (tree_count(call->params, "Tag") > 20) {
        call_fail(call, CODE_EXCEEDED, "Tag: more than 20.");
    }
    for (const struct node *tag = first; tag != NULL; tag = tag->next) {
        const char *key = tree_text(tag, "Key");
        const char *value = tree_text(tag, "Value");
        value = value == NULL ? "" : value;
        bool is_good = key != NULL && key[0] != '\0' && strlen(key) <= 64 && strlen(value) <= 128 &&
                       !text_starts(key, "acs:") && !text_starts(key, "aliyun") &&
                       !text_starts(value, "acs:") && strstr(key, "http://") == NULL &&
                       strstr(key, "https://") == NULL && strstr(value, "http://") == NULL &&
                       strstr(value, "https://") == NULL;
        for (const struct node *other = first; is_good && other != tag; other = other->next) {
            is_good = !text_is(tree_text(other, "Key"), key);
        }
        if (!is_good) {
            call_fail(call, CODE_INVALID, "The specified parameter Tag.%s is not valid.",
                      tag->name);
            return;
        }
    }
}

/* ---- size ------------------------------------------------------------------------------------ */

static bool size_from_types(struct call *call, const char *types, struct size *wish)
{
    char *copy = arena_copy(&call->arena, types, strlen(types));
    bool is_first = true;
    for (char *rest = NULL, *type = strtok_r(copy, ", ", &rest); type != NULL;
         type = strtok_r(NULL, ", ", &rest)) {
        struct size size;
        if (!size_of_type(type, &size)) {
            return false;
        }
        *wish = is_first ? size : *wish;
        is_first = false;
    }
    return !is_first && check_item_count(types) <= 5;
}

bool check_size(struct call *call, struct size *wish, struct size *size)
{
    const char *types = call_param(call, "InstanceType");
    struct size containers = size_of_containers(call->params);
    struct size instance = {tree_number(call->params, "Cpu", 0),
                            tree_number(call->params, "Memory", 0)};
    bool has_instance = instance.cpu > 0 || instance.memory > 0;
    if (types != NULL) {
        if (!size_from_types(call, types, wish)) {
            invalid(call, "InstanceType");
            return false;
        }
        *size = *wish;
        if (text_starts(types, "ecs.")) {
            return true;
        }
    } else if (has_instance) {
        *wish = instance;
        if (containers.cpu > instance.cpu + 1e-9 || containers.memory > instance.memory + 1e-9) {
            call_fail(call, CODE_CPU_MEMORY, "The containers ask for more than the instance has.");
            return false;
        }
    } else {
        *wish = containers;
    }
    if (wish->cpu == 0 && wish->memory == 0) {
        *wish = (struct size){2, 4};
    }
    if (!size_round(settings.region, is_spot(call), *wish, size)) {
        call_fail(call, CODE_CPU_MEMORY, "%g vCPU with %g GiB is not sold.", wish->cpu,
                  wish->memory);
        return false;
    }
    return true;
}

/* ---- all of it ------------------------------------------------------------------------------- */

void check_create(struct call *call)
{
    static void (*const checks[])(struct call *) = {
        check_name, check_rules, check_spot,   check_category, check_network,
        check_hosts, check_images, check_rest, check_tags,     check_volumes,
    };
    for (size_t at = 0; at < sizeof checks / sizeof checks[0] && call->code == CODE_NONE; at++) {
        checks[at](call);
    }
    if (call->code == CODE_NONE) {
        check_containers(call, false);
    }
    const char *wanted = call_param(call, "PrivateIpAddress");
    if (call->code == CODE_NONE && wanted != NULL && settings.subnet[0] != '\0' &&
        !stock_address_is_free(wanted)) {
        call_fail(call, CODE_IP_IN_USE, NULL);
    }
}
