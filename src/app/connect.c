/* see connect.h */
#include "app/connect.h"

#include "os/os.h"
#include "os/sock.h"

enum err connect_kube(struct kube_auth *auth, const struct config *config)
{
    const struct kube_auth_config from = {.kubeconfig = config->kubeconfig,
                                          .context = config->kube_context,
                                          .service_host = config->kubernetes_service_host,
                                          .service_port = (uint16_t)config->kubernetes_service_port,
                                          .agent = S("ecilet/" ECILET_VERSION)};
    return kube_auth_load(auth, &from);
}

bool connect_address(const struct kube_auth *auth, const struct config *config, char out[static 64])
{
    struct sock_addr server;
    out[0] = '\0';
    if (str_copy(out, 64, config->vkubelet_pod_ip) && out[0] != '\0') {
        return true;
    }
    bool is_known = sock_addr_parse(kube_auth_host(auth), 443, &server) &&
                    sock_own_address(&server, out) == ERR_OK;
    if (!is_known) {
        out[0] = '\0';
    }
    return is_known;
}

enum err connect_trust(struct x509_anchors *anchors, struct arena *memory, struct arena *scratch,
                       const struct config *config, struct buf *why)
{
    if (str_is_empty(config->eci_ca_file)) {
        return ERR_OK;
    }
    struct buf pem;
    size_t mark = arena_mark(scratch), room;
    char *text = arena_rest(scratch, &room);
    buf_init(&pem, text, room);
    enum err err = os_file_read(config->eci_ca_file.ptr, &pem);
    if (err != ERR_OK) {
        buf_put_fmt(why, "ECI_CA_FILE %s: %s", config->eci_ca_file.ptr,
                    err == ERR_TOO_BIG ? err_text(err) : os_errno_text());
    } else {
        err = x509_anchors_load(anchors, buf_str(&pem), memory);
        if (err != ERR_OK) {
            buf_put_fmt(why, "ECI_CA_FILE %s: no usable certificate authority in it: %s",
                        config->eci_ca_file.ptr, err_text(err));
        }
    }
    arena_rewind(scratch, mark);
    return err;
}

void connect_spec(const struct config *config, struct spec_config *out)
{
    *out = (struct spec_config){
        .cluster_id = config->aliyun_clusterid,
        .node_name = config->node_name,
        .region_id = config->eci_region,
        .vswitch_ids = config->eci_vswitch_ids,
        .security_group_id = config->eci_security_group,
        .resource_group_id = config->eci_resource_group,
        .host_paths = config->host_paths_text,
    };
}

enum err connect_keys(struct eci_client *cloud, const struct config *config)
{
    const struct config_secrets *secrets = config->secrets;
    return eci_client_set_keys(cloud, config_secret_str(&secrets->eci_access_key),
                               config_secret_str(&secrets->eci_secret_key),
                               config_secret_str(&secrets->eci_security_token));
}
