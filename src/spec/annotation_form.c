/*
 * annotation_form.c - see annotation_form.h
 *
 * One small function per form, all in one table. Ids are the cloud's: only how they begin is
 * checked, and that nothing in them could be taken for a list.
 */
#include "spec/annotation_form.h"

#include "base/codec.h"
#include "spec/address.h"
#include "spec/quantity.h"
#include "spec/tags.h"

#define PRICE_DECIMALS_MAX 3
#define SYSCTL_BYTES_MAX 256

typedef bool item_fits(const struct annotation_row *row, str item);

/* ---- characters ------------------------------------------------------------------------------ */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Only letters, digits and the characters of `more`. */
static bool is_made_of(str text, const char *more)
{
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.ptr[i];
        if (!is_letter(c) && !is_digit(c) && (c == '\0' || strchr(more, c) == NULL)) {
            return false;
        }
    }
    return text.bytes > 0;
}

/* Printable ASCII without blanks and what lists and quotes are made of. */
static bool is_opaque(str text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.ptr[i];
        if (c <= ' ' || c > '~' || strchr(",\"'`\\", c) != NULL) {
            return false;
        }
    }
    return text.bytes > 0;
}

static bool is_in_range(const struct annotation_row *row, int64_t number)
{
    return number >= row->low && (number <= row->high || row->high == 0);
}

static bool is_whole(str text, int64_t *out)
{
    return text.bytes > 0 && is_digit(text.ptr[0]) && str_to_i64(text, out);
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* Trims and checks each item; the text becomes the items joined by commas. */
static bool list_fits(const struct annotation_row *row, struct arena *arena,
                      struct annotation_value *value, item_fits *fits)
{
    str rest = value->text, item;
    size_t bytes_max = 0;
    char *room = arena_rest(arena, &bytes_max);
    struct buf joined;

    buf_init(&joined, room, bytes_max);
    value->number = 0;
    while (str_cut(&rest, ',', &item)) {
        item = str_trim(item);
        if (!fits(row, item)) {
            return false;
        }
        buf_put_text(&joined, value->number > 0 ? "," : "");
        buf_put(&joined, item);
        value->number++;
    }
    if (!buf_ok(&joined)) {
        arena->has_failed = true;
        return true; /* nothing is decided with a full arena */
    }
    arena_keep(arena, joined.bytes);
    value->text = buf_str(&joined);
    return is_in_range(row, value->number);
}

static bool is_id_item(const struct annotation_row *row, str item)
{
    str prefix = str_of(row->words);
    return str_starts(item, prefix) && item.bytes > prefix.bytes && is_opaque(item);
}

/* cri-... or cn-beijing:cri-... */
static bool is_region_id_item(const struct annotation_row *row, str item)
{
    ptrdiff_t colon = str_find_char(item, ':');
    if (colon < 0) {
        return is_id_item(row, item);
    }
    return is_made_of(str_sub(item, 0, (size_t)colon), "-") &&
           is_id_item(row, str_sub(item, (size_t)colon + 1, item.bytes));
}

static bool is_arn_item(const struct annotation_row *row, str item)
{
    (void)row;
    return str_starts(item, S("acs:ram::")) && str_find(item, S(":role/")) > 0 && is_opaque(item);
}

static bool is_host_item(const struct annotation_row *row, str item)
{
    ptrdiff_t colon = str_find_char(item, ':');
    int64_t port = 0;
    (void)row;
    if (address_family(item) != ADDRESS_NONE) {
        return true;
    }
    if (colon >= 0) {
        str digits = str_sub(item, (size_t)colon + 1, item.bytes);
        if (!is_whole(digits, &port) || port < 1 || port > UINT16_MAX) {
            return false;
        }
        item = str_sub(item, 0, (size_t)colon);
    }
    return is_made_of(item, "-._*") && !str_starts(item, S("-")) && !str_starts(item, S("."));
}

static bool is_family_item(const struct annotation_row *row, str item)
{
    (void)row;
    return annotation_family_ratio(item) > 0;
}

static bool is_generation_item(const struct annotation_row *row, str item)
{
    int64_t number = 0;
    (void)row;
    return is_whole(item, &number) && number >= 1 && number <= 99;
}

static bool is_spec_item(const struct annotation_row *row, str item)
{
    struct sizing size;
    (void)row;
    if (str_starts(item, S("ecs."))) {
        str rest = str_sub(item, 4, item.bytes);
        return is_made_of(rest, "-.") && str_find_char(rest, '.') > 0;
    }
    return annotation_spec_size(item, &size);
}

static bool is_tag_item(const struct annotation_row *row, str item)
{
    ptrdiff_t colon = str_find_char(item, ':');
    (void)row;
    if (colon <= 0) {
        return false;
    }
    str key = str_trim(str_sub(item, 0, (size_t)colon));
    str value = str_trim(str_sub(item, (size_t)colon + 1, item.bytes));
    for (unsigned i = 0; i < TAG_COUNT; i++) {
        if (str_eq(key, str_of(tag_key((enum tag)i)))) {
            return false;
        }
    }
    /* No key begins with "acs:", which the cloud refuses, too: it would end before the colon. */
    return key.bytes <= TAG_KEY_BYTES_MAX && value.bytes <= TAG_VALUE_BYTES_MAX &&
           !str_starts(key, S("aliyun")) && !str_starts(value, S("acs:")) &&
           str_find(item, S("://")) < 0;
}

static bool is_word_item(const struct annotation_row *row, str item)
{
    str rest = str_of(row->words), word;
    while (str_cut(&rest, '|', &word)) {
        if (str_eq(item, word)) {
            return true;
        }
    }
    return false;
}

#define LIST(form, item)                                                                         \
    static bool fits_##form(const struct annotation_row *row, struct arena *arena,               \
                            struct annotation_value *value)                                      \
    {                                                                                            \
        return list_fits(row, arena, value, item);                                               \
    }
LIST(ids, is_id_item)
LIST(region_ids, is_region_id_item)
LIST(arns, is_arn_item)
LIST(hosts, is_host_item)
LIST(families, is_family_item)
LIST(generations, is_generation_item)
LIST(specs, is_spec_item)
#undef LIST

/* None twice: the cloud takes an order of preference. */
static bool fits_words(const struct annotation_row *row, struct arena *arena,
                       struct annotation_value *value)
{
    if (!list_fits(row, arena, value, is_word_item)) {
        return false;
    }
    str rest = value->text, one, other;
    while (str_cut(&rest, ',', &one)) {
        for (str later = rest; str_cut(&later, ',', &other);) {
            if (str_eq(one, other)) {
                return false;
            }
        }
    }
    return true;
}

static str tag_item_key(str item)
{
    str key = STR_NONE;
    (void)str_cut(&item, ':', &key);
    return str_trim(key);
}

static bool fits_tags(const struct annotation_row *row, struct arena *arena,
                      struct annotation_value *value)
{
    if (!list_fits(row, arena, value, is_tag_item)) {
        return false;
    }
    str rest = value->text, one, other;
    while (str_cut(&rest, ',', &one)) {
        for (str later = rest; str_cut(&later, ',', &other);) {
            if (str_eq(tag_item_key(one), tag_item_key(other))) {
                return false;
            }
        }
    }
    return true;
}

/* ---- one value ------------------------------------------------------------------------------- */

static bool fits_flag(const struct annotation_row *row, struct arena *arena,
                      struct annotation_value *value)
{
    (void)row, (void)arena;
    value->number = str_eq_nocase(value->text, S("true"));
    return value->number == 1 || str_eq_nocase(value->text, S("false"));
}

static bool fits_number(const struct annotation_row *row, struct arena *arena,
                        struct annotation_value *value)
{
    (void)arena;
    return is_whole(value->text, &value->number) && is_in_range(row, value->number);
}

static bool fits_mbps(const struct annotation_row *row, struct arena *arena,
                      struct annotation_value *value)
{
    if (str_ends(value->text, S("M"))) {
        value->text.bytes--;
    }
    return fits_number(row, arena, value);
}

/* Decimal units, as the example 40M = 320 Mbit/s has it. */
static bool fits_rate(const struct annotation_row *row, struct arena *arena,
                      struct annotation_value *value)
{
    static const struct {
        const char *unit;
        int64_t factor;
    } units[] = {{"TB", 1000000000000}, {"T", 1000000000000}, {"GB", 1000000000}, {"G", 1000000000},
                 {"MB", 1000000},       {"M", 1000000},       {"KB", 1000},       {"K", 1000},
                 {"kB", 1000},          {"k", 1000},          {"B", 1},           {"", 1}};
    size_t digits = 0;
    (void)arena;
    while (digits < value->text.bytes && is_digit(value->text.ptr[digits])) {
        digits++;
    }
    str unit = str_sub(value->text, digits, value->text.bytes);
    if (!is_whole(str_sub(value->text, 0, digits), &value->number)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (str_eq(unit, str_of(units[i].unit))) {
            bool is_small = value->number <= INT64_MAX / units[i].factor;
            value->number *= is_small ? units[i].factor : 0;
            return is_small && is_in_range(row, value->number);
        }
    }
    return false;
}

static bool fits_gib(const struct annotation_row *row, struct arena *arena,
                     struct annotation_value *value)
{
    int64_t milli = 0;
    (void)arena;
    if (quantity_parse_milli(value->text, &milli) != ERR_OK || milli <= 0) {
        return false;
    }
    int64_t bytes = milli / 1000 + (milli % 1000 > 0);
    value->number = bytes / SIZING_GIB + (bytes % SIZING_GIB > 0);
    return is_in_range(row, value->number);
}

static bool fits_price(const struct annotation_row *row, struct arena *arena,
                       struct annotation_value *value)
{
    str rest = value->text, whole;
    int64_t units = 0, part = 0;
    (void)row, (void)arena;
    if (!str_cut(&rest, '.', &whole) || !is_whole(whole, &units)) {
        return false;
    }
    bool has_point = str_find_char(value->text, '.') >= 0;
    if (has_point && (rest.bytes > PRICE_DECIMALS_MAX || !is_whole(rest, &part))) {
        return false;
    }
    return units > 0 || part > 0;
}

/* Cases are not compared: pages of the cloud's own documentation differ in them. */
static bool fits_word(const struct annotation_row *row, struct arena *arena,
                      struct annotation_value *value)
{
    str rest = str_of(row->words), word;
    (void)arena;
    while (str_cut(&rest, '|', &word)) {
        ptrdiff_t equals = str_find_char(word, '=');
        str taken = equals < 0 ? word : str_sub(word, 0, (size_t)equals);
        if (str_eq_nocase(value->text, taken)) {
            value->text = equals < 0 ? word : str_sub(word, (size_t)equals + 1, word.bytes);
            return true;
        }
    }
    return false;
}

static bool fits_name(const struct annotation_row *row, struct arena *arena,
                      struct annotation_value *value)
{
    (void)arena;
    return is_in_range(row, (int64_t)value->text.bytes) && is_made_of(value->text, ".-_");
}

static bool fits_id(const struct annotation_row *row, struct arena *arena,
                    struct annotation_value *value)
{
    (void)arena;
    return is_id_item(row, value->text);
}

static bool fits_ipv4(const struct annotation_row *row, struct arena *arena,
                      struct annotation_value *value)
{
    (void)row, (void)arena;
    return address_family(value->text) == ADDRESS_IPV4;
}

/* An example of the cloud's manual lacks the slash at the front, and means it. */
static bool fits_path(const struct annotation_row *row, struct arena *arena,
                      struct annotation_value *value)
{
    for (size_t i = 0; i < value->text.bytes; i++) {
        if ((unsigned char)value->text.ptr[i] < ' ') {
            return false;
        }
    }
    if (str_starts(value->text, S("|"))) {
        return false;
    }
    if (!str_starts(value->text, S("/"))) {
        value->text = arena_fmt(arena, "/%.*s", STR_ARG(value->text));
    }
    return arena->has_failed || is_in_range(row, (int64_t)value->text.bytes);
}

static bool fits_any(const struct annotation_row *row, struct arena *arena,
                     struct annotation_value *value)
{
    (void)row, (void)arena, (void)value;
    return true;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static bool parse_root(struct arena *arena, struct annotation_value *value, enum json_type type)
{
    enum err err = json_parse(value->text, arena, &value->root, NULL);
    if (err == ERR_FULL) {
        return true; /* the arena has failed: nothing is decided */
    }
    if (err != ERR_OK || json_type(value->root) != type) {
        return false;
    }
    value->number = json_count(value->root);
    return true;
}

static bool is_host_name(str text)
{
    return text.bytes <= 253 && is_made_of(text, ".-_");
}

static bool fits_json_hosts(const struct annotation_row *row, struct arena *arena,
                            struct annotation_value *value)
{
    if (!parse_root(arena, value, JSON_TYPE_ARRAY) || !is_in_range(row, value->number)) {
        return arena->has_failed;
    }
    for (json one = json_first(value->root); json_is_there(one); one = json_next(one)) {
        if (!is_host_name(json_text(json_get(one, "host"), arena)) ||
            address_family(json_text(json_get(one, "ip"), arena)) == ADDRESS_NONE) {
            return arena->has_failed;
        }
    }
    return true;
}

static bool fits_json_sysctls(const struct annotation_row *row, struct arena *arena,
                              struct annotation_value *value)
{
    if (!parse_root(arena, value, JSON_TYPE_ARRAY) || !is_in_range(row, value->number)) {
        return arena->has_failed;
    }
    for (json one = json_first(value->root); json_is_there(one); one = json_next(one)) {
        str name = json_text(json_get(one, "name"), arena);
        str text = json_text(json_get(one, "value"), arena);
        bool is_well = is_made_of(name, ".-_/") && str_find_char(name, '.') > 0 &&
                       name.bytes <= SYSCTL_BYTES_MAX && text.bytes > 0 &&
                       text.bytes <= SYSCTL_BYTES_MAX;
        if (!is_well) {
            return arena->has_failed;
        }
    }
    return true;
}

/* A list inside the DNS settings: every item passes, and there are at least `least`. */
static bool is_list_of(str list, uint32_t least, bool (*fits)(str item))
{
    str item;
    uint32_t count = 0;
    while (str_cut(&list, ',', &item)) {
        if (!fits(str_trim(item))) {
            return false;
        }
        count++;
    }
    return count >= least;
}

static bool is_address(str text)
{
    return address_family(text) != ADDRESS_NONE;
}

static bool is_option(str text)
{
    return is_made_of(text, ":-_");
}

static bool fits_json_dns(const struct annotation_row *row, struct arena *arena,
                          struct annotation_value *value)
{
    (void)row;
    if (!parse_root(arena, value, JSON_TYPE_OBJECT)) {
        return arena->has_failed;
    }
    for (json one = json_first(value->root); json_is_there(one); one = json_next(one)) {
        if (!json_key_is(one, "nameservers") && !json_key_is(one, "searches") &&
            !json_key_is(one, "options")) {
            return false;
        }
    }
    return (is_list_of(json_text(json_get(value->root, "nameservers"), arena), 1, is_address) &&
            is_list_of(json_text(json_get(value->root, "searches"), arena), 0, is_host_name) &&
            is_list_of(json_text(json_get(value->root, "options"), arena), 0, is_option)) ||
           arena->has_failed;
}

/* ---- sizes and types ------------------------------------------------------------------------- */

bool annotation_spec_size(str spec, struct sizing *out)
{
    str rest = spec, cpu;
    int64_t cpu_milli = 0, bytes_milli = 0;
    struct sizing rounded;

    if (!str_cut(&rest, '-', &cpu) || !str_ends(rest, S("Gi")) ||
        quantity_parse_milli(cpu, &cpu_milli) != ERR_OK || cpu_milli <= 0 ||
        quantity_parse_milli(rest, &bytes_milli) != ERR_OK || bytes_milli <= 0) {
        return false;
    }
    *out = (struct sizing){cpu_milli, bytes_milli / 1000};
    return sizing_round(*out, STR_NONE, &rounded) == ERR_OK;
}

int64_t annotation_family_ratio(str family)
{
    static const struct {
        char letter;
        int64_t gib_per_cpu;
    } classes[] = {{'c', 2}, {'g', 4}, {'r', 8}};
    size_t at = str_starts(family, S("ecs.hf")) ? 6 : 4;

    if (!str_starts(family, S("ecs.")) || family.bytes < at + 2 || !is_digit(family.ptr[at + 1]) ||
        !is_made_of(str_sub(family, at, family.bytes), "-")) {
        return 0;
    }
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (family.ptr[at] == classes[i].letter) {
            return classes[i].gib_per_cpu;
        }
    }
    return 0;
}

bool annotation_form_fits(const struct annotation_row *row, struct arena *arena,
                          struct annotation_value *value)
{
    static bool (*const forms[ANNOTATION_FORM_COUNT])(
        const struct annotation_row *row, struct arena *arena, struct annotation_value *value) = {
        [ANNOTATION_FORM_FLAG] = fits_flag,
        [ANNOTATION_FORM_NUMBER] = fits_number,
        [ANNOTATION_FORM_MBPS] = fits_mbps,
        [ANNOTATION_FORM_RATE] = fits_rate,
        [ANNOTATION_FORM_GIB] = fits_gib,
        [ANNOTATION_FORM_PRICE] = fits_price,
        [ANNOTATION_FORM_WORD] = fits_word,
        [ANNOTATION_FORM_WORDS] = fits_words,
        [ANNOTATION_FORM_NAME] = fits_name,
        [ANNOTATION_FORM_ID] = fits_id,
        [ANNOTATION_FORM_IDS] = fits_ids,
        [ANNOTATION_FORM_REGION_IDS] = fits_region_ids,
        [ANNOTATION_FORM_ARNS] = fits_arns,
        [ANNOTATION_FORM_HOSTS] = fits_hosts,
        [ANNOTATION_FORM_IPV4] = fits_ipv4,
        [ANNOTATION_FORM_PATH] = fits_path,
        [ANNOTATION_FORM_SPECS] = fits_specs,
        [ANNOTATION_FORM_FAMILIES] = fits_families,
        [ANNOTATION_FORM_GENERATIONS] = fits_generations,
        [ANNOTATION_FORM_TAGS] = fits_tags,
        [ANNOTATION_FORM_JSON_HOSTS] = fits_json_hosts,
        [ANNOTATION_FORM_JSON_DNS] = fits_json_dns,
        [ANNOTATION_FORM_JSON_SYSCTLS] = fits_json_sysctls,
        [ANNOTATION_FORM_ANY] = fits_any,
    };

    return forms[row->form](row, arena, value);
}
