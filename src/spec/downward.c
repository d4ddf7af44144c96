/* downward.c - see downward.h */
#include "spec/downward.h"

#include "spec/pod_fields.h"
#include "spec/pod_to_eci.h"
#include "spec/quantity.h"
#include "spec/ref_read.h"

#define TEXT_BYTES_SHOWN 100
#define MILLI 1000
#define PAIRS_MAX 2000 /* labels or annotations in a file; it would be larger than a file may be \
                        */

/* Labels or annotations: the pod's own, and behind them what the profile's effects add. */
struct marks {
    json own;
    const struct spec_pair *more;
    uint32_t more_count;
};

static bool read_subscript(str field, str prefix, str *key);
static bool read_plain(struct spec_read *read, str field, str *out);
static bool read_address(struct spec_read *read, str field, str path, str *out, bool *is_pod_ip);
static str one_mark(struct spec_read *read, struct marks marks, str key);
static str all_pairs(struct spec_read *read, struct marks marks);
static const struct spec_container *named_container(struct spec_read *read, str name);
static bool resource_amount(struct spec_read *read, const struct spec_container *of, str resource,
                            int64_t *milli, bool *is_cpu);

static struct marks labels_of(const struct spec_read *read)
{
    return (struct marks){read->pod->labels, read->config->effect_labels,
                          read->config->effect_labels_count};
}

static struct marks annotations_of(const struct spec_read *read)
{
    return (struct marks){read->pod->annotations, read->config->effects,
                          read->config->effects_count};
}

bool downward_field(struct spec_read *read, json reference, str path, str *out, bool *is_pod_ip)
{
    str field = spec_read_text(read, reference, "fieldPath", path), key;

    fields_check(FIELD_SCOPE_POD_FIELD, reference, path, read->verdict);
    if (read_subscript(field, S("metadata.labels"), &key)) {
        *out = one_mark(read, labels_of(read), key);
        return true;
    }
    if (read_subscript(field, S("metadata.annotations"), &key)) {
        *out = one_mark(read, annotations_of(read), key);
        return true;
    }
    if (is_pod_ip == NULL && str_eq(field, S("metadata.labels"))) {
        *out = all_pairs(read, labels_of(read));
        return true;
    }
    if (is_pod_ip == NULL && str_eq(field, S("metadata.annotations"))) {
        *out = all_pairs(read, annotations_of(read));
        return true;
    }
    if (read_plain(read, field, out) && (is_pod_ip != NULL || str_starts(field, S("metadata.")))) {
        return true;
    }
    return read_address(read, field, path, out, is_pod_ip);
}

static str one_mark(struct spec_read *read, struct marks marks, str key)
{
    json own = ref_member(marks.own, key, read->arena);
    for (uint32_t i = 0; !json_is_there(own) && i < marks.more_count; i++) {
        if (str_eq(marks.more[i].key, key)) {
            return marks.more[i].value;
        }
    }
    return json_text(own, read->arena);
}

/* metadata.labels['key'] */
static bool read_subscript(str field, str prefix, str *key)
{
    str rest = str_sub(field, prefix.bytes, field.bytes);

    if (!str_starts(field, prefix) || !str_starts(rest, S("['")) || !str_ends(rest, S("']")) ||
        rest.bytes < 4) {
        return false;
    }
    *key = str_sub(rest, 2, rest.bytes - 4);
    return true;
}

static bool read_plain(struct spec_read *read, str field, str *out)
{
    const struct pod_facts *facts = &read->pod->facts;
    const struct {
        str field;
        str value;
    } plain[] = {
        {S("metadata.name"), facts->name},
        {S("metadata.namespace"), facts->name_space},
        {S("metadata.uid"), facts->uid},
        {S("spec.nodeName"),
         str_is_empty(facts->node_name) ? read->config->node_name : facts->node_name},
        {S("spec.serviceAccountName"), read->account},
    };

    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (str_eq(field, plain[i].field)) {
            *out = plain[i].value;
            return true;
        }
    }
    return false;
}

static bool read_address(struct spec_read *read, str field, str path, str *out, bool *is_pod_ip)
{
    bool is_host = str_eq(field, S("status.hostIP")) || str_eq(field, S("status.hostIPs"));
    bool is_pod = str_eq(field, S("status.podIP")) || str_eq(field, S("status.podIPs"));

    if (is_pod_ip != NULL && is_pod) {
        *is_pod_ip = true;
        *out = STR_NONE;
        return true;
    }
    if (is_pod_ip == NULL || !is_host) {
        verdict_refuse(read->verdict, SPEC_NEVER, path, "the field \"%.*s\" cannot be had here",
                       STR_ARG(str_sub(field, 0, TEXT_BYTES_SHOWN)));
        return false;
    }
    if (str_is_empty(read->config->node_address)) {
        verdict_refuse(read->verdict, SPEC_WAIT, path,
                       "the node has no address; its configuration names none");
        return false;
    }
    *out = read->config->node_address;
    return true;
}

/* Go's %q, for what is not printed as it is. */
static void put_quoted(struct buf *out, str text)
{
    static const char named[] = "\a\b\f\n\r\t\v\\\"", letters[] = "abfnrtv\\\"";

    buf_put_char(out, '"');
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.ptr[i];
        const char *name = c != '\0' ? strchr(named, c) : NULL;
        if (name != NULL) {
            buf_put_char(out, '\\');
            buf_put_char(out, letters[name - named]);
        } else if ((unsigned char)c < ' ' || c == 0x7f) {
            buf_put_fmt(out, "\\x%02x", (unsigned)c);
        } else {
            buf_put_char(out, c);
        }
    }
    buf_put_char(out, '"');
}

static void insert_pair(struct spec_setting *pairs, uint32_t count, str name, str value)
{
    uint32_t at = count;
    for (; at > 0 && str_cmp(pairs[at - 1].name, name) > 0; at--) {
        pairs[at] = pairs[at - 1];
    }
    pairs[at] = (struct spec_setting){name, value, false};
}

/* FormatMap: sorted by key. */
static str all_pairs(struct spec_read *read, struct marks marks)
{
    struct buf text;
    size_t bytes = 0;
    uint32_t count = 0;
    uint32_t own = json_type(marks.own) == JSON_TYPE_OBJECT ? json_count(marks.own) : 0;
    uint32_t most = own + marks.more_count;
    most = most < PAIRS_MAX ? most : PAIRS_MAX;
    struct spec_setting *pairs =
        most > 0 ? ARENA_ARRAY(read->arena, most, struct spec_setting) : NULL;

    if (pairs == NULL) {
        return STR_NONE;
    }
    for (json one = json_first(marks.own); count < own && count < most; one = json_next(one)) {
        insert_pair(pairs, count++, json_key(one, read->arena), json_text(one, read->arena));
    }
    for (uint32_t i = 0; count < most; i++) {
        insert_pair(pairs, count++, marks.more[i].key, marks.more[i].value);
    }
    char *room = arena_rest(read->arena, &bytes);
    buf_init(&text, room, bytes);
    for (uint32_t i = 0; i < count; i++) {
        buf_put_text(&text, i > 0 ? "\n" : "");
        buf_put(&text, pairs[i].name);
        buf_put_char(&text, '=');
        put_quoted(&text, pairs[i].value);
    }
    read->arena->has_failed |= !buf_ok(&text);
    arena_keep(read->arena, text.bytes);
    return buf_str(&text);
}

bool downward_resource(struct spec_read *read, json reference, const struct spec_container *own,
                       str path, str *out)
{
    str name = spec_read_text(read, reference, "containerName", path);
    str resource = spec_read_text(read, reference, "resource", path);
    json divisor_json = json_get(reference, "divisor");
    bool is_number = json_type(divisor_json) == JSON_TYPE_NUMBER;
    str divisor_text = is_number ? json_raw(divisor_json) : json_text(divisor_json, read->arena);
    int64_t divisor = MILLI, milli = 0;
    bool is_cpu = false;
    const struct spec_container *of = str_is_empty(name) ? own : named_container(read, name);

    fields_check(FIELD_SCOPE_RESOURCE_FIELD, reference, path, read->verdict);
    if (!str_is_empty(divisor_text) &&
        (quantity_parse_milli(divisor_text, &divisor) != ERR_OK || divisor < 0)) {
        verdict_refuse(read->verdict, SPEC_NEVER, path, "its divisor is not a quantity");
        return false;
    }
    if (of == NULL) {
        verdict_refuse(read->verdict, SPEC_NEVER, path, "there is no container \"%.*s\"",
                       STR_ARG(str_sub(name, 0, TEXT_BYTES_SHOWN)));
        return false;
    }
    if (!resource_amount(read, of, resource, &milli, &is_cpu)) {
        verdict_refuse(read->verdict, SPEC_NEVER, path, "\"%.*s\" cannot be had here",
                       STR_ARG(str_sub(resource, 0, TEXT_BYTES_SHOWN)));
        return false;
    }
    divisor = divisor == 0 ? MILLI : divisor;
    if (!is_cpu) { /* Quantity.Value(): whole bytes, rounded up */
        milli = milli / MILLI + (milli % MILLI > 0);
        divisor = divisor / MILLI + (divisor % MILLI > 0);
    }
    *out = arena_fmt(read->arena, "%lld", (long long)(milli / divisor + (milli % divisor > 0)));
    return true;
}

static const struct spec_container *named_container(struct spec_read *read, str name)
{
    const struct spec_container *const lists[] = {read->pod->containers,
                                                  read->pod->init_containers};
    const uint32_t counts[] = {read->pod->containers_count, read->pod->init_containers_count};

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (uint32_t k = 0; k < counts[i]; k++) {
            if (str_eq(lists[i][k].name, name)) {
                return &lists[i][k];
            }
        }
    }
    return NULL;
}

static bool resource_amount(struct spec_read *read, const struct spec_container *of, str resource,
                            int64_t *milli, bool *is_cpu)
{
    const struct {
        const char *name;
        const struct spec_amount *amount;
        int64_t whole; /* what the instance has, in thousandths */
    } resources[] = {
        {"cpu", &of->cpu, read->instance.cpu_milli},
        {"memory", &of->memory, read->instance.memory_bytes * MILLI},
        {"ephemeral-storage", &of->ephemeral, (int64_t)ECI_EPHEMERAL_FREE_GIB * SIZING_GIB * MILLI},
    };
    bool is_limit = str_starts(resource, S("limits."));
    str name = str_sub(resource, is_limit ? 7 : 9, resource.bytes);

    if (!is_limit && !str_starts(resource, S("requests."))) {
        return false;
    }
    for (size_t i = 0; i < sizeof resources / sizeof resources[0]; i++) {
        const struct spec_amount *amount = resources[i].amount;
        if (!str_eq(name, str_of(resources[i].name))) {
            continue;
        }
        *is_cpu = i == 0;
        if (is_limit) {
            *milli = amount->has_limit ? amount->limit_milli : resources[i].whole;
        } else {
            *milli = amount->has_request ? amount->request_milli : amount->limit_milli;
        }
        return true;
    }
    return false;
}
