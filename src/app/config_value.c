/* see config_value.h */
#include "app/config_value.h"

#include "app/config_form.h"
#include "base/check.h"
#include "os/sock.h"

/* ---- texts in the config --------------------------------------------------------------------- */

bool config_text_keep(struct config *config, str text, str *out)
{
    if (text.bytes >= sizeof(config->text) - config->text_bytes) {
        return false;
    }
    char *to = config->text + config->text_bytes;
    if (text.bytes > 0) {
        memcpy(to, text.ptr, text.bytes);
    }
    to[text.bytes] = '\0';
    config->text_bytes += text.bytes + 1;
    *out = str_make(to, text.bytes);
    return true;
}

/* ---- types ----------------------------------------------------------------------------------- */

struct job {
    struct config *config;
    const struct config_key *row;
    void *field;
    str text;
};

static void *field_of(struct config *config, const struct config_key *row)
{
    return row->type == CONFIG_SECRET ? (char *)config->secrets + row->offset
                                      : (char *)config + row->offset;
}

static const void *value_of(const struct config *config, const struct config_key *row)
{
    return row->type == CONFIG_SECRET ? (const char *)config->secrets + row->offset
                                      : (const char *)config + row->offset;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static enum err keep(const struct job *job, str text)
{
    return config_text_keep(job->config, text, job->field) ? ERR_OK : ERR_FULL;
}

static bool fits_form(const struct job *job, str text)
{
    const struct config_form *form = job->row->form;
    return (form != NULL ? form : &config_form_printable)->fits(text);
}

static enum err set_text(const struct job *job)
{
    return fits_form(job, job->text) ? keep(job, job->text) : ERR_BAD_INPUT;
}

static enum err set_secret(const struct job *job)
{
    struct config_secret *secret = job->field;
    if (job->text.bytes > CONFIG_SECRET_BYTES_MAX || !fits_form(job, job->text)) {
        return ERR_BAD_INPUT;
    }
    memcpy(secret->text, job->text.ptr, job->text.bytes);
    secret->text[job->text.bytes] = '\0';
    secret->bytes = (uint32_t)job->text.bytes;
    return ERR_OK;
}

static enum err set_bool(const struct job *job)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"true", true}, {"false", false}, {"yes", true}, {"no", false},
                 {"on", true},   {"off", false},   {"1", true},   {"0", false}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (str_eq_nocase(job->text, str_of(words[i].word))) {
            *(bool *)job->field = words[i].value;
            return ERR_OK;
        }
    }
    return ERR_BAD_INPUT;
}

/* Only digits: no sign, no spaces. */
static bool number_of(str text, int64_t *out)
{
    return text.bytes > 0 && is_digit(text.ptr[0]) && str_to_i64(text, out);
}

static enum err set_integer(const struct job *job)
{
    int64_t number = 0;
    if (!number_of(job->text, &number) || number < job->row->min || number > job->row->max) {
        return ERR_BAD_INPUT;
    }
    *(uint32_t *)job->field = (uint32_t)number;
    return ERR_OK;
}

static enum err set_port(const struct job *job)
{
    int64_t number = 0;
    if (!number_of(job->text, &number) || number < 1 || number > 65535) {
        return ERR_BAD_INPUT;
    }
    *(uint32_t *)job->field = (uint32_t)number;
    return ERR_OK;
}

static const struct {
    str suffix;
    int shift;
} byte_units[] = {{{"Ki", 2}, 10}, {{"Mi", 2}, 20}, {{"Gi", 2}, 30}};

#define BYTE_UNITS_COUNT (sizeof(byte_units) / sizeof(byte_units[0]))

static enum err set_bytes(const struct job *job)
{
    str digits = job->text;
    int shift = 0;
    for (size_t i = 0; i < BYTE_UNITS_COUNT; i++) {
        if (str_ends(job->text, byte_units[i].suffix)) {
            digits.bytes -= byte_units[i].suffix.bytes;
            shift = byte_units[i].shift;
            break;
        }
    }
    int64_t number = 0;
    if (!number_of(digits, &number) || number > (job->row->max >> shift) ||
        number << shift < job->row->min) {
        return ERR_BAD_INPUT;
    }
    *(size_t *)job->field = (size_t)(number << shift);
    return ERR_OK;
}

static str skip_digits(str text)
{
    size_t count = 0;
    while (count < text.bytes && is_digit(text.ptr[count])) {
        count++;
    }
    return str_sub(text, count, text.bytes);
}

/* The part of resource.Quantity that makes sense as a capacity: no sign, no smaller unit than m. */
static bool is_quantity(str text)
{
    str rest = skip_digits(text);
    size_t digits = text.bytes - rest.bytes;
    if (str_starts(rest, S("."))) {
        str fraction = str_sub(rest, 1, rest.bytes);
        rest = skip_digits(fraction);
        digits += fraction.bytes - rest.bytes;
    }
    if (digits == 0 || digits > 18) {
        return false;
    }
    static const char *const suffixes[] = {"",   "m",  "k",  "M",  "G",  "T",  "P", "E",
                                           "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", NULL};
    for (const char *const *suffix = suffixes; *suffix != NULL; suffix++) {
        if (str_eq(rest, str_of(*suffix))) {
            return true;
        }
    }
    /* decimal exponent: e3, E+3 */
    bool is_exponent = rest.bytes >= 2 && (rest.ptr[0] == 'e' || rest.ptr[0] == 'E');
    rest = str_sub(rest, 1, rest.bytes);
    if (str_starts(rest, S("+")) || str_starts(rest, S("-"))) {
        rest = str_sub(rest, 1, rest.bytes);
    }
    return is_exponent && rest.bytes >= 1 && rest.bytes <= 2 && str_is_empty(skip_digits(rest));
}

static enum err set_quantity(const struct job *job)
{
    return is_quantity(job->text) ? keep(job, job->text) : ERR_BAD_INPUT;
}

static enum err set_word(const struct job *job)
{
    for (uint32_t i = 0; job->row->words[i] != NULL; i++) {
        if (str_eq_nocase(job->text, str_of(job->row->words[i]))) {
            memcpy(job->field, &i, sizeof(i)); /* an enum without negative values is unsigned */
            return ERR_OK;
        }
    }
    return ERR_BAD_INPUT;
}

static enum err set_list(const struct job *job)
{
    struct config_list list = {.count = 0};
    str rest = job->text;
    str item;
    if (str_ends(rest, S(","))) {
        return ERR_BAD_INPUT;
    }
    while (str_cut(&rest, ',', &item)) {
        item = str_trim(item);
        if (!fits_form(job, item) || list.count >= (uint32_t)job->row->max) {
            return ERR_BAD_INPUT;
        }
        list.items[list.count++] = item;
    }
    if (list.count < (uint32_t)job->row->min) {
        return ERR_BAD_INPUT;
    }
    for (uint32_t i = 0; i < list.count; i++) {
        if (!config_text_keep(job->config, list.items[i], &list.items[i])) {
            return ERR_FULL;
        }
    }
    *(struct config_list *)job->field = list;
    return ERR_OK;
}

static enum err set_path(const struct job *job)
{
    if (!config_form_is_printable(job->text, CONFIG_PATH_BYTES_MAX)) {
        return ERR_BAD_INPUT;
    }
    return keep(job, job->text);
}

static enum err set_url(const struct job *job)
{
    if (!(job->row->form != NULL ? job->row->form->fits(job->text)
                                 : config_form_is_url(job->text, false))) {
        return ERR_BAD_INPUT;
    }
    return keep(job, str_ends(job->text, S("/")) ? str_sub(job->text, 0, job->text.bytes - 1)
                                                 : job->text);
}

static enum err set_address(const struct job *job)
{
    struct sock_addr addr;
    bool is_bracketed = str_starts(job->text, S("["));
    if (is_bracketed || !sock_addr_parse(job->text, 0, &addr)) {
        return ERR_BAD_INPUT;
    }
    return keep(job, job->text);
}

static bool same_text(const void *a, const void *b)
{
    return str_eq(*(const str *)a, *(const str *)b);
}

static bool same_secret(const void *a, const void *b)
{
    return str_eq(config_secret_str(a), config_secret_str(b));
}

static bool same_bool(const void *a, const void *b)
{
    return *(const bool *)a == *(const bool *)b;
}

static bool same_u32(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(uint32_t)) == 0;
}

static bool same_size(const void *a, const void *b)
{
    return *(const size_t *)a == *(const size_t *)b;
}

static bool same_list(const void *a, const void *b)
{
    const struct config_list *x = a;
    const struct config_list *y = b;
    bool is_same = x->count == y->count;
    for (uint32_t i = 0; is_same && i < x->count; i++) {
        is_same = str_eq(x->items[i], y->items[i]);
    }
    return is_same;
}

static const struct {
    size_t field_bytes;
    enum err (*set)(const struct job *job);
    bool (*same)(const void *a, const void *b);
} types[CONFIG_TYPE_COUNT] = {
    [CONFIG_TEXT] = {sizeof(str), set_text, same_text},
    [CONFIG_SECRET] = {sizeof(struct config_secret), set_secret, same_secret},
    [CONFIG_BOOL] = {sizeof(bool), set_bool, same_bool},
    [CONFIG_INTEGER] = {sizeof(uint32_t), set_integer, same_u32},
    [CONFIG_PORT] = {sizeof(uint32_t), set_port, same_u32},
    [CONFIG_BYTES] = {sizeof(size_t), set_bytes, same_size},
    [CONFIG_QUANTITY] = {sizeof(str), set_quantity, same_text},
    [CONFIG_WORD] = {sizeof(uint32_t), set_word, same_u32},
    [CONFIG_LIST] = {sizeof(struct config_list), set_list, same_list},
    [CONFIG_PATH] = {sizeof(str), set_path, same_text},
    [CONFIG_URL] = {sizeof(str), set_url, same_text},
    [CONFIG_ADDRESS] = {sizeof(str), set_address, same_text},
};

size_t config_type_field_bytes(enum config_type type)
{
    CHECK(type < CONFIG_TYPE_COUNT);
    return types[type].field_bytes;
}

/* ---- rules in words -------------------------------------------------------------------------- */

static void put_bytes(struct buf *out, int64_t bytes)
{
    for (size_t i = BYTE_UNITS_COUNT; i-- > 0;) {
        int64_t unit = (int64_t)1 << byte_units[i].shift;
        if (bytes >= unit && bytes % unit == 0) {
            buf_put_i64(out, bytes / unit);
            buf_put(out, byte_units[i].suffix);
            return;
        }
    }
    buf_put_i64(out, bytes);
}

static void put_words(struct buf *out, const char *const *words)
{
    for (uint32_t i = 0; words[i] != NULL; i++) {
        buf_put_text(out, i == 0 ? "" : words[i + 1] == NULL ? " or " : ", ");
        buf_put_text(out, words[i]);
    }
}

void config_value_put_rule(struct buf *out, const struct config_key *row)
{
    const struct config_form *form = row->form != NULL ? row->form : &config_form_printable;
    switch (row->type) {
    case CONFIG_TEXT:
    case CONFIG_SECRET:
        buf_put_text(out, form->says);
        break;
    case CONFIG_BOOL:
        buf_put_text(out, "true or false");
        break;
    case CONFIG_INTEGER:
        buf_put_fmt(out, "a whole number from %lld to %lld", (long long)row->min,
                    (long long)row->max);
        buf_put_fmt(out, row->unit != NULL ? " (%s)" : "%s", row->unit != NULL ? row->unit : "");
        break;
    case CONFIG_PORT:
        buf_put_text(out, "a port from 1 to 65535");
        break;
    case CONFIG_BYTES:
        buf_put_text(out, "bytes from ");
        put_bytes(out, row->min);
        buf_put_text(out, " to ");
        put_bytes(out, row->max);
        break;
    case CONFIG_QUANTITY:
        buf_put_text(out, "a Kubernetes quantity such as 500, 1.5k or 6400Ti");
        break;
    case CONFIG_WORD:
        put_words(out, row->words);
        break;
    case CONFIG_LIST:
        buf_put_fmt(out, "%lld to %lld items with commas between, each %s", (long long)row->min,
                    (long long)row->max, form->says);
        break;
    case CONFIG_PATH:
        buf_put_text(out, "a path of at most 511 bytes");
        break;
    case CONFIG_URL:
        buf_put_text(out, row->form != NULL ? form->says : "http(s)://host[:port]");
        break;
    case CONFIG_ADDRESS:
        buf_put_text(out, "an IPv4 or IPv6 address");
        break;
    case CONFIG_TYPE_COUNT:
        CHECK(false);
    }
}

/* ---- the three verbs ------------------------------------------------------------------------- */

enum err config_value_set(struct config *config, const struct config_key *row, str text,
                          char why[static CONFIG_WHY_BYTES])
{
    CHECK(text.bytes > 0);
    struct job job = {config, row, field_of(config, row), text};
    size_t text_bytes = config->text_bytes;
    enum err err = types[row->type].set(&job);
    if (err == ERR_OK) {
        return ERR_OK;
    }
    config->text_bytes = text_bytes;
    struct buf out;
    buf_init(&out, why, CONFIG_WHY_BYTES - 1);
    if (err == ERR_FULL) {
        buf_put_text(&out, "all values together are too long");
    } else {
        buf_put_text(&out, "must be ");
        config_value_put_rule(&out, row);
    }
    why[out.bytes] = '\0';
    return err;
}

void config_value_clear(struct config *config, const struct config_key *row)
{
    void *field = field_of(config, row);
    memset(field, 0, types[row->type].field_bytes);
    if (types[row->type].same == same_text) {
        *(str *)field = S("");
    }
}

bool config_value_same(const struct config *a, const struct config *b, const struct config_key *row)
{
    return types[row->type].same(value_of(a, row), value_of(b, row));
}
