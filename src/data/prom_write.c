/* see prom_write.h */
#include "data/prom_write.h"

#define NS 1000000000u

void prom_head(struct buf *out, const char *name, const char *kind, const char *help)
{
    buf_put_fmt(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

static void put_label_value(struct buf *out, str value)
{
    for (size_t i = 0; i < value.bytes; i++) {
        char c = value.ptr[i];
        if (c == '\n') {
            buf_put_text(out, "\\n");
            continue;
        }
        if (c == '"' || c == '\\') {
            buf_put_char(out, '\\');
        }
        buf_put_char(out, c);
    }
}

static void put_name(struct buf *out, const char *name, const struct prom_label *labels,
                     uint32_t count)
{
    buf_put_text(out, name);
    for (uint32_t i = 0; i < count; i++) {
        buf_put_text(out, i == 0 ? "{" : ",");
        buf_put_text(out, labels[i].name);
        buf_put_text(out, "=\"");
        put_label_value(out, labels[i].value);
        buf_put_char(out, '"');
    }
    buf_put_text(out, count > 0 ? "} " : " ");
}

static void put_end(struct buf *out, int64_t at_ms)
{
    if (at_ms != 0) {
        buf_put_char(out, ' ');
        buf_put_i64(out, at_ms);
    }
    buf_put_char(out, '\n');
}

void prom_put(struct buf *out, const char *name, const struct prom_label *labels,
              uint32_t labels_count, uint64_t value, int64_t at_ms)
{
    put_name(out, name, labels, labels_count);
    buf_put_u64(out, value);
    put_end(out, at_ms);
}

void prom_put_ns(struct buf *out, const char *name, const struct prom_label *labels,
                 uint32_t labels_count, uint64_t value_ns, int64_t at_ms)
{
    put_name(out, name, labels, labels_count);
    buf_put_fmt(out, "%llu.%09u", (unsigned long long)(value_ns / NS), (unsigned)(value_ns % NS));
    put_end(out, at_ms);
}
