/*
 * annotation_put.c - see annotation.h: values become parameters.
 *
 * First the relations between annotations (a table), then each row by its own writer, or by the
 * plain one: the parameter's name ends in ".N" for one per item, else the text is the value.
 */
#include "spec/annotation.h"

#include "base/check.h"
#include "spec/annotation_form.h"
#include "spec/pod_to_eci.h"

struct putting {
    struct annotations asked; /* a copy: what is not sent is taken out */
    const struct spec_config *config;
    struct params *params;
    struct spec_verdict *verdict;
};

typedef void put_row(struct putting *to, const struct annotation_row *row,
                     const struct annotation_value *value);

static void judge_relations(struct putting *to);
static void judge_places(struct putting *to);
static put_row put_plain, put_vswitch, put_ipv6, put_acr, put_acr_arn, put_storage, put_hosts,
    put_dns, put_sysctls, put_tags, put_nothing;

/* Rows that are not plain. */
static put_row *const writers[ANNOTATION_COUNT] = {
    [ANNOTATION_USE_SPECS] = put_nothing, /* annotations_size */
    [ANNOTATION_INSTANCE_FAMILY] = put_nothing,
    [ANNOTATION_INSTANCE_GENERATION] = put_nothing,
    [ANNOTATION_VSWITCH] = put_vswitch,
    [ANNOTATION_IPV6] = put_ipv6,
    [ANNOTATION_ACR] = put_acr,
    [ANNOTATION_ACR_SERVICE_ARN] = put_acr_arn,
    [ANNOTATION_ACR_USER_ARN] = put_acr_arn,
    [ANNOTATION_EXTRA_STORAGE] = put_storage,
    [ANNOTATION_CUSTOM_HOSTS] = put_hosts,
    [ANNOTATION_CUSTOM_DNS] = put_dns,
    [ANNOTATION_HOST_SYSCTLS] = put_sysctls,
    [ANNOTATION_CUSTOM_TAGS] = put_tags,
};

enum relation_kind {
    NEEDS,    /* without the other it means nothing: left out, with a warning */
    REQUIRES, /* without the other the cloud refuses the request: refused */
    EXCLUDES, /* both together are refused by the cloud */
    YIELDS    /* the other counts more: left out, documented in its row */
};

static const struct relation {
    enum annotation one;
    enum relation_kind kind;
    enum annotation other;
} relations[] = {
    {ANNOTATION_SPOT_PRICE, NEEDS, ANNOTATION_SPOT_STRATEGY},
    {ANNOTATION_SPOT_DURATION, NEEDS, ANNOTATION_SPOT_STRATEGY},
    {ANNOTATION_EIP_ID, EXCLUDES, ANNOTATION_EIP_AUTO},
    {ANNOTATION_EIP_BANDWIDTH, NEEDS, ANNOTATION_EIP_AUTO},
    {ANNOTATION_EIP_PACKAGE, NEEDS, ANNOTATION_EIP_AUTO},
    {ANNOTATION_EIP_ISP, NEEDS, ANNOTATION_EIP_AUTO},
    {ANNOTATION_IPV6_INTERNET, NEEDS, ANNOTATION_IPV6},
    {ANNOTATION_IPV6_BANDWIDTH, NEEDS, ANNOTATION_IPV6_INTERNET},
    {ANNOTATION_FIXED_IP_HOURS, NEEDS, ANNOTATION_FIXED_IP},
    {ANNOTATION_AUTO_CACHE, YIELDS, ANNOTATION_IMAGE_CACHE},
    {ANNOTATION_ACR_SERVICE_ARN, REQUIRES, ANNOTATION_ACR},
    {ANNOTATION_ACR_USER_ARN, REQUIRES, ANNOTATION_ACR},
    {ANNOTATION_DATA_CACHE_LEVEL, NEEDS, ANNOTATION_DATA_CACHE},
    {ANNOTATION_DATA_CACHE_IOPS, NEEDS, ANNOTATION_DATA_CACHE},
    {ANNOTATION_DATA_CACHE_BURST, NEEDS, ANNOTATION_DATA_CACHE},
    {ANNOTATION_COMPUTE_CATEGORY, EXCLUDES, ANNOTATION_SPOT_STRATEGY},
    {ANNOTATION_COMPUTE_CATEGORY, EXCLUDES, ANNOTATION_INSTANCE_FAMILY},
    {ANNOTATION_COMPUTE_CATEGORY, EXCLUDES, ANNOTATION_INSTANCE_GENERATION},
};

void annotations_put(const struct annotations *asked, const struct spec_config *config,
                     struct params *params, struct spec_verdict *verdict)
{
    struct putting to = {*asked, config, params, verdict};

    to.asked.values[ANNOTATION_SPOT_STRATEGY].is_set = annotations_has_spot(asked);
    judge_relations(&to);
    judge_places(&to);
    for (unsigned i = 0; i < ANNOTATION_COUNT; i++) {
        const struct annotation_row *row = annotation_row((enum annotation)i);
        if (row->fate == ANNOTATION_SENT && annotations_has(&to.asked, (enum annotation)i)) {
            put_row *put = writers[i] != NULL ? writers[i] : put_plain;
            put(&to, row, &to.asked.values[i]);
        }
    }
}

/* ---- what goes together ---------------------------------------------------------------------- */

static void judge_relation(struct putting *to, const struct relation *relation)
{
    struct annotation_value *one = &to->asked.values[relation->one];
    const char *other = annotation_row(relation->other)->key;
    bool has_other = annotations_has(&to->asked, relation->other);

    if (!annotations_has(&to->asked, relation->one)) {
        return;
    }
    switch (relation->kind) {
    case NEEDS:
        if (!has_other) {
            verdict_warn(to->verdict, one->where, "means nothing without %s, ignored", other);
            one->is_set = false;
        }
        break;
    case REQUIRES:
        if (!has_other) {
            verdict_refuse(to->verdict, SPEC_NEVER, one->where,
                           "\"%.*s\" is allowed only together with %s", STR_ARG(one->text), other);
        }
        break;
    case EXCLUDES:
        if (has_other) {
            verdict_refuse(to->verdict, SPEC_NEVER, one->where,
                           "\"%.*s\" is not allowed together with %s", STR_ARG(one->text), other);
        }
        break;
    case YIELDS:
        one->is_set = !has_other;
        break;
    }
}

/* The price is for one strategy only, and that cannot do without it. */
static void judge_price(struct putting *to)
{
    struct annotation_value *strategy = &to->asked.values[ANNOTATION_SPOT_STRATEGY];
    struct annotation_value *price = &to->asked.values[ANNOTATION_SPOT_PRICE];
    bool is_limited = str_eq(strategy->text, S("SpotWithPriceLimit"));

    if (strategy->is_set && is_limited && !price->is_set) {
        verdict_refuse(to->verdict, SPEC_NEVER, strategy->where,
                       "\"SpotWithPriceLimit\" is allowed only together with %s",
                       annotation_row(ANNOTATION_SPOT_PRICE)->key);
    } else if (strategy->is_set && !is_limited && price->is_set) {
        verdict_warn(to->verdict, price->where,
                     "means nothing without SpotWithPriceLimit, ignored");
        price->is_set = false;
    }
}

static bool has_types(const struct annotation_value *specs)
{
    struct sizing size;
    return specs->is_set && (specs->number > 1 || !annotation_spec_size(specs->text, &size));
}

static void judge_relations(struct putting *to)
{
    const struct annotation_value *specs = &to->asked.values[ANNOTATION_USE_SPECS];
    static const enum annotation untyped[] = {
        ANNOTATION_INSTANCE_FAMILY, ANNOTATION_INSTANCE_GENERATION, ANNOTATION_COMPUTE_CATEGORY};

    for (size_t i = 0; i < sizeof(relations) / sizeof(relations[0]); i++) {
        judge_relation(to, &relations[i]);
    }
    judge_price(to);
    for (size_t i = 0; i < sizeof(untyped) / sizeof(untyped[0]) && has_types(specs); i++) {
        const struct annotation_value *one = &to->asked.values[untyped[i]];
        if (one->is_set) {
            verdict_refuse(to->verdict, SPEC_NEVER, one->where,
                           "\"%.*s\" is not allowed together with several sizes or ECS types in %s",
                           STR_ARG(one->text), annotation_row(ANNOTATION_USE_SPECS)->key);
        }
    }
}

/* An address needs a network to be of. */
static void judge_places(struct putting *to)
{
    static const enum annotation placed[] = {ANNOTATION_PRIVATE_IP, ANNOTATION_FIXED_IP};
    bool has_place = !str_is_empty(params_find(to->params, S("VSwitchId"))) ||
                     to->asked.values[ANNOTATION_VSWITCH].is_set;
    bool has_group = !str_is_empty(params_find(to->params, S("SecurityGroupId"))) ||
                     to->asked.values[ANNOTATION_SECURITY_GROUP].is_set;

    for (size_t i = 0; i < sizeof(placed) / sizeof(placed[0]); i++) {
        const struct annotation_value *one = &to->asked.values[placed[i]];
        if (annotations_has(&to->asked, placed[i]) && !(has_place && has_group)) {
            verdict_refuse(to->verdict, SPEC_NEVER, one->where,
                           "\"%.*s\" is allowed only with a vSwitch and a security group",
                           STR_ARG(one->text));
        }
    }
}

/* ---- writers --------------------------------------------------------------------------------- */

static str first_word(const char *parameters)
{
    str rest = str_of(parameters), word = STR_NONE;
    (void)str_cut(&rest, ' ', &word);
    return word;
}

static void put_plain(struct putting *to, const struct annotation_row *row,
                      const struct annotation_value *value)
{
    str name = first_word(row->parameters), rest = value->text, item;
    uint32_t number = 0;

    CHECK(name.bytes > 0);
    if (str_ends(name, S(".N"))) {
        name.bytes -= 2;
        while (str_cut(&rest, ',', &item)) {
            params_add_at(to->params, item, "%.*s.%u", STR_ARG(name), ++number);
        }
    } else if (row->form == ANNOTATION_FORM_FLAG) {
        params_set(to->params, name, S("true"));
    } else if (row->form == ANNOTATION_FORM_RATE || row->form == ANNOTATION_FORM_NUMBER ||
               row->form == ANNOTATION_FORM_MBPS) {
        params_set(to->params, name,
                   arena_fmt(to->params->arena, "%lld", (long long)value->number));
    } else {
        params_set(to->params, name, value->text);
    }
}

static void put_nothing(struct putting *to, const struct annotation_row *row,
                        const struct annotation_value *value)
{
    (void)to, (void)row, (void)value;
}

/* The node's zone is that of the node's vSwitches. */
static void put_vswitch(struct putting *to, const struct annotation_row *row,
                        const struct annotation_value *value)
{
    params_drop(to->params, S("ZoneId"));
    put_plain(to, row, value);
}

static void put_ipv6(struct putting *to, const struct annotation_row *row,
                     const struct annotation_value *value)
{
    (void)value;
    params_set(to->params, first_word(row->parameters), S("1"));
}

/* Containers may have asked for more than the annotation. */
static void put_storage(struct putting *to, const struct annotation_row *row,
                        const struct annotation_value *value)
{
    str name = first_word(row->parameters);
    int64_t there = 0;

    if (!str_to_i64(params_find(to->params, name), &there) || there < value->number) {
        params_set(to->params, name,
                   arena_fmt(to->params->arena, "%lld", (long long)value->number));
    }
}

static void put_acr(struct putting *to, const struct annotation_row *row,
                    const struct annotation_value *value)
{
    str rest = value->text, item, region;
    uint32_t number = 0;
    (void)row;
    while (str_cut(&rest, ',', &item)) {
        number++;
        region = STR_NONE;
        if (str_find_char(item, ':') >= 0) {
            (void)str_cut(&item, ':', &region);
        }
        params_add_at(to->params, item, "AcrRegistryInfo.%u.InstanceId", number);
        params_add_at(to->params, str_is_empty(region) ? to->config->region_id : region,
                      "AcrRegistryInfo.%u.RegionId", number);
    }
}

/* One role for all registries, or one for each. */
static void put_acr_arn(struct putting *to, const struct annotation_row *row,
                        const struct annotation_value *value)
{
    int64_t registries = to->asked.values[ANNOTATION_ACR].number;
    str rest = value->text, arn = STR_NONE;
    str member = str_sub(str_of(row->parameters), sizeof("AcrRegistryInfo.N.") - 1, SIZE_MAX);

    if (value->number != 1 && value->number != registries) {
        verdict_refuse(to->verdict, SPEC_NEVER, value->where,
                       "\"%.*s\" is not allowed: must be one role, or one for each of %s",
                       STR_ARG(value->text), annotation_row(ANNOTATION_ACR)->key);
        return;
    }
    for (uint32_t i = 1; i <= registries; i++) {
        (void)str_cut(&rest, ',', &arn); /* the last one stays */
        params_add_at(to->params, arn, "AcrRegistryInfo.%u.%.*s", i, STR_ARG(member));
    }
}

/* The first number at which a list of the request has nothing yet. */
static uint32_t next_number(const struct params *params, const char *list, const char *member)
{
    char memory[64];
    struct buf name;
    uint32_t number = 0;
    do {
        number++;
        buf_init(&name, memory, sizeof(memory));
        buf_put_fmt(&name, "%s.%u.%s", list, number, member);
    } while (params_find(params, buf_str(&name)).ptr != NULL);
    return number;
}

static void put_hosts(struct putting *to, const struct annotation_row *row,
                      const struct annotation_value *value)
{
    struct arena *arena = to->params->arena;
    uint32_t number = next_number(to->params, "HostAliase", "Ip");
    (void)row;
    for (json one = json_first(value->root); json_is_there(one); one = json_next(one), number++) {
        params_add_at(to->params, json_text(json_get(one, "ip"), arena), "HostAliase.%u.Ip",
                      number);
        params_add_at(to->params, json_text(json_get(one, "host"), arena),
                      "HostAliase.%u.Hostname.1", number);
    }
}

static void put_sysctls(struct putting *to, const struct annotation_row *row,
                        const struct annotation_value *value)
{
    struct arena *arena = to->params->arena;
    uint32_t number = next_number(to->params, "HostSecurityContext.Sysctl", "Name");
    (void)row;
    for (json one = json_first(value->root); json_is_there(one); one = json_next(one), number++) {
        params_add_at(to->params, json_text(json_get(one, "name"), arena),
                      "HostSecurityContext.Sysctl.%u.Name", number);
        params_add_at(to->params, json_text(json_get(one, "value"), arena),
                      "HostSecurityContext.Sysctl.%u.Value", number);
    }
}

static void put_tags(struct putting *to, const struct annotation_row *row,
                     const struct annotation_value *value)
{
    uint32_t number = next_number(to->params, "Tag", "Key");
    str rest = value->text, item, key;
    (void)row;
    while (str_cut(&rest, ',', &item)) {
        (void)str_cut(&item, ':', &key);
        params_add_at(to->params, str_trim(key), "Tag.%u.Key", number);
        params_add_at(to->params, str_trim(item), "Tag.%u.Value", number++);
    }
}

/* Items of one member of the DNS settings; what exceeds the limit is not used, and said. */
static void put_dns_list(struct putting *to, const struct annotation_value *value, const char *key,
                         const char *list, uint32_t count_max)
{
    str rest = json_text(json_get(value->root, key), to->params->arena), item;
    uint32_t number = 0;
    while (str_cut(&rest, ',', &item)) {
        if (number == count_max) {
            verdict_warn(to->verdict, value->where, "only the first %u %s are used", count_max,
                         key);
            return;
        }
        params_add_at(to->params, str_trim(item), "DnsConfig.%s.%u", list, ++number);
    }
}

static void put_dns(struct putting *to, const struct annotation_row *row,
                    const struct annotation_value *value)
{
    str rest = json_text(json_get(value->root, "options"), to->params->arena), option, name;
    uint32_t number = 0;
    (void)row;
    params_drop(to->params, S("DnsPolicy"));
    params_drop(to->params, S("DnsConfig."));
    params_add(to->params, S("DnsPolicy"), S("None"));
    put_dns_list(to, value, "nameservers", "NameServer", ANNOTATION_NAME_SERVERS_MAX);
    put_dns_list(to, value, "searches", "Search", ANNOTATION_SEARCHES_MAX);
    while (str_cut(&rest, ',', &option)) {
        option = str_trim(option);
        bool has_value = str_find_char(option, ':') >= 0;
        (void)str_cut(&option, ':', &name);
        params_add_at(to->params, name, "DnsConfig.Option.%u.Name", ++number);
        if (has_value) {
            params_add_at(to->params, option, "DnsConfig.Option.%u.Value", number);
        }
    }
}
