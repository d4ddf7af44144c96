/* `ecilet manifests`: the table of permissions.h as objects of RBAC; and, when asked for, the
 * Service of the webhook. It is not printed always: whoever runs ecilet in the cluster may have one
 * of his own, which applying a newer version of the permissions must not replace. */
#include "app/cli.h"

#include <stdio.h>
#include "admit/webhook_config.h"
#include "app/config_key.h"
#include "app/config_form.h"
#include "app/permissions.h"

#define ACCOUNT "ecilet"
#define ACCOUNT_NAMESPACE "kube-system"

/* The parts of the permissions, and where each of them counts. */
enum part { PART_CLUSTER, PART_LEASES, PART_SYSTEM, PART_COUNT };

static const char *const part_namespaces[PART_COUNT] = {
    [PART_LEASES] = PERMISSIONS_LEASE_NAMESPACE, [PART_SYSTEM] = PERMISSIONS_SYSTEM_NAMESPACE};

static enum part part_of(const struct permission *rule)
{
    return rule->is_lease_role ? PART_LEASES : rule->is_system_role ? PART_SYSTEM : PART_CLUSTER;
}

static void put_rules(struct buf *out, enum part part, str node)
{
    for (size_t i = 0; i < PERMISSIONS_COUNT; i++) {
        const struct permission *rule = &permissions[i];
        if (part_of(rule) != part) {
            continue;
        }
        buf_put_fmt(out, "  # %s\n  - apiGroups: [\"%s\"]\n    resources: [\"%s\"]\n", rule->why,
                    rule->group != NULL ? rule->group : "", rule->resource);
        if (rule->is_named) {
            buf_put_fmt(out, "    resourceNames: [\"%.*s\"]\n", STR_ARG(node));
        }
        if (rule->is_leader_lease) {
            buf_put_fmt(out, "    resourceNames: [\"ecilet-%.*s\"]\n", STR_ARG(node));
        }
        if (rule->name != NULL) {
            buf_put_fmt(out, "    resourceNames: [\"%s\"]\n", rule->name);
        }
        buf_put_fmt(out, "    verbs: [%s]\n", rule->verbs);
    }
}

static void put_head(struct buf *out, const char *version, const char *kind, const char *name,
                     const char *name_space)
{
    buf_put_fmt(out, "---\napiVersion: %s\nkind: %s\nmetadata:\n  name: %s\n", version, kind, name);
    if (name_space != NULL) {
        buf_put_fmt(out, "  namespace: %s\n", name_space);
    }
}

/* A role with its rules, and the account that has it. */
static void put_part(struct buf *out, enum part part, const char *role, str node)
{
    const char *name_space = part_namespaces[part];
    const char *kind = name_space != NULL ? "Role" : "ClusterRole";
    put_head(out, "rbac.authorization.k8s.io/v1", kind, role, name_space);
    buf_put_text(out, "rules:\n");
    put_rules(out, part, node);
    put_head(out, "rbac.authorization.k8s.io/v1",
             name_space != NULL ? "RoleBinding" : "ClusterRoleBinding", role, name_space);
    buf_put_fmt(out,
                "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: %s\n  name: %s"
                "\nsubjects:\n  - kind: ServiceAccount\n    name: " ACCOUNT
                "\n    namespace: " ACCOUNT_NAMESPACE "\n",
                kind, role);
}

/* The roles name the node, so that those of a second node in the cluster replace nothing. */
static void put_role_name(char *name, size_t bytes, const char *node)
{
    bool is_usual = strcmp(node, config_key_find(S("NODE_NAME"))->otherwise) == 0;
    (void)snprintf(name, bytes, is_usual ? ACCOUNT : ACCOUNT "-%s", node);
}

/* --nodename or the default; NULL when it is no name for a node. */
static const char *node_name(const struct cli *cli)
{
    const struct config_key *row = config_key_find(S("NODE_NAME"));
    const char *name = row->otherwise;
    for (uint32_t i = 0; i < cli->source.args_count; i++) {
        if (strcmp(cli->source.args[i].key, row->key) == 0) {
            name = cli->source.args[i].value;
        }
    }
    return row->form->fits(str_of(name)) ? name : NULL;
}

/* As in the vendor's vk.yaml. */
static void put_service(struct buf *out)
{
    put_head(out, "v1", "Service", WEBHOOK_SERVICE, WEBHOOK_SERVICE_NAMESPACE);
    buf_put_text(out, "spec:\n"
                      "  # the label of ecilet's pod; change it when that has another\n"
                      "  selector:\n    app: virtual-kubelet\n"
                      "  ports:\n    - port: 443\n"
                      "      targetPort: 443 # WEBHOOK_PORT\n");
}

enum cli_exit cli_manifests(struct cli *cli)
{
    struct buf *out = &cli->out;
    const char *node = node_name(cli);
    if (node == NULL) {
        buf_put_fmt(&cli->err, "ecilet manifests: --nodename must be %s\n",
                    config_form_node_name.says);
        return CLI_USAGE;
    }
    buf_put_fmt(
        out,
        "# Permissions of ecilet for the node %s. Secrets and ConfigMaps are read one by\n"
        "# one, by the names that a pod of this node has in its spec, when it is created; nothing\n"
        "# is kept.\n"
        "# For a gateway outside the cluster, put a token of this account into its\n"
        "# kubeconfig (kubectl -n " ACCOUNT_NAMESPACE " create token " ACCOUNT
        " --duration=..., or a Secret of type\n"
        "# kubernetes.io/service-account-token), or bind the roles to the user of its client\n"
        "# certificate instead.\n",
        node);
    put_head(out, "v1", "ServiceAccount", ACCOUNT, ACCOUNT_NAMESPACE);
    char role[128];
    put_role_name(role, sizeof role, node);
    for (int part = 0; part < PART_COUNT; part++) {
        put_part(out, (enum part)part, role, str_of(node));
    }
    if (cli->wants_service) {
        put_service(out);
    }
    return CLI_OK;
}
