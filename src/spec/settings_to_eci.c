/* settings_to_eci.c - see settings_to_eci.h */
#include "spec/settings_to_eci.h"

static void add_dns(const struct spec_dns *dns, struct params *params);
static void add_logins(const struct pod_spec *pod, struct params *params);
static void add_sysctls(const struct pod_spec *pod, bool is_unsafe, const char *prefix,
                        struct params *params);

void settings_to_eci(const struct pod_spec *pod, struct params *params)
{
    if (pod->has_own_dns) { /* else the cloud's own resolver, its default */
        add_dns(&pod->dns, params);
    }
    add_logins(pod, params);
    add_sysctls(pod, false, "SecurityContext", params);
    add_sysctls(pod, true, "HostSecurityContext", params);
}

static void add_dns(const struct spec_dns *dns, struct params *params)
{
    params_add(params, S("DnsPolicy"), S("None"));
    for (uint32_t i = 0; i < dns->servers_count; i++) {
        params_add_at(params, dns->servers[i], "DnsConfig.NameServer.%u", i + 1);
    }
    for (uint32_t i = 0; i < dns->searches_count; i++) {
        params_add_at(params, dns->searches[i], "DnsConfig.Search.%u", i + 1);
    }
    for (uint32_t i = 0; i < dns->options_count; i++) {
        params_add_at(params, dns->options[i].name, "DnsConfig.Option.%u.Name", i + 1);
        if (!str_is_empty(dns->options[i].value)) {
            params_add_at(params, dns->options[i].value, "DnsConfig.Option.%u.Value", i + 1);
        }
    }
}

static void add_logins(const struct pod_spec *pod, struct params *params)
{
    for (uint32_t i = 0; i < pod->logins_count; i++) {
        str password = arena_fmt(params->arena, "ImageRegistryCredential.%u.Password", i + 1);

        params_add_at(params, pod->logins[i].server, "ImageRegistryCredential.%u.Server", i + 1);
        params_add_at(params, pod->logins[i].user, "ImageRegistryCredential.%u.UserName", i + 1);
        if (!str_is_empty(password)) { /* else the arena is full, and says so */
            params_add_secret(params, password, pod->logins[i].password);
        }
    }
}

static void add_sysctls(const struct pod_spec *pod, bool is_unsafe, const char *prefix,
                        struct params *params)
{
    unsigned number = 0;

    for (uint32_t i = 0; i < pod->sysctls_count; i++) {
        if (pod->sysctls[i].is_unsafe == is_unsafe) {
            number++;
            params_add_at(params, pod->sysctls[i].name, "%s.Sysctl.%u.Name", prefix, number);
            params_add_at(params, pod->sysctls[i].value, "%s.Sysctl.%u.Value", prefix, number);
        }
    }
}
