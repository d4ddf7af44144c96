/* see profile.h */
#include "spec/profile_parts.h"

#include <stdio.h>

#include "base/check.h"

/* ---- the keys of the ConfigMap --------------------------------------------------------------- */

enum key_kind {
    KEY_BOOL,      /* "true", "false"; nothing: not given */
    KEY_ID,        /* one id of the cloud, or nothing */
    KEY_IDS,       /* several, with commas between */
    KEY_SELECTORS, /* JSON */
    KEY_KNOWN,     /* of newer virtual kubelets of the vendor: accepted, not used */
};

#define FIELD(name) .at = offsetof(struct profile, name)
#define FLAG(name) FIELD(enable_##name), .given_at = offsetof(struct profile, has_##name)

static const struct key {
    const char *name;
    enum key_kind kind;
    size_t at, given_at;
    const char *if_true, *if_false; /* KEY_BOOL: a remark about this value */
} keys[] = {
    {"enableClusterIp", KEY_BOOL, FLAG(cluster_ip),
     .if_true = "has no effect yet: instances do not reach ClusterIP services"},
    {"enableHybridMode", KEY_BOOL, FLAG(hybrid_mode),
     .if_false = "has no effect: instances of this node never speak to the API server"},
    {"enablePrivateZone", KEY_BOOL, FLAG(private_zone), .if_true = "has no effect yet"},
    {"resourceGroupId", KEY_ID, FIELD(resource_group_id)},
    {"securityGroupId", KEY_ID, FIELD(security_group_id)},
    {"vpcId", KEY_ID, FIELD(vpc_id)},
    /* The seed has both spellings; the first one counts when both are given. */
    {"vSwitchIds", KEY_IDS, FIELD(vswitch_ids)},
    {"vswitchIds", KEY_IDS, FIELD(vswitch_ids)},
    {.name = "selectors", .kind = KEY_SELECTORS},
    {.name = "enableLinuxArm64Node", .kind = KEY_KNOWN},
    {.name = "enableLogController", .kind = KEY_KNOWN},
    {.name = "enablePVCController", .kind = KEY_KNOWN},
    {.name = "enableReuseSSLKey", .kind = KEY_KNOWN},
    {.name = "featureGates", .kind = KEY_KNOWN},
    {.name = "slsMachineGroup", .kind = KEY_KNOWN},
};

#undef FIELD
#undef FLAG
#define KEYS_COUNT (sizeof(keys) / sizeof(keys[0]))
#define TYPO_DISTANCE 2
#define LEFT_OUT_BYTES 64 /* kept free for the line that says how many had no room */

static void profile_reset(struct profile *out);
static enum err read_key(struct profile_reader *reader, const struct key *key, str text);
static void warn_unknown(struct profile_reader *reader, str name);
static void tell_left_out(struct profile_reader *reader);

void profile_init(struct profile *out)
{
    profile_reset(out);
    profile_default_selectors(out);
}

enum err profile_read(json data, struct arena *arena, struct profile *out,
                      struct profile_fault *fault, struct buf *warnings)
{
    struct profile_reader reader = {
        .out = out, .fault = fault, .warnings = warnings, .arena = arena};
    *fault = (struct profile_fault){.what = ""};
    profile_reset(out);
    if (json_is_there(data) && !json_is_null(data) && json_type(data) != JSON_TYPE_OBJECT) {
        return profile_bad(&reader, JSON_NONE, "data is not an object");
    }
    /* In the order of the table, so that which of two spellings counts does not depend on theirs.
     */
    for (size_t i = 0; i < KEYS_COUNT; i++) {
        json value = json_get(data, keys[i].name);
        if (!json_is_there(value)) {
            continue;
        }
        if (json_type(value) != JSON_TYPE_STRING) {
            return profile_bad(&reader, JSON_NONE, "%s: not a text; %s", keys[i].name,
                               keys[i].kind == KEY_SELECTORS ? "write \"selectors: |\" above it"
                                                             : "put it in quotes");
        }
        enum err err = read_key(&reader, &keys[i], json_text(value, arena));
        if (err != ERR_OK) {
            return err;
        }
    }
    for (json x = json_first(data); json_is_there(x); x = json_next(x)) {
        warn_unknown(&reader, json_key(x, arena));
    }
    tell_left_out(&reader);
    if (out->selectors_count == 0) {
        profile_default_selectors(out);
    }
    return arena->has_failed ? ERR_FULL : ERR_OK;
}

static void profile_reset(struct profile *out)
{
    out->vpc_id = out->security_group_id = out->resource_group_id = out->vswitch_ids = STR_NONE;
    out->enable_cluster_ip = out->enable_hybrid_mode = out->enable_private_zone = false;
    out->has_cluster_ip = out->has_hybrid_mode = out->has_private_zone = false;
    out->has_default_selectors = false;
    out->selectors_count = out->terms_count = out->values_count = out->pairs_count = 0;
    out->text_bytes = 0;
}

static void warn_unknown(struct profile_reader *reader, str name)
{
    const char *near = NULL;
    unsigned nearest = TYPO_DISTANCE + 1;
    for (size_t i = 0; i < KEYS_COUNT; i++) {
        if (str_eq(name, str_of(keys[i].name))) {
            return;
        }
        unsigned distance = str_distance(name, str_of(keys[i].name), TYPO_DISTANCE);
        if (distance < nearest) {
            near = keys[i].name;
            nearest = distance;
        }
    }
    profile_warn(reader, "%.*s: not a known key%s%s", STR_ARG(str_sub(name, 0, 64)),
                 near != NULL ? "; did you mean " : "", near != NULL ? near : "");
}

static enum err read_bool(struct profile_reader *reader, const struct key *key, str text)
{
    bool is_true = str_eq(text, S("true"));
    if (str_is_empty(text)) {
        return ERR_OK;
    }
    if (!is_true && !str_eq(text, S("false"))) {
        return profile_bad(reader, JSON_NONE, "%s: must be true or false", key->name);
    }
    *(bool *)((char *)reader->out + key->at) = is_true;
    *(bool *)((char *)reader->out + key->given_at) = true;
    const char *remark = is_true ? key->if_true : key->if_false;
    if (remark != NULL) {
        profile_warn(reader, "%s: %.*s %s", key->name, STR_ARG(text), remark);
    }
    return ERR_OK;
}

static bool is_id(str text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_letter && !(c >= '0' && c <= '9') && c != '-') {
            return false;
        }
    }
    return text.bytes > 0 && text.bytes <= PROFILE_ID_BYTES_MAX;
}

/* "a, b" becomes "a,b". */
static enum err read_ids(struct profile_reader *reader, const struct key *key, str text,
                         uint32_t count_max)
{
    char memory[PROFILE_VSWITCHES_MAX * (PROFILE_ID_BYTES_MAX + 1)];
    struct buf joined;
    str rest = text, piece;
    uint32_t count = 0;
    buf_init(&joined, memory, sizeof memory);
    while (str_cut(&rest, ',', &piece)) {
        piece = str_trim(piece);
        if (!is_id(piece)) {
            return profile_bad(reader, JSON_NONE,
                               "%s: \"%.*s\" is not an id: 1 to %d letters, digits and -",
                               key->name, STR_ARG(str_sub(piece, 0, 70)), PROFILE_ID_BYTES_MAX);
        }
        if (count == count_max) {
            return profile_bad(reader, JSON_NONE, "%s: more than %u", key->name, count_max);
        }
        buf_put(&joined, count > 0 ? S(",") : STR_NONE);
        buf_put(&joined, piece);
        count++;
    }
    return profile_keep(reader, buf_str(&joined), (str *)(void *)((char *)reader->out + key->at));
}

static enum err read_key(struct profile_reader *reader, const struct key *key, str text)
{
    if (key->kind != KEY_SELECTORS) {
        text = str_trim(text);
    }
    switch (key->kind) {
    case KEY_BOOL:
        return read_bool(reader, key, text);
    case KEY_ID:
        return read_ids(reader, key, text, 1);
    case KEY_IDS:
        if (!str_is_empty(reader->out->vswitch_ids)) {
            profile_warn(reader, "%s: vSwitchIds is given, too, and counts", key->name);
            return ERR_OK;
        }
        return read_ids(reader, key, text, PROFILE_VSWITCHES_MAX);
    case KEY_SELECTORS:
        return profile_read_selectors(reader, text);
    case KEY_KNOWN:
        if (!str_is_empty(text)) {
            profile_warn(reader, "%s: known, but this node has no use for it", key->name);
        }
        return ERR_OK;
    }
    return ERR_OK;
}

/* ---- for both files -------------------------------------------------------------------------- */

static void place_of(str text, const char *at, uint32_t *line, uint32_t *column)
{
    *line = 1;
    *column = 1;
    for (const char *p = text.ptr; p < at; p++) {
        *column = *p == '\n' ? 1 : *column + 1;
        *line += *p == '\n';
    }
}

enum err profile_bad(struct profile_reader *reader, json at, const char *format, ...)
{
    struct profile_fault *fault = reader->fault;
    struct buf out;
    va_list args;
    buf_init(&out, fault->what, sizeof fault->what);
    if (json_is_there(at)) {
        place_of(reader->json, json_raw(at).ptr, &fault->line, &fault->column);
        buf_put_fmt(&out, "selectors: line %u, column %u: ", fault->line, fault->column);
    }
    char sentence[PROFILE_WHAT_BYTES];
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    buf_put(&out, str_sub(str_of(sentence), 0, sizeof fault->what - out.bytes - 1));
    (void)buf_cstr(&out);
    return reader->arena->has_failed ? ERR_FULL
                                     : ERR_INVALID; /* a lost text looks like a bad one */
}

void profile_warn(struct profile_reader *reader, const char *format, ...)
{
    struct buf *out = reader->warnings, line;
    size_t room = 0;
    va_list args;
    if (out == NULL) {
        return;
    }
    char *at = buf_tail(out, &room);
    buf_init(&line, at, room > LEFT_OUT_BYTES ? room - LEFT_OUT_BYTES : 0);
    va_start(args, format);
    buf_put_vfmt(&line, format, args);
    va_end(args);
    buf_put_char(&line, '\n');
    if (buf_ok(&line) && reader->warnings_left_out == 0) {
        buf_grow(out, line.bytes);
    } else {
        reader->warnings_left_out++;
    }
}

static void tell_left_out(struct profile_reader *reader)
{
    if (reader->warnings_left_out > 0) {
        buf_put_fmt(reader->warnings, "and %u more remarks, which have no room here\n",
                    reader->warnings_left_out);
    }
}

enum err profile_keep(struct profile_reader *reader, str text, str *out)
{
    struct profile *to = reader->out;
    if (text.bytes > sizeof to->text - to->text_bytes) {
        return profile_bad(reader, JSON_NONE, "its texts have more than %d bytes together",
                           PROFILE_TEXT_BYTES);
    }
    char *copy = to->text + to->text_bytes;
    if (text.bytes > 0) {
        memcpy(copy, text.ptr, text.bytes);
    }
    to->text_bytes += text.bytes;
    *out = str_make(copy, text.bytes);
    return ERR_OK;
}

/* ---- for people ------------------------------------------------------------------------------ */

static void print_select(const char *name, const struct label_select *select, struct buf *out)
{
    for (uint32_t i = 0; i < select->terms_count; i++) {
        const struct label_term *term = &select->terms[i];
        buf_put_fmt(out, "     %s %.*s %s", name, STR_ARG(term->key), label_op_name(term->op));
        for (uint32_t v = 0; v < term->values_count; v++) {
            buf_put_fmt(out, "%s%.*s", v == 0 ? " " : ", ", STR_ARG(term->values[v]));
        }
        buf_put_char(out, '\n');
    }
}

static void print_pairs(const char *name, const struct profile_pairs *pairs, struct buf *out)
{
    for (uint32_t i = 0; i < pairs->count; i++) {
        buf_put_fmt(out, "     adds %s %.*s=%.*s\n", name, STR_ARG(pairs->items[i].key),
                    STR_ARG(pairs->items[i].value));
    }
}

static void print_key(const char *name, str value, struct buf *out)
{
    buf_put_fmt(out, "%-18s %.*s\n", name,
                STR_ARG(str_is_empty(value) ? S("(as configured)") : value));
}

static void print_flag(const char *name, bool is_given, bool is_on, struct buf *out)
{
    print_key(name, is_given ? (is_on ? S("true") : S("false")) : STR_NONE, out);
}

void profile_print(const struct profile *profile, struct buf *out)
{
    print_key("vpcId", profile->vpc_id, out);
    print_key("vSwitchIds", profile->vswitch_ids, out);
    print_key("securityGroupId", profile->security_group_id, out);
    print_key("resourceGroupId", profile->resource_group_id, out);
    print_flag("enableClusterIp", profile->has_cluster_ip, profile->enable_cluster_ip, out);
    print_flag("enableHybridMode", profile->has_hybrid_mode, profile->enable_hybrid_mode, out);
    print_flag("enablePrivateZone", profile->has_private_zone, profile->enable_private_zone, out);
    buf_put_fmt(out, "selectors          %s\n",
                profile->has_default_selectors ? "(none given: the defaults)" : "");
    for (uint32_t i = 0; i < profile->selectors_count; i++) {
        const struct profile_selector *one = &profile->selectors[i];
        buf_put_fmt(out, "  %u. %.*s: %s\n", i + 1, STR_ARG(one->name),
                    one->is_scheduling ? "to ECI go pods with"
                                       : "for every pod that goes to ECI anyway");
        print_select("namespace label", &one->namespaces, out);
        print_select("pod label", &one->objects, out);
        print_pairs("annotation", &one->annotations, out);
        print_pairs("label", &one->labels, out);
    }
}
