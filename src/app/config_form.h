/*
 * config_form.h - what texts must look like: names of Kubernetes (validation of
 * k8s.io/apimachinery), ids of the cloud, hosts, URLs. Pure.
 */
#ifndef ECILET_APP_CONFIG_FORM_H
#define ECILET_APP_CONFIG_FORM_H

#include "app/config_key.h"

/* For the rows of config.def. */
extern const struct config_form config_form_region, config_form_id, config_form_cluster_id,
    config_form_access_key, config_form_token, config_form_printable, config_form_host,
    config_form_node_name, config_form_label, config_form_taint_key, config_form_taint_value,
    config_form_http_proxy, config_form_host_path;

/* 1 to bytes_max bytes without control characters; bytes over 0x7f are let through. */
bool config_form_is_printable(str text, size_t bytes_max);
/* http(s)://[user[:password]@]host[:port][/] */
bool config_form_is_url(str text, bool may_name_user);

#endif
