/* see codec.h */
#include "base/codec.h"

#include "base/check.h"

/* ---- base64, RFC 4648 section 4 -------------------------------------------------------------- */

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void codec_put_base64(struct buf *out, const void *data, size_t bytes)
{
    const uint8_t *from = data;
    for (size_t i = 0; i < bytes; i += 3) {
        size_t group = bytes - i < 3 ? bytes - i : 3;
        uint32_t bits = (uint32_t)from[i] << 16;
        bits |= group > 1 ? (uint32_t)from[i + 1] << 8 : 0;
        bits |= group > 2 ? from[i + 2] : 0;
        char quad[4] = {
            base64_digits[bits >> 18],
            base64_digits[bits >> 12 & 63],
            group > 1 ? base64_digits[bits >> 6 & 63] : '=',
            group > 2 ? base64_digits[bits & 63] : '=',
        };
        buf_put(out, str_make(quad, sizeof(quad)));
    }
}

/* The value of a digit, or -1. */
static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes; the caller takes back what was added when this is not ERR_OK. */
static enum err get_base64(struct buf *out, str text)
{
    uint32_t bits = 0;
    size_t digits = 0;
    size_t padding = 0;
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.ptr[i];
        if (c == '\r' || c == '\n') {
            continue;
        }
        if (c == '=') {
            padding++;
            continue;
        }
        int value = base64_value(c);
        if (value < 0 || padding > 0) {
            return ERR_BAD_INPUT;
        }
        bits = bits << 6 | (uint32_t)value;
        digits++;
        if (digits % 4 != 1) { /* one more byte is complete; the bits below it belong to the next */
            size_t spare_bits = 2 * ((4 - digits % 4) % 4);
            buf_put_char(out, (char)(bits >> spare_bits & 0xff));
        }
    }
    /* One digit alone is half a byte; padding, if there is any, must fill the group. */
    if (digits % 4 == 1 || (padding > 0 && (padding > 2 || (digits + padding) % 4 != 0))) {
        return ERR_BAD_INPUT;
    }
    return buf_ok(out) ? ERR_OK : ERR_FULL;
}

/* The common end of both decoders: all or nothing. */
static enum err keep_if_ok(struct buf *out, size_t bytes_before, enum err err)
{
    if (err != ERR_OK) {
        out->bytes = bytes_before;
    }
    return err;
}

enum err codec_get_base64(struct buf *out, str text)
{
    size_t before = out->bytes;
    return keep_if_ok(out, before, get_base64(out, text));
}

/* ---- hex and percent ------------------------------------------------------------------------- */

void codec_put_hex(struct buf *out, const void *data, size_t bytes)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = data;
    for (size_t i = 0; i < bytes; i++) {
        char pair[2] = {digits[from[i] >> 4], digits[from[i] & 15]};
        buf_put(out, str_make(pair, sizeof(pair)));
    }
}

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

void codec_put_percent(struct buf *out, str text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.bytes; i++) {
        if (is_unreserved(text.ptr[i])) {
            buf_put_char(out, text.ptr[i]);
        } else {
            uint8_t byte = (uint8_t)text.ptr[i];
            char escape[3] = {'%', digits[byte >> 4], digits[byte & 15]};
            buf_put(out, str_make(escape, sizeof(escape)));
        }
    }
}

/* The value of a hex digit in either case, or -1. */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum err get_percent(struct buf *out, str text, bool plus_is_space)
{
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.ptr[i];
        if (c == '+' && plus_is_space) {
            c = ' ';
        } else if (c == '%') {
            int high = text.bytes - i > 2 ? hex_value(text.ptr[i + 1]) : -1;
            int low = high >= 0 ? hex_value(text.ptr[i + 2]) : -1;
            if (low < 0) {
                return ERR_BAD_INPUT;
            }
            c = (char)(high << 4 | low);
            i += 2;
        }
        buf_put_char(out, c);
    }
    return buf_ok(out) ? ERR_OK : ERR_FULL;
}

enum err codec_get_percent(struct buf *out, str text, bool plus_is_space)
{
    size_t before = out->bytes;
    return keep_if_ok(out, before, get_percent(out, text, plus_is_space));
}

/* ---- UTF-8, RFC 3629 ------------------------------------------------------------------------- */

/* Row of RFC 3629 section 4: first byte in [first_min, first_max], second byte in
 * [second_min, second_max], any further byte in 80..BF. */
static const struct utf8_row {
    uint8_t first_min, first_max, second_min, second_max, bytes;
} utf8_rows[] = {
    {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
    {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
    {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

static const struct utf8_row *utf8_row_of(uint8_t first)
{
    for (size_t i = 0; i < sizeof(utf8_rows) / sizeof(utf8_rows[0]); i++) {
        if (first >= utf8_rows[i].first_min && first <= utf8_rows[i].first_max) {
            return &utf8_rows[i];
        }
    }
    return NULL;
}

size_t codec_utf8_char(str text)
{
    const uint8_t *at = (const uint8_t *)text.ptr;
    if (text.bytes == 0) {
        return 0;
    }
    if (at[0] < 0x80) {
        return 1;
    }
    const struct utf8_row *row = utf8_row_of(at[0]);
    if (row == NULL || text.bytes < row->bytes || at[1] < row->second_min ||
        at[1] > row->second_max) {
        return 0;
    }
    for (size_t i = 2; i < row->bytes; i++) {
        if (at[i] < 0x80 || at[i] > 0xBF) {
            return 0;
        }
    }
    return row->bytes;
}

bool codec_is_utf8(str text)
{
    while (text.bytes > 0) {
        size_t bytes = codec_utf8_char(text);
        if (bytes == 0) {
            return false;
        }
        text = str_make(text.ptr + bytes, text.bytes - bytes);
    }
    return true;
}

size_t codec_utf8_encode(char out[static 4], uint32_t code_point)
{
    CHECK(code_point <= 0x10FFFF);
    if (code_point >= 0xD800 && code_point <= 0xDFFF) {
        code_point = 0xFFFD;
    }
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    size_t bytes = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = bytes - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code_point & 0x3F));
        code_point >>= 6;
    }
    static const uint8_t first_marks[] = {[2] = 0xC0, [3] = 0xE0, [4] = 0xF0};
    out[0] = (char)(first_marks[bytes] | code_point);
    return bytes;
}

str codec_utf8_prefix(str text, size_t bytes_max)
{
    if (text.bytes <= bytes_max) {
        return text;
    }
    /* Does the last character that starts before the cut reach beyond it? */
    for (size_t back = 1; back <= 3 && back <= bytes_max; back++) {
        uint8_t byte = (uint8_t)text.ptr[bytes_max - back];
        if (byte >= 0x80 && byte <= 0xBF) {
            continue;
        }
        const struct utf8_row *row = utf8_row_of(byte);
        if (row != NULL && row->bytes > back) {
            return str_make(text.ptr, bytes_max - back);
        }
        break;
    }
    return str_make(text.ptr, bytes_max);
}

/* ---- time ------------------------------------------------------------------------------------ */

#define DAY_S 86400
#define TIME_MAX_S 253402300799 /* 9999-12-31T23:59:59Z */

struct civil {
    int64_t year, month, day; /* month and day from 1 */
};

/* Howard Hinnant, "chrono-compatible low-level date algorithms": days_from_civil and its inverse.
 * Years are counted from March, so that the leap day is the last of its year. */
static int64_t days_of_civil(struct civil date)
{
    int64_t year = date.month <= 2 ? date.year - 1 : date.year;
    int64_t era = year / 400;
    int64_t year_of_era = year - era * 400;
    int64_t month_from_march = (date.month + 9) % 12;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static struct civil civil_of_days(int64_t days)
{
    days += 719468;
    int64_t era = days / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    struct civil date = {
        .year = year_of_era + era * 400,
        .month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9,
        .day = day_of_year - (153 * month_from_march + 2) / 5 + 1,
    };
    date.year += date.month <= 2 ? 1 : 0;
    return date;
}

static void put_digits(struct buf *out, int64_t number, size_t count)
{
    char digits[8];
    CHECK(count <= sizeof(digits));
    for (size_t i = count; i > 0; i--) {
        digits[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
    buf_put(out, str_make(digits, count));
}

/* "2006-01-02T15:04:05", clamped to the years 1970 to 9999. */
static void put_date_time(struct buf *out, int64_t unix_s)
{
    unix_s = unix_s < 0 ? 0 : unix_s > TIME_MAX_S ? TIME_MAX_S : unix_s;
    struct civil date = civil_of_days(unix_s / DAY_S);
    const struct {
        int64_t number;
        size_t digits;
        char before;
    } parts[] = {
        {date.year, 4, 0},          {date.month, 2, '-'},
        {date.day, 2, '-'},         {unix_s / 3600 % 24, 2, 'T'},
        {unix_s / 60 % 60, 2, ':'}, {unix_s % 60, 2, ':'},
    };
    char text[19];
    struct buf whole; /* so that it is added as a whole or not at all */
    buf_init(&whole, text, sizeof(text));
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].before != 0) {
            buf_put_char(&whole, parts[i].before);
        }
        put_digits(&whole, parts[i].number, parts[i].digits);
    }
    CHECK(buf_ok(&whole));
    buf_put(out, buf_str(&whole));
}

void codec_put_time(struct buf *out, int64_t unix_s)
{
    put_date_time(out, unix_s);
    buf_put_char(out, 'Z');
}

void codec_put_micro_time(struct buf *out, int64_t unix_ms)
{
    unix_ms = unix_ms < 0 ? 0 : unix_ms;
    put_date_time(out, unix_ms / 1000);
    buf_put_char(out, '.');
    put_digits(out, unix_ms % 1000 * 1000, 6);
    buf_put_char(out, 'Z');
}

/* ---- reading time: a cursor that remembers whether all fitted -------------------------------- */

struct reader {
    str rest;
    bool is_bad; /* sticky */
};

static char read_char(struct reader *reader)
{
    if (reader->rest.bytes == 0) {
        reader->is_bad = true;
        return '\0';
    }
    char c = reader->rest.ptr[0];
    reader->rest = str_sub(reader->rest, 1, SIZE_MAX);
    return c;
}

static void read_text(struct reader *reader, const char *expected)
{
    for (; *expected != '\0'; expected++) {
        reader->is_bad |= read_char(reader) != *expected;
    }
}

/* Exactly `digits` digits with a value in [min, max]. */
static int64_t read_number(struct reader *reader, int digits, int64_t min, int64_t max)
{
    int64_t number = 0;
    for (int i = 0; i < digits; i++) {
        char c = read_char(reader);
        reader->is_bad |= c < '0' || c > '9';
        number = number * 10 + (c - '0');
    }
    reader->is_bad |= number < min || number > max;
    return reader->is_bad ? min : number;
}

/* Number (from 1) of the three-letter name at the front, in a list of such names. */
static int64_t read_name(struct reader *reader, const char *names)
{
    str name = str_sub(reader->rest, 0, 3);
    reader->rest = str_sub(reader->rest, 3, SIZE_MAX);
    ptrdiff_t at = name.bytes == 3 ? str_find(str_of(names), name) : -1;
    reader->is_bad |= at < 0 || at % 3 != 0;
    return reader->is_bad ? 1 : at / 3 + 1;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const int8_t days[] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month] + (month == 2 && is_leap ? 1 : 0);
}

/* "15:04:05"; second 60 is a leap second and counts as the next minute's first. */
static int64_t read_time_of_day(struct reader *reader)
{
    int64_t hour = read_number(reader, 2, 0, 23);
    read_text(reader, ":");
    int64_t minute = read_number(reader, 2, 0, 59);
    read_text(reader, ":");
    return hour * 3600 + minute * 60 + read_number(reader, 2, 0, 60);
}

static int64_t read_date(struct reader *reader)
{
    struct civil date;
    date.year = read_number(reader, 4, 1, 9999);
    read_text(reader, "-");
    date.month = read_number(reader, 2, 1, 12);
    read_text(reader, "-");
    date.day = read_number(reader, 2, 1, days_in_month(date.year, date.month));
    return days_of_civil(date) * DAY_S;
}

static void skip_fraction(struct reader *reader)
{
    if (!str_starts(reader->rest, S("."))) {
        return;
    }
    (void)read_char(reader);
    (void)read_number(reader, 1, 0, 9);
    while (reader->rest.bytes > 0 && reader->rest.ptr[0] >= '0' && reader->rest.ptr[0] <= '9') {
        (void)read_char(reader);
    }
}

/* "Z" or "+hh:mm"; seconds east of Greenwich. */
static int64_t read_zone(struct reader *reader)
{
    char sign = read_char(reader);
    if (sign == 'Z' || sign == 'z') {
        return 0;
    }
    reader->is_bad |= sign != '+' && sign != '-';
    int64_t hours = read_number(reader, 2, 0, 23);
    read_text(reader, ":");
    int64_t offset_s = hours * 3600 + read_number(reader, 2, 0, 59) * 60;
    return sign == '-' ? -offset_s : offset_s;
}

static bool finish(const struct reader *reader, int64_t found_s, int64_t *unix_s)
{
    if (reader->is_bad || reader->rest.bytes > 0 || found_s < 0 || found_s > TIME_MAX_S) {
        return false;
    }
    *unix_s = found_s;
    return true;
}

bool codec_get_time(str text, int64_t *unix_s)
{
    struct reader reader = {.rest = text};
    int64_t found_s = read_date(&reader);
    char separator = read_char(&reader);
    reader.is_bad |= separator != 'T' && separator != 't';
    found_s += read_time_of_day(&reader);
    skip_fraction(&reader);
    found_s -= read_zone(&reader);
    return finish(&reader, found_s, unix_s);
}

bool codec_get_http_date(str text, int64_t *unix_s)
{
    struct reader reader = {.rest = text};
    struct civil date;
    (void)read_name(&reader, "MonTueWedThuFriSatSun");
    read_text(&reader, ", ");
    date.day = read_number(&reader, 2, 1, 31);
    read_text(&reader, " ");
    date.month = read_name(&reader, "JanFebMarAprMayJunJulAugSepOctNovDec");
    read_text(&reader, " ");
    date.year = read_number(&reader, 4, 1970, 9999);
    read_text(&reader, " ");
    reader.is_bad |= date.day > days_in_month(date.year, date.month);
    int64_t found_s = days_of_civil(date) * DAY_S + read_time_of_day(&reader);
    read_text(&reader, " GMT");
    return finish(&reader, found_s, unix_s);
}
