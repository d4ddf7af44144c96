/* see group_read.h */
#include "data/group_read.h"

#include <stddef.h>

#include "base/check.h"
#include "base/codec.h"

#define ECI_TEXT_BYTES_MAX \
    1024 /* everything that is neither id, name nor message: images, types \
          */
#define ECI_LIST_TOKEN_BYTES_MAX 4096 /* NextToken is opaque; it goes back in a form body */
#define ECI_CPU_MAX 1.0e6             /* vCPU; documented: 64 */
#define ECI_MEMORY_MAX 1.0e6          /* GiB; documented: 512 */

/* One row being read. Sticky: ten members are read in a row, is_bad is asked once. */
struct row_in {
    struct arena *arena;
    bool is_bad;
};

/* ---- single members -------------------------------------------------------------------------- */

static str take_text(struct row_in *in, json object, const char *key, size_t bytes_max)
{
    json value = json_get_nocase(object, key);
    if (!json_is_there(value)) {
        return STR_NONE;
    }
    str text = json_text(value, in->arena);
    if (json_type(value) != JSON_TYPE_STRING || text.bytes > bytes_max) {
        in->is_bad = true;
        return STR_NONE;
    }
    return text;
}

static str take_message(struct row_in *in, json object, const char *key)
{
    return codec_utf8_prefix(take_text(in, object, key, SIZE_MAX), ECI_MESSAGE_BYTES_MAX);
}

/* A text without which the element is of no use. */
static str take_name(struct row_in *in, json object, const char *key, size_t bytes_max)
{
    str name = take_text(in, object, key, bytes_max);
    in->is_bad |= str_is_empty(name);
    return name;
}

static str take_id(struct row_in *in, json object, const char *key)
{
    str id = take_text(in, object, key, ECI_ID_BYTES_MAX);
    in->is_bad |= !eci_id_is_sane(id);
    return id;
}

static int64_t take_time(struct row_in *in, json object, const char *key)
{
    int64_t unix_s = 0;
    return codec_get_time(take_text(in, object, key, ECI_TEXT_BYTES_MAX), &unix_s) ? unix_s : 0;
}

static int64_t take_number(struct row_in *in, json object, const char *key, int64_t min,
                           int64_t max)
{
    json value = json_get_nocase(object, key);
    int64_t number = 0;
    if (!json_is_there(value)) {
        return 0;
    }
    bool is_number = json_type(value) == JSON_TYPE_STRING
                         ? str_to_i64(json_text(value, in->arena), &number)
                         : json_i64(value, &number);
    if (!is_number || number < min || number > max) {
        in->is_bad = true;
        return 0;
    }
    return number;
}

static int32_t take_i32(struct row_in *in, json object, const char *key)
{
    return (int32_t)take_number(in, object, key, INT32_MIN, INT32_MAX);
}

static int32_t take_count(struct row_in *in, json object, const char *key)
{
    return (int32_t)take_number(in, object, key, 0, INT32_MAX);
}

/* vCPU and GiB come as fractions ("2" and "2.0" alike, A-28); kept in 1/1000 and 1/1024. */
static int64_t take_size(struct row_in *in, json object, const char *key, double units, double max)
{
    json value = json_get_nocase(object, key);
    double size = 0;
    if (!json_is_there(value)) {
        return 0;
    }
    if (!json_double(value, &size) || !(size >= 0 && size <= max)) {
        in->is_bad = true;
        return 0;
    }
    return (int64_t)(size * units + 0.5);
}

static bool take_bool(struct row_in *in, json object, const char *key)
{
    json value = json_get_nocase(object, key);
    bool truth = false;
    if (!json_is_there(value) || json_bool(value, &truth)) {
        return truth;
    }
    str text = json_text(value, in->arena);
    truth = str_eq_nocase(text, S("true"));
    in->is_bad |= !truth && !str_eq_nocase(text, S("false"));
    return truth;
}

/* An object member; JSON_NONE when absent. */
static json take_object(struct row_in *in, json object, const char *key)
{
    json value = json_get_nocase(object, key);
    in->is_bad |= json_is_there(value) && json_type(value) != JSON_TYPE_OBJECT;
    return value;
}

/* How the elements of one kind of list are read. */
struct list_kind {
    void (*take)(struct row_in *in, json from, void *out);
    uint32_t each_bytes;
    uint32_t count_max;
    bool may_drop; /* elements that are bad or too many are left out; else they spoil the row */
};

/* An array member as an array in the arena. A full arena leaves its own mark (has_failed). */
static const void *take_list(struct row_in *in, json object, const char *key,
                             const struct list_kind *kind, uint32_t *items_count)
{
    json list = json_get_nocase(object, key);
    uint32_t present = json_count(list);
    *items_count = 0;
    if ((json_is_there(list) && json_type(list) != JSON_TYPE_ARRAY) ||
        (present > kind->count_max && !kind->may_drop)) {
        in->is_bad = true;
        return NULL;
    }
    uint32_t room = present < kind->count_max ? present : kind->count_max;
    char *items = room > 0 ? arena_take_array(in->arena, room, kind->each_bytes) : NULL;
    if (items == NULL) {
        return NULL;
    }
    for (json from = json_first(list); json_is_there(from) && *items_count < room;
         from = json_next(from)) {
        struct row_in element = {in->arena, json_type(from) != JSON_TYPE_OBJECT};
        kind->take(&element, from, items + (size_t)*items_count * kind->each_bytes);
        if (!element.is_bad || !kind->may_drop) {
            in->is_bad |= element.is_bad;
            (*items_count)++;
        }
    }
    return items;
}

/* ---- states ---------------------------------------------------------------------------------- */

static enum eci_state_kind state_kind_parse(str text)
{
    if (str_eq_nocase(text, S("Waiting"))) {
        return ECI_STATE_WAITING;
    }
    if (str_eq_nocase(text, S("Running"))) {
        return ECI_STATE_RUNNING;
    }
    return str_eq_nocase(text, S("Terminated")) ? ECI_STATE_TERMINATED : ECI_STATE_NONE;
}

/* DescribeContainerGroups: {"State":"Terminated","ExitCode":0,...}. */
static struct eci_state take_flat_state(struct row_in *in, json container, const char *key)
{
    json flat = take_object(in, container, key);
    return (struct eci_state){
        .kind = state_kind_parse(take_text(in, flat, "State", ECI_TEXT_BYTES_MAX)),
        .reason = take_text(in, flat, "Reason", ECI_TEXT_BYTES_MAX),
        .message = take_message(in, flat, "Message"),
        .detail_status = take_text(in, flat, "DetailStatus", ECI_TEXT_BYTES_MAX),
        .started_at_s = take_time(in, flat, "StartTime"),
        .finished_at_s = take_time(in, flat, "FinishTime"),
        .exit_code = take_i32(in, flat, "ExitCode"),
        .signal = take_i32(in, flat, "Signal"),
    };
}

/*
 * Which of {"Waiting":{},"Running":{},"Terminated":{}} speaks. Exactly one is documented to be
 * there; empty ones beside it are overlooked. Two that both say something are not guessed about.
 */
static json speaking_state(struct row_in *in, json nested, enum eci_state_kind *kind)
{
    static const char *const keys[] = {
        [ECI_STATE_WAITING] = "Waiting",
        [ECI_STATE_RUNNING] = "Running",
        [ECI_STATE_TERMINATED] = "Terminated",
    };
    json found = JSON_NONE;
    *kind = ECI_STATE_NONE;
    for (int i = ECI_STATE_WAITING; i < ECI_STATE_COUNT; i++) {
        json state = take_object(in, nested, keys[i]);
        if (!json_is_there(state) || (json_count(state) == 0 && json_is_there(found))) {
            continue;
        }
        in->is_bad |= json_count(found) > 0;
        found = state;
        *kind = (enum eci_state_kind)i;
    }
    return found;
}

/* DescribeContainerGroupStatus: {"Running":{"StartedAtstartedAt":"..."}}. */
static struct eci_state take_nested_state(struct row_in *in, json container, const char *key)
{
    enum eci_state_kind kind;
    json state = speaking_state(in, take_object(in, container, key), &kind);
    int64_t started_at_s = take_time(in, state, "StartedAt");
    return (struct eci_state){
        .kind = kind,
        .reason = take_text(in, state, "Reason", ECI_TEXT_BYTES_MAX),
        .message = take_message(in, state, "Message"),
        .container_id = take_text(in, state, "ContainerID", ECI_TEXT_BYTES_MAX),
        .started_at_s =
            started_at_s != 0 ? started_at_s : take_time(in, state, "StartedAtstartedAt"),
        .finished_at_s = take_time(in, state, "FinishedAt"),
        .exit_code = take_i32(in, state, "ExitCode"),
        .signal = take_i32(in, state, "Signal"),
    };
}

/* ---- list elements --------------------------------------------------------------------------- */

static void take_status_container(struct row_in *in, json from, void *out)
{
    *(struct eci_container *)out = (struct eci_container){
        .name = take_name(in, from, "Name", ECI_NAME_BYTES_MAX),
        .image = take_text(in, from, "Image", ECI_TEXT_BYTES_MAX),
        .image_id = take_text(in, from, "ImageID", ECI_TEXT_BYTES_MAX),
        .is_ready = take_bool(in, from, "Ready"),
        .is_started = take_bool(in, from, "Started"),
        .restarts = take_count(in, from, "RestartCount"),
        .now = take_nested_state(in, from, "State"),
        .last = take_nested_state(in, from, "LastState"),
    };
}

static void take_group_container(struct row_in *in, json from, void *out)
{
    struct eci_container *container = out;
    *container = (struct eci_container){
        .name = take_name(in, from, "Name", ECI_NAME_BYTES_MAX),
        .image = take_text(in, from, "Image", ECI_TEXT_BYTES_MAX),
        .is_ready = take_bool(in, from, "Ready"),
        .restarts = take_count(in, from, "RestartCount"),
        .cpu_milli = take_size(in, from, "Cpu", 1000, ECI_CPU_MAX),
        .memory_mib = take_size(in, from, "Memory", 1024, ECI_MEMORY_MAX),
        .now = take_flat_state(in, from, "CurrentState"),
        .last = take_flat_state(in, from, "PreviousState"),
    };
    container->is_started = container->now.kind == ECI_STATE_RUNNING;
}

/* "type" and "Reason" differ in case within one object; matching without case covers that. */
static void take_condition(struct row_in *in, json from, void *out)
{
    *(struct eci_condition *)out = (struct eci_condition){
        .type = take_name(in, from, "Type", ECI_NAME_BYTES_MAX),
        .status = take_text(in, from, "Status", ECI_TEXT_BYTES_MAX),
        .reason = take_text(in, from, "Reason", ECI_TEXT_BYTES_MAX),
        .message = take_message(in, from, "Message"),
        .changed_at_s = take_time(in, from, "LastTransitionTime"),
    };
}

static void take_tag(struct row_in *in, json from, void *out)
{
    *(struct eci_tag *)out = (struct eci_tag){
        .key = take_name(in, from, "Key", ECI_TEXT_BYTES_MAX),
        .value = take_text(in, from, "Value", ECI_TEXT_BYTES_MAX),
    };
}

/* Both shapes: DescribeContainerGroups has Name, DescribeContainerGroupEvents has Metadata.Name and
 * a source. */
static void take_event(struct row_in *in, json from, void *out)
{
    struct eci_event *event = out;
    json source = take_object(in, from, "Source");
    *event = (struct eci_event){
        .name = take_text(in, take_object(in, from, "Metadata"), "Name", 2 * ECI_NAME_BYTES_MAX),
        .type = take_text(in, from, "Type", ECI_TEXT_BYTES_MAX),
        .reason = take_name(in, from, "Reason", ECI_TEXT_BYTES_MAX),
        .message = take_message(in, from, "Message"),
        .component = take_text(in, source, "Component", ECI_TEXT_BYTES_MAX),
        .host = take_text(in, source, "Host", ECI_TEXT_BYTES_MAX),
        .first_at_s = take_time(in, from, "FirstTimestamp"),
        .last_at_s = take_time(in, from, "LastTimestamp"),
        .count = take_count(in, from, "Count"),
    };
    if (str_is_empty(event->name)) {
        event->name = take_text(in, from, "Name", 2 * ECI_NAME_BYTES_MAX);
    }
    if (str_is_empty(event->component)) {
        event->component = take_text(in, from, "ReportingComponent", ECI_TEXT_BYTES_MAX);
    }
    event->count = event->count > 0 ? event->count : 1;
}

static void take_pod_ip(struct row_in *in, json from, void *out)
{
    *(str *)out = take_name(in, from, "Ip", ECI_ID_BYTES_MAX);
}

static const struct list_kind pod_ips = {take_pod_ip, sizeof(str), ECI_POD_IPS_MAX, true};
static const struct list_kind conditions = {take_condition, sizeof(struct eci_condition),
                                            ECI_CONDITIONS_MAX, false};
static const struct list_kind tags = {take_tag, sizeof(struct eci_tag), ECI_TAGS_MAX, false};
static const struct list_kind events = {take_event, sizeof(struct eci_event), ECI_EVENTS_MAX, true};
static const struct list_kind status_containers = {
    take_status_container, sizeof(struct eci_container), ECI_CONTAINERS_MAX, false};
static const struct list_kind group_containers = {
    take_group_container, sizeof(struct eci_container), ECI_CONTAINERS_MAX, false};

/* ---- rows ------------------------------------------------------------------------------------ */

static void take_status_row(struct row_in *in, json from, void *out)
{
    struct eci_status_row *row = out;
    json pod = take_object(in, from, "PodStatus");
    *row = (struct eci_status_row){
        .id = take_id(in, from, "ContainerGroupId"),
        .name = take_text(in, from, "Name", ECI_NAME_BYTES_MAX),
        .name_space = take_text(in, from, "Namespace", ECI_NAME_BYTES_MAX),
        .uuid = take_text(in, from, "Uuid", ECI_NAME_BYTES_MAX),
        .status_text = take_text(in, from, "Status", ECI_NAME_BYTES_MAX),
        .phase = take_text(in, pod, "Phase", ECI_NAME_BYTES_MAX),
        .qos_class = take_text(in, pod, "QosClass", ECI_NAME_BYTES_MAX),
        .host_ip = take_text(in, pod, "HostIp", ECI_ID_BYTES_MAX),
        .pod_ip = take_text(in, pod, "PodIp", ECI_ID_BYTES_MAX),
        .started_at_s = take_time(in, pod, "StartTime"),
    };
    row->status = eci_status_parse(row->status_text);
    row->pod_ips = take_list(in, pod, "PodIps", &pod_ips, &row->pod_ips_count);
    row->conditions = take_list(in, pod, "Conditions", &conditions, &row->conditions_count);
    row->containers =
        take_list(in, pod, "ContainerStatuses", &status_containers, &row->containers_count);
}

/* The plain texts of a group. */
static const struct group_text {
    const char *key;
    uint16_t at; /* offset of the str in struct eci_group_row */
    uint16_t bytes_max;
} group_texts[] = {
#define TEXT(key, member, bytes_max) \
    { \
        key, offsetof(struct eci_group_row, member), bytes_max \
    }
    TEXT("ContainerGroupName", name, ECI_NAME_BYTES_MAX),
    TEXT("Status", status_text, ECI_NAME_BYTES_MAX),
    TEXT("RegionId", region_id, ECI_ID_BYTES_MAX),
    TEXT("ZoneId", zone_id, ECI_ID_BYTES_MAX),
    TEXT("VpcId", vpc_id, ECI_ID_BYTES_MAX),
    TEXT("VSwitchId", vswitch_id, ECI_TEXT_BYTES_MAX),
    TEXT("SecurityGroupId", security_group_id, ECI_TEXT_BYTES_MAX),
    TEXT("ResourceGroupId", resource_group_id, ECI_ID_BYTES_MAX),
    TEXT("InstanceType", instance_type, ECI_TEXT_BYTES_MAX),
    TEXT("ComputeCategory", compute_category, ECI_NAME_BYTES_MAX),
    TEXT("SpotStrategy", spot_strategy, ECI_NAME_BYTES_MAX),
    TEXT("RestartPolicy", restart_policy, ECI_NAME_BYTES_MAX),
    TEXT("RamRoleName", ram_role_name, ECI_NAME_BYTES_MAX),
    TEXT("IntranetIp", intranet_ip, ECI_ID_BYTES_MAX),
    TEXT("InternetIp", internet_ip, ECI_ID_BYTES_MAX),
    TEXT("Ipv6Address", ipv6_address, ECI_ID_BYTES_MAX),
    TEXT("EniInstanceId", eni_id, ECI_ID_BYTES_MAX),
#undef TEXT
};

static void take_group_row(struct row_in *in, json from, void *out)
{
    struct eci_group_row *row = out;
    *row = (struct eci_group_row){
        .id = take_id(in, from, "ContainerGroupId"),
        .cpu_milli = take_size(in, from, "Cpu", 1000, ECI_CPU_MAX),
        .memory_mib = take_size(in, from, "Memory", 1024, ECI_MEMORY_MAX),
        .ephemeral_gib = take_count(in, from, "EphemeralStorage"),
        .created_at_s = take_time(in, from, "CreationTime"),
        .succeeded_at_s = take_time(in, from, "SucceededTime"),
        .failed_at_s = take_time(in, from, "FailedTime"),
        .expired_at_s = take_time(in, from, "ExpiredTime"),
    };
    for (size_t i = 0; i < sizeof group_texts / sizeof group_texts[0]; i++) {
        const struct group_text *text = &group_texts[i];
        str value = take_text(in, from, text->key, text->bytes_max);
        memcpy((char *)row + text->at, &value, sizeof value);
    }
    row->status = eci_status_parse(row->status_text);
    row->tags = take_list(in, from, "Tags", &tags, &row->tags_count);
    row->containers = take_list(in, from, "Containers", &group_containers, &row->containers_count);
    row->init_containers =
        take_list(in, from, "InitContainers", &group_containers, &row->init_containers_count);
    row->events = take_list(in, from, "Events", &events, &row->events_count);
}

static void take_events_row(struct row_in *in, json from, void *out)
{
    struct eci_events_row *row = out;
    *row = (struct eci_events_row){
        .id = take_id(in, from, "ContainerGroupId"),
        .name = take_text(in, from, "Name", ECI_NAME_BYTES_MAX),
        .name_space = take_text(in, from, "Namespace", ECI_NAME_BYTES_MAX),
        .uuid = take_text(in, from, "Uuid", ECI_NAME_BYTES_MAX),
    };
    row->events = take_list(in, from, "Events", &events, &row->events_count);
}

/* ---- the cursor ------------------------------------------------------------------------------ */

void group_read_init(struct group_read *read, json root, struct arena *arena)
{
    CHECK(read != NULL && arena != NULL);
    struct row_in in = {.arena = arena};
    *read = (struct group_read){.arena = arena, .root = root, .total_count = -1};
    read->next_token = take_text(&in, root, "NextToken", ECI_LIST_TOKEN_BYTES_MAX);
    if (json_is_there(json_get_nocase(root, "TotalCount"))) {
        read->total_count = take_number(&in, root, "TotalCount", 0, INT64_MAX);
    }
    /* Of a page whose NextToken is unreadable nobody knows whether it is the last. */
    read->head_is_bad = in.is_bad || arena->has_failed;
}

/* Finds the list at the first row. A service that leaves an empty list out says TotalCount 0. */
static void start_list(struct group_read *read, const char *key)
{
    json list = json_get_nocase(read->root, key);
    read->is_started = true;
    read->has_list =
        json_type(list) == JSON_TYPE_ARRAY || (!json_is_there(list) && read->total_count == 0);
    read->next = json_type(list) == JSON_TYPE_ARRAY ? json_first(list) : JSON_NONE;
}

typedef void take_row(struct row_in *in, json from, void *row);

/* Reads elements until one becomes a row. What a bad or lost one took is given back. */
static bool next_row(struct group_read *read, const char *list_key, take_row *take, void *row)
{
    CHECK(read->arena != NULL);
    if (!read->is_started) {
        start_list(read, list_key);
    }
    while (json_is_there(read->next)) {
        json from = read->next;
        bool was_full = read->arena->has_failed;
        size_t mark = arena_mark(read->arena);
        struct row_in in = {.arena = read->arena, .is_bad = json_type(from) != JSON_TYPE_OBJECT};
        read->next = json_next(from);
        take(&in, from, row);
        if (!in.is_bad && !read->arena->has_failed) {
            read->rows_good++;
            return true;
        }
        if (read->arena->has_failed) {
            read->rows_lost++;
        } else {
            read->rows_bad++;
        }
        if (!was_full) {
            arena_rewind(read->arena, mark);
        }
    }
    return false;
}

bool group_read_status(struct group_read *read, struct eci_status_row *row)
{
    return next_row(read, "Data", take_status_row, row);
}

bool group_read_group(struct group_read *read, struct eci_group_row *row)
{
    return next_row(read, "ContainerGroups", take_group_row, row);
}

bool group_read_events(struct group_read *read, struct eci_events_row *row)
{
    return next_row(read, "Data", take_events_row, row);
}

bool group_read_is_whole(const struct group_read *read)
{
    return read->is_started && read->has_list && !read->head_is_bad && !json_is_there(read->next) &&
           read->rows_bad == 0 && read->rows_lost == 0;
}

str group_read_created_id(json root, struct arena *arena)
{
    struct row_in in = {.arena = arena};
    str id = take_id(&in, root, "ContainerGroupId");
    return in.is_bad ? STR_NONE : id;
}

/* ---- names ----------------------------------------------------------------------------------- */

bool eci_id_is_sane(str id)
{
    for (size_t i = 0; i < id.bytes; i++) {
        char c = id.ptr[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        if (!is_plain) {
            return false;
        }
    }
    return id.bytes > 0 && id.bytes <= ECI_ID_BYTES_MAX;
}

static const char *const status_names[ECI_STATUS_COUNT] = {
#define X(name, wire) [ECI_STATUS_##name] = wire,
    ECI_STATUS_TABLE(X)
#undef X
};

enum eci_status eci_status_parse(str text)
{
    for (int i = ECI_STATUS_UNKNOWN + 1; i < ECI_STATUS_COUNT; i++) {
        if (str_eq_nocase(text, str_of(status_names[i]))) {
            return (enum eci_status)i;
        }
    }
    return ECI_STATUS_UNKNOWN;
}

const char *eci_status_name(enum eci_status status)
{
    return (unsigned)status < ECI_STATUS_COUNT ? status_names[status]
                                               : status_names[ECI_STATUS_UNKNOWN];
}
