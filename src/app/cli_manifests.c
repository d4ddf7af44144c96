/*
 * `ecilet manifests`: what the user of the gateway's kubeconfig must be allowed, and no more.
 *
 * One table of rules; each says why it is needed. RBAC cannot restrict "create" to a name, because
 * the name is not known when the request is judged; everything else about the node and its lease is
 * bound to our node's name (lists and watches of one name carry a field selector, which RBAC
 * understands as that name).
 */
#include "app/cli.h"
#include "app/config_key.h"
#include "app/config_form.h"

#define ACCOUNT "ecilet"
#define ACCOUNT_NAMESPACE "kube-system"
#define LEASE_NAMESPACE "kube-node-lease"
#define SYSTEM_NAMESPACE "kube-system"

struct rule {
    bool is_lease_role;   /* in the Role of kube-node-lease; else ... */
    bool is_system_role;  /* ... in that of kube-system; else in the ClusterRole */
    bool is_named;        /* only our node's name */
    bool is_leader_lease; /* only the lease of that name with "ecilet-" before it */
    const char *name;     /* only this name */
    const char *group;    /* API group */
    const char *resource;
    const char *verbs;
    const char *why;
};

static const struct rule rules[] = {
    {.resource = "nodes", .verbs = "create", .why = "register the virtual node"},
    {.resource = "nodes",
     .is_named = true,
     .verbs = "get, list, watch, patch, delete",
     .why = "keep its labels and taint; notice when somebody deletes it; `ecilet uninstall`"},
    {.resource = "nodes/status",
     .is_named = true,
     .verbs = "patch",
     .why = "capacity, addresses, conditions"},
    {.resource = "pods",
     .verbs = "get, list, watch, delete",
     .why = "see the pods of the node; remove a pod after its instance is gone"},
    {.resource = "pods/status", .verbs = "patch", .why = "phase, containers, addresses"},
    {.resource = "configmaps",
     .name = "eci-profile",
     .verbs = "get, list, watch",
     .why = "the eci-profile: which pods go to ECI, and with what"},
    {.resource = "namespaces",
     .verbs = "get, list, watch",
     .why = "the namespace labels that its selectors look at"},
    {.group = "admissionregistration.k8s.io",
     .resource = "mutatingwebhookconfigurations",
     .verbs = "create",
     .why = "WEBHOOK=true: register it"},
    {.group = "admissionregistration.k8s.io",
     .resource = "mutatingwebhookconfigurations",
     .name = "vk-webhook",
     .verbs = "get, patch, delete",
     .why = "... and keep it in step with the eci-profile"},
    {.resource = "events",
     .verbs = "create, patch",
     .why = "tell users what happens to their pods"},
    {.resource = "configmaps",
     .verbs = "get",
     .why = "variables and files of pods; each by its name, never a list"},
    {.resource = "secrets", .verbs = "get", .why = "likewise, and what pulls their images"},
    {.resource = "persistentvolumeclaims", .verbs = "get", .why = "volumes of pods"},
    {.resource = "persistentvolumes", .verbs = "get", .why = "what is behind a claim"},
    {.resource = "services",
     .verbs = "get, list",
     .why = "the variables of services (enableServiceLinks)"},
    {.resource = "serviceaccounts/token",
     .verbs = "create",
     .why = "tokens in projected volumes, bound to their pod"},
    {.group = "authentication.k8s.io",
     .resource = "tokenreviews",
     .verbs = "create",
     .why = "whose token is it that somebody shows to the kubelet port"},
    {.group = "authorization.k8s.io",
     .resource = "subjectaccessreviews",
     .verbs = "create",
     .why = "and may they"},
    {.is_lease_role = true,
     .group = "coordination.k8s.io",
     .resource = "leases",
     .verbs = "create",
     .why = "the node's heartbeat"},
    {.is_lease_role = true,
     .is_named = true,
     .group = "coordination.k8s.io",
     .resource = "leases",
     .verbs = "get, patch, delete",
     .why = "renew it"},
    {.group = "coordination.k8s.io",
     .resource = "leases",
     .verbs = "create",
     .why = "with LEADER_ELECT: who of several gateways acts"},
    {.is_leader_lease = true,
     .group = "coordination.k8s.io",
     .resource = "leases",
     .verbs = "get, patch, delete",
     .why = "renew it"},
    {.is_system_role = true,
     .resource = "secrets",
     .verbs = "create",
     .why = "WEBHOOK=true: the certificate that gateways share"},
    {.is_system_role = true,
     .resource = "secrets",
     .name = "vk-webhook-certs",
     .verbs = "get, patch, delete",
     .why = "... and its renewal"},
};

/* The parts of the permissions, and where each of them counts. */
enum part { PART_CLUSTER, PART_LEASES, PART_SYSTEM, PART_COUNT };

static const char *const part_namespaces[PART_COUNT] = {
    [PART_LEASES] = LEASE_NAMESPACE, [PART_SYSTEM] = SYSTEM_NAMESPACE};

static enum part part_of(const struct rule *rule)
{
    return rule->is_lease_role ? PART_LEASES : rule->is_system_role ? PART_SYSTEM : PART_CLUSTER;
}

static void put_rules(struct buf *out, enum part part, str node)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const struct rule *rule = &rules[i];
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

static void put_head(struct buf *out, const char *version, const char *kind, const char *name_space)
{
    buf_put_fmt(out, "---\napiVersion: %s\nkind: %s\nmetadata:\n  name: " ACCOUNT "\n", version,
                kind);
    if (name_space != NULL) {
        buf_put_fmt(out, "  namespace: %s\n", name_space);
    }
}

/* A role with its rules, and the account that has it. */
static void put_part(struct buf *out, enum part part, str node)
{
    const char *name_space = part_namespaces[part];
    const char *kind = name_space != NULL ? "Role" : "ClusterRole";
    put_head(out, "rbac.authorization.k8s.io/v1", kind, name_space);
    buf_put_text(out, "rules:\n");
    put_rules(out, part, node);
    put_head(out, "rbac.authorization.k8s.io/v1",
             name_space != NULL ? "RoleBinding" : "ClusterRoleBinding", name_space);
    buf_put_fmt(out,
                "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: %s\n  name: " ACCOUNT
                "\nsubjects:\n  - kind: ServiceAccount\n    name: " ACCOUNT
                "\n    namespace: " ACCOUNT_NAMESPACE "\n",
                kind);
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
    put_head(out, "v1", "ServiceAccount", ACCOUNT_NAMESPACE);
    for (int part = 0; part < PART_COUNT; part++) {
        put_part(out, (enum part)part, str_of(node));
    }
    return CLI_OK;
}
