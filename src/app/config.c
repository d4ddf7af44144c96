/* see config.h */
#include "app/config.h"

#include "app/config_gather.h"
#include "app/config_value.h"
#include "base/check.h"
#include "app/limits.h"
#include "os/os.h"

struct load {
    struct config *config;
    struct config_gather *gather;
    struct config_report *report;
    bool is_bad[CONFIG_KEYS_MAX]; /* rows that were reported: no second complaint about them */
};

static void reset(struct config *config, struct config_secrets *secrets,
                  const struct config_source *source);
static void apply_row(struct load *load, uint32_t row);
static void derive(struct load *load);
static void agree(struct load *load);
static void hide_secrets(const struct config *config);
static void wipe(void *memory, size_t bytes);

enum err config_load(struct config *config, struct config_secrets *secrets,
                     const struct config_source *source, struct arena *scratch,
                     struct config_report *report)
{
    size_t mark = arena_mark(scratch);
    struct config_gather *gather = ARENA_NEW(scratch, struct config_gather);
    CHECK(gather != NULL); /* CONFIG_SCRATCH_BYTES */
    *gather = (struct config_gather){.source = source, .scratch = scratch, .report = report};
    struct load load = {.config = config, .gather = gather, .report = report};
    uint32_t errors_before = report->counts[CONFIG_ERROR];

    reset(config, secrets, source);
    config_gather(gather);
    if (!config_text_keep(config, gather->file, &config->file)) {
        config_report_add(report, CONFIG_ERROR, "the path of the configuration file is too long");
    }
    for (uint32_t row = 0; row < config_keys_count; row++) {
        apply_row(&load, row);
    }
    derive(&load);
    agree(&load);
    hide_secrets(config);

    wipe(scratch->ptr + mark, scratch->used - mark);
    arena_rewind(scratch, mark);
    return report->counts[CONFIG_ERROR] == errors_before ? ERR_OK : ERR_INVALID;
}

/* ---- defaults -------------------------------------------------------------------------------- */

static void reset(struct config *config, struct config_secrets *secrets,
                  const struct config_source *source)
{
    char why[CONFIG_WHY_BYTES];
    config_secrets_wipe(secrets);
    memset(config, 0, sizeof(*config));
    config->secrets = secrets;
    config->source = *source;
    config->file = S("");
    for (uint32_t i = 0; i < config_keys_count; i++) {
        const struct config_key *row = &config_keys[i];
        config_value_clear(config, row);
        if (row->otherwise != NULL) {
            CHECK(config_value_set(config, row, str_of(row->otherwise), why) == ERR_OK);
        }
    }
}

/* ---- one row --------------------------------------------------------------------------------- */

/* The text with all that a terminal might act upon made harmless, cut to a readable size. */
static const char *shown(str text, char out[static 96])
{
    size_t bytes = text.bytes < 80 ? text.bytes : 80;
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        out[i] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
    }
    memcpy(out + bytes, "...", 4);
    if (bytes == text.bytes) {
        out[bytes] = '\0';
    }
    return out;
}

static void apply_row(struct load *load, uint32_t index)
{
    const struct config_key *row = &config_keys[index];
    const struct config_setting *setting = &load->gather->settings[index];
    char where[CONFIG_WHERE_BYTES];
    char why[CONFIG_WHY_BYTES];
    char value[96];
    if (str_is_empty(setting->text)) {
        load->is_bad[index] = setting->is_bad || row->is_required;
        if (row->is_required && !setting->is_bad) {
            config_report_add(load->report, CONFIG_ERROR, "%s: required but not given: %s",
                              row->key, row->doc);
        }
        return;
    }
    if (config_value_set(load->config, row, setting->text, why) == ERR_OK) {
        load->config->origins[index] = setting->origin;
        return;
    }
    load->is_bad[index] = true;
    if (row->type == CONFIG_SECRET || row->is_hidden) {
        config_report_add(load->report, CONFIG_ERROR, "%s: %s (the value is not shown)",
                          config_where(load->gather, row, setting, where), why);
    } else {
        config_report_add(load->report, CONFIG_ERROR, "%s: \"%s\" %s",
                          config_where(load->gather, row, setting, where),
                          shown(setting->text, value), why);
    }
}

/* ---- what follows from other keys ------------------------------------------------------------ */

void config_put_endpoint(struct buf *out, str region)
{
    /* eci-api 1.1: the finance regions whose public host name drops the number */
    static const char *const finance[][2] = {
        {"cn-shenzhen-finance-1", "cn-shenzhen-finance"},
        {"cn-shanghai-finance-1", "cn-shanghai-finance"},
    };
    for (size_t i = 0; i < sizeof(finance) / sizeof(finance[0]); i++) {
        if (str_eq(region, str_of(finance[i][0]))) {
            region = str_of(finance[i][1]);
        }
    }
    buf_put_fmt(out, "https://eci.%.*s.aliyuncs.com", STR_ARG(region));
}

static bool is_plain_http(str url)
{
    return str_starts(url, S("http://"));
}

/* Where Debian, Red Hat, SUSE and Alpine keep the bundle. */
static const char *const ca_files[] = {"/etc/ssl/certs/ca-certificates.crt",
                                       "/etc/pki/tls/certs/ca-bundle.crt",
                                       "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
                                       "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};

static const char *find_ca_file(void)
{
    for (size_t i = 0; i < sizeof(ca_files) / sizeof(ca_files[0]); i++) {
        if (os_file_stamp(ca_files[i]) != 0) {
            return ca_files[i];
        }
    }
    return NULL;
}

static void keep_derived(struct load *load, str text, str *field)
{
    if (!config_text_keep(load->config, text, field)) {
        config_report_add(load->report, CONFIG_ERROR, "all values together are too long");
    }
}

static void keep_joined(struct load *load, const struct config_list *list, str *field)
{
    char joined[CONFIG_LIST_MAX * 128]; /* ids of 64 bytes, paths of 127 */
    struct buf out;
    buf_init(&out, joined, sizeof(joined));
    for (uint32_t i = 0; i < list->count; i++) {
        buf_put_text(&out, i == 0 ? "" : ",");
        buf_put(&out, list->items[i]);
    }
    CHECK(buf_ok(&out));
    keep_derived(load, buf_str(&out), field);
}

static void derive(struct load *load)
{
    struct config *config = load->config;
    config->is_hybrid = config->cluster_type == CONFIG_CLUSTER_IDC;
    keep_joined(load, &config->eci_vswitch, &config->eci_vswitch_ids);
    keep_joined(load, &config->host_paths, &config->host_paths_text);
    if (config->webhook_port == 0) {
        config->webhook_port = str_is_empty(config->kubeconfig) ? 443 : 8443;
    }
    if (config->pods_max == 0) {
        config->pods_max = config->eci_quota_pod + config->eci_quota_pod / 4;
    }
    if (str_is_empty(config->status_socket)) {
        char path[128];
        struct buf out;
        buf_init(&out, path, sizeof(path));
        buf_put_fmt(&out, "/run/ecilet-%s.sock", config->node_name.ptr);
        keep_derived(load, buf_str(&out), &config->status_socket);
    }
    if (str_is_empty(config->eci_endpoint) && !str_is_empty(config->eci_region)) {
        char endpoint[128];
        struct buf out;
        buf_init(&out, endpoint, sizeof(endpoint));
        config_put_endpoint(&out, config->eci_region);
        keep_derived(load, buf_str(&out), &config->eci_endpoint);
    }
    if (str_is_empty(config->eci_ca_file) && !is_plain_http(config->eci_endpoint)) {
        keep_derived(load, str_of(find_ca_file()), &config->eci_ca_file);
    }
}

/* ---- what must fit together ------------------------------------------------------------------ */

static bool has_no_cluster(const struct config *config)
{
    return str_is_empty(config->kubeconfig) && str_is_empty(config->kubernetes_service_host);
}

static bool has_no_ca(const struct config *config)
{
    return str_is_empty(config->eci_ca_file) && !is_plain_http(config->eci_endpoint);
}

static bool has_small_room(const struct config *config)
{
    return config->pods_max < config->eci_quota_pod;
}

static bool has_slow_below_fast(const struct config *config)
{
    return config->poll_slow_ms < config->poll_fast_ms;
}

static bool has_small_arena(const struct config *config)
{
    return config->arena_bytes / LIMITS_ARENA_PER_OBJECT < config->object_bytes_max;
}

static bool has_plain_endpoint(const struct config *config)
{
    return is_plain_http(config->eci_endpoint);
}

static bool has_no_vswitch(const struct config *config)
{
    return config->eci_vswitch.count == 0;
}

static bool has_no_security_group(const struct config *config)
{
    return str_is_empty(config->eci_security_group);
}

static bool wants_kube_proxy(const struct config *config)
{
    return config->eci_kube_proxy;
}

static bool has_webhook_without_address(const struct config *config)
{
    return config->webhook && !str_is_empty(config->kubeconfig) &&
           str_is_empty(config->webhook_url) && str_is_empty(config->vkubelet_pod_ip);
}

static bool has_plain_webhook(const struct config *config)
{
    return !str_is_empty(config->webhook_url) && is_plain_http(config->webhook_url);
}

static bool has_half_identity(const struct config *config)
{
    return str_is_empty(config->kubelet_tls_cert_file) !=
           str_is_empty(config->kubelet_tls_key_file);
}

static const struct agreement {
    enum config_severity severity;
    const char *key;
    const char *other; /* second key it is about, or NULL */
    bool (*is_broken)(const struct config *config);
    const char *says;
} agreements[] = {
    {CONFIG_ERROR, "KUBECONFIG", NULL, has_no_cluster,
     "required outside a cluster: it leads to the API server"},
    {CONFIG_ERROR, "ECI_CA_FILE", NULL, has_no_ca,
     "required here: no CA bundle was found where systems usually keep it"},
    {CONFIG_ERROR, "KUBELET_TLS_CERT_FILE", "KUBELET_TLS_KEY_FILE", has_half_identity,
     "needs KUBELET_TLS_KEY_FILE, and the other way round"},
    {CONFIG_ERROR, "PODS_MAX", "ECI_QUOTA_POD", has_small_room,
     "is less than ECI_QUOTA_POD: the node would accept more pods than fit; set both"},
    {CONFIG_ERROR, "POLL_SLOW_MS", "POLL_FAST_MS", has_slow_below_fast,
     "is less than POLL_FAST_MS"},
    {CONFIG_ERROR, "ARENA_BYTES", "OBJECT_BYTES_MAX", has_small_arena,
     "is less than four times OBJECT_BYTES_MAX"},
    {CONFIG_WARNING, "ECI_ENDPOINT", NULL, has_plain_endpoint,
     "http:// is for rehearsals only: everything travels in clear, and nothing proves who answers"},
    {CONFIG_WARNING, "ECI_VSWITCH", NULL, has_no_vswitch,
     "not given: instances go to the region's default VPC"},
    {CONFIG_WARNING, "ECI_SECURITY_GROUP", NULL, has_no_security_group,
     "not given: instances get the cloud's default security group"},
    {CONFIG_WARNING, "ECI_KUBE_PROXY", NULL, wants_kube_proxy,
     "true has no effect yet: ClusterIP services are not reachable from instances"},
    {CONFIG_ERROR, "WEBHOOK", NULL, has_webhook_without_address,
     "true needs VKUBELET_POD_IP or WEBHOOK_URL: where the API server reaches it"},
    {CONFIG_ERROR, "WEBHOOK_URL", NULL, has_plain_webhook,
     "must be https://: the API server calls no other webhooks"},
};

static bool was_reported(const struct load *load, const char *key)
{
    const struct config_key *row = key != NULL ? config_key_find(str_of(key)) : NULL;
    return row != NULL && load->is_bad[row - config_keys];
}

static void agree(struct load *load)
{
    for (size_t i = 0; i < sizeof(agreements) / sizeof(agreements[0]); i++) {
        const struct agreement *row = &agreements[i];
        if (!was_reported(load, row->key) && !was_reported(load, row->other) &&
            row->is_broken(load->config)) {
            config_report_add(load->report, row->severity, "%s: %s", row->key, row->says);
        }
    }
}

/* ---- secrets --------------------------------------------------------------------------------- */

/* The compiler may not drop it: the memory counts as read afterwards. */
static void wipe(void *memory, size_t bytes)
{
    memset(memory, 0, bytes);
    __asm__ volatile("" : : "r"(memory) : "memory");
}

void config_secrets_wipe(struct config_secrets *secrets)
{
    wipe(secrets, sizeof(*secrets));
}

static void hide_secrets(const struct config *config)
{
    log_hide(config_secret_str(&config->secrets->eci_access_key));
    log_hide(config_secret_str(&config->secrets->eci_secret_key));
    log_hide(config_secret_str(&config->secrets->eci_security_token));
    /* http://user:password@host */
    ptrdiff_t at = str_find_char(config->eci_proxy, '@');
    if (at > 0) {
        size_t from = sizeof("http://") - 1;
        str user = str_sub(config->eci_proxy, from, (size_t)at - from);
        ptrdiff_t colon = str_find_char(user, ':');
        log_hide(str_sub(user, (size_t)(colon + 1), user.bytes));
    }
}

static uint32_t count_changes(const struct config *before, const struct config *now,
                              struct config_report *report)
{
    uint32_t secrets = 0;
    for (uint32_t i = 0; i < config_keys_count; i++) {
        const struct config_key *row = &config_keys[i];
        if (config_value_same(before, now, row)) {
            continue;
        }
        if (row->type == CONFIG_SECRET) {
            secrets++;
            config_report_add(report, CONFIG_NOTE, "%s changed", row->key);
        } else {
            config_report_add(report, CONFIG_WARNING, "%s changed: that needs a restart", row->key);
        }
    }
    return secrets;
}

enum err config_reload_secrets(const struct config *config, struct arena *scratch,
                               struct config_report *report, uint32_t *changed)
{
    size_t mark = arena_mark(scratch);
    struct config *now = ARENA_NEW(scratch, struct config);
    struct config_secrets *secrets = ARENA_NEW(scratch, struct config_secrets);
    CHECK(now != NULL && secrets != NULL); /* CONFIG_RELOAD_BYTES */
    bool skipped_warnings = report->skips_warnings;
    report->skips_warnings = true; /* told at start; what is new is told below */
    enum err err = config_load(now, secrets, &config->source, scratch, report);
    report->skips_warnings = skipped_warnings;
    *changed = 0;
    if (err == ERR_OK) {
        *changed = count_changes(config, now, report);
        *config->secrets = *secrets;
    }
    wipe(scratch->ptr + mark, scratch->used - mark);
    arena_rewind(scratch, mark);
    return err;
}
