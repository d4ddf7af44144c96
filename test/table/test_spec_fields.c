/*
 * What a pod can say beyond names, images and sizes, and what becomes of it (eci-api 2.1): for each
 * field a value that passes, one at the edge and one that is refused, with the words and the reason
 * of the event. The objects that the pods name are those of case_refs() in spec_case.h.
 */
#include "table/spec_case.h"

#include "base/codec.h"

#define ONE(members) "{'containers':[{'name':'a','image':'b:1'" members "}]}"
#define POD(members) "{'containers':[{'name':'a','image':'b:1'}]" members "}"
#define INIT(pod, members) \
    "{" pod "'initContainers':[{'name':'i','image':'b:1'" members "}]," \
    "'containers':[{'name':'a','image':'b:1'}]}"
#define VALUE_FROM(source) ",'env':[{'name':'A','valueFrom':{" source "}}]"
#define VOLUME(source) POD(",'volumes':[{'name':'v'," source "}]")
#define LIVE(members) ONE(",'livenessProbe':{" members "}")
#define HOOK(name, members) ONE(",'lifecycle':{'" name "':{" members "}}")
#define HARDENED \
    "'securityContext':{'allowPrivilegeEscalation':false,'readOnlyRootFilesystem':true," \
    "'procMount':'Default','capabilities':{'drop':['ALL']}}"
#define SECURITY(members) ONE(",'securityContext':{" members "}")
#define ENV_1 "Container.1.EnvironmentVar.1."
#define LIVENESS "Container.1.LivenessProbe."
#define FILE_1 "Volume.1.ConfigFileVolume.ConfigFileToPath.1."

static const struct field_case {
    const char *what;
    const char *spec;
    enum err err;
    const char *wants;  /* of the parameters, see case_wants(); NULL: refused */
    const char *remark; /* begin of the first refusal, or of the warning; NULL: none */
    const char *reason; /* of the event of that; NULL: the usual one */
} rows[] = {
    /* EnvVarSource.fieldRef */
    {"name", ONE(VALUE_FROM("'fieldRef':{'fieldPath':'metadata.name'}")), ERR_OK,
     ENV_1 "Key=A\n" ENV_1 "Value=web-0\n", NULL, NULL},
    {"namespace", ONE(VALUE_FROM("'fieldRef':{'fieldPath':'metadata.namespace'}")), ERR_OK,
     ENV_1 "Value=default\n", NULL, NULL},
    {"uid", ONE(VALUE_FROM("'fieldRef':{'apiVersion':'v1','fieldPath':'metadata.uid'}")), ERR_OK,
     ENV_1 "Value=6c1f9a52-5b0e-4f0e-9d39-0d0f6a2f1c11\n", NULL, NULL},
    {"label", ONE(VALUE_FROM("'fieldRef':{'fieldPath':'metadata.labels[\\u0027app\\u0027]'}")),
     ERR_OK, ENV_1 "Value=\n", NULL, NULL},
    {"node", ONE(VALUE_FROM("'fieldRef':{'fieldPath':'spec.nodeName'}")), ERR_OK,
     ENV_1 "Value=virtual-kubelet\n", NULL, NULL},
    {"account", ONE(VALUE_FROM("'fieldRef':{'fieldPath':'spec.serviceAccountName'}")), ERR_OK,
     ENV_1 "Value=default\n", NULL, NULL},
    {"host address", ONE(VALUE_FROM("'fieldRef':{'fieldPath':'status.hostIP'}")), ERR_OK,
     ENV_1 "Value=10.0.0.9\n", NULL, NULL},
    {"pod address", ONE(VALUE_FROM("'fieldRef':{'fieldPath':'status.podIP'}")), ERR_OK,
     ENV_1 "Key=A\n" ENV_1 "FieldRef.FieldPath=status.podIP\n!" ENV_1 "Value\n", NULL, NULL},
    {"pod addresses", ONE(VALUE_FROM("'fieldRef':{'fieldPath':'status.podIPs'}")), ERR_OK,
     ENV_1 "FieldRef.FieldPath=status.podIP\n", NULL, NULL},
    {"pod address inside of a text",
     ONE(",'env':[{'name':'A','valueFrom':{'fieldRef':{'fieldPath':'status.podIP'}}}],"
         "'args':['--ip=$(A)']"),
     ERR_OK, "Container.1.Arg.1=--ip=$(A)\n",
     "spec.containers[0].args[0]: the pod's address is not known", NULL},
    {"pod address that is not meant",
     ONE(",'env':[{'name':'A','valueFrom':{'fieldRef':{'fieldPath':'status.podIP'}}}],"
         "'args':['$$(A) $(B$(A)']"),
     ERR_OK, "Container.1.Arg.1=$(A) $(B$(A)\n", NULL, NULL},
    {"pod address behind a dollar",
     ONE(",'env':[{'name':'A','valueFrom':{'fieldRef':{'fieldPath':'status.podIP'}}}],"
         "'args':['$$$(A)']"),
     ERR_OK, "Container.1.Arg.1=$$(A)\n",
     "spec.containers[0].args[0]: the pod's address is not known", NULL},
    {"other field", ONE(VALUE_FROM("'fieldRef':{'fieldPath':'spec.hostname'}")), ERR_UNSUPPORTED,
     NULL, "spec.containers[0].env[0].valueFrom.fieldRef: the field \"spec.hostname\"", NULL},
    {"all labels", ONE(VALUE_FROM("'fieldRef':{'fieldPath':'metadata.labels'}")), ERR_UNSUPPORTED,
     NULL, "spec.containers[0].env[0].valueFrom.fieldRef: the field \"metadata.labels\"", NULL},
    /* EnvVarSource.resourceFieldRef */
    {"cpu limit",
     ONE(",'resources':{'limits':{'cpu':'1500m'}}" VALUE_FROM(
         "'resourceFieldRef':{'resource':'limits.cpu'}")),
     ERR_OK, ENV_1 "Value=2\n", NULL, NULL},
    {"cpu limit in thousandths",
     ONE(",'resources':{'limits':{'cpu':'1500m'}}" VALUE_FROM(
         "'resourceFieldRef':{'resource':'limits.cpu','divisor':'1m'}")),
     ERR_OK, ENV_1 "Value=1500\n", NULL, NULL},
    {"memory in Mi",
     ONE(",'resources':{'requests':{'memory':'1Gi'}}" VALUE_FROM(
         "'resourceFieldRef':{'resource':'requests.memory','divisor':'1Mi'}")),
     ERR_OK, ENV_1 "Value=1024\n", NULL, NULL},
    {"no limit: the instance's", ONE(VALUE_FROM("'resourceFieldRef':{'resource':'limits.cpu'}")),
     ERR_OK, "Cpu=2\n" ENV_1 "Value=2\n", NULL, NULL},
    {"no memory limit: the instance's",
     ONE(VALUE_FROM("'resourceFieldRef':{'resource':'limits.memory','divisor':0}")), ERR_OK,
     ENV_1 "Value=4294967296\n", NULL, NULL},
    {"another container's",
     "{'containers':[{'name':'a','image':'b:1','env':[{'name':'A','valueFrom':{'resourceFieldRef':"
     "{'resource':'limits.cpu','containerName':'c'}}}]},{'name':'c','image':'d:1','resources':"
     "{'limits':{'cpu':'3'}}}]}",
     ERR_OK, ENV_1 "Value=3\n", NULL, NULL},
    {"nobody's",
     ONE(VALUE_FROM("'resourceFieldRef':{'resource':'limits.cpu','containerName':'x'}")),
     ERR_UNSUPPORTED, NULL,
     "spec.containers[0].env[0].valueFrom.resourceFieldRef: there is no container \"x\"", NULL},
    {"other resource", ONE(VALUE_FROM("'resourceFieldRef':{'resource':'limits.hugepages-2Mi'}")),
     ERR_UNSUPPORTED, NULL,
     "spec.containers[0].env[0].valueFrom.resourceFieldRef: \"limits.hugepages-2Mi\"", NULL},
    {"odd divisor", ONE(VALUE_FROM("'resourceFieldRef':{'resource':'limits.cpu','divisor':'x'}")),
     ERR_UNSUPPORTED, NULL,
     "spec.containers[0].env[0].valueFrom.resourceFieldRef: its divisor is not", NULL},
    /* configMapKeyRef, secretKeyRef: eight ways not to be there */
    {"key of a ConfigMap", ONE(VALUE_FROM("'configMapKeyRef':{'name':'map','key':'a'}")), ERR_OK,
     ENV_1 "Value=one\n", NULL, NULL},
    {"key with a dot", ONE(VALUE_FROM("'configMapKeyRef':{'name':'map','key':'b.conf'}")), ERR_OK,
     ENV_1 "Value=two\n", NULL, NULL},
    {"key of a Secret", ONE(VALUE_FROM("'secretKeyRef':{'name':'secret','key':'key'}")), ERR_OK,
     ENV_1 "Value=hunter2\n", NULL, NULL},
    {"no ConfigMap", ONE(VALUE_FROM("'configMapKeyRef':{'name':'none','key':'a'}")), ERR_BUSY, NULL,
     "spec.containers[0].env[0].valueFrom.configMapKeyRef: there is no ConfigMap default/none",
     "MandatoryConfigMapNotFound"},
    {"no ConfigMap, optional",
     ONE(VALUE_FROM("'configMapKeyRef':{'name':'none','key':'a','optional':true}")), ERR_OK,
     "!" ENV_1 "Key\n",
     "spec.containers[0].env[0].valueFrom.configMapKeyRef: there is no ConfigMap default/none, ",
     "OptionalConfigMapNotFound"},
    {"no key", ONE(VALUE_FROM("'configMapKeyRef':{'name':'map','key':'x'}")), ERR_BUSY, NULL,
     "spec.containers[0].env[0].valueFrom.configMapKeyRef: ConfigMap default/map has no key \"x\"",
     "MandatoryConfigMapKeyNotFound"},
    {"no key, optional",
     ONE(VALUE_FROM("'configMapKeyRef':{'name':'map','key':'x','optional':true}")), ERR_OK,
     "!" ENV_1 "Key\n", "spec.containers[0].env[0].valueFrom.configMapKeyRef: ConfigMap ",
     "OptionalConfigMapKeyNotFound"},
    {"no Secret", ONE(VALUE_FROM("'secretKeyRef':{'name':'none','key':'a'}")), ERR_BUSY, NULL,
     "spec.containers[0].env[0].valueFrom.secretKeyRef: there is no Secret default/none",
     "MandatorySecretNotFound"},
    {"no Secret, optional",
     ONE(VALUE_FROM("'secretKeyRef':{'name':'none','key':'a','optional':true}")), ERR_OK,
     "!" ENV_1 "Key\n", "spec.containers[0].env[0].valueFrom.secretKeyRef: there is no Secret ",
     "OptionalSecretNotFound"},
    {"no key of a Secret", ONE(VALUE_FROM("'secretKeyRef':{'name':'secret','key':'x'}")), ERR_BUSY,
     NULL, "spec.containers[0].env[0].valueFrom.secretKeyRef: Secret ",
     "MandatorySecretKeyNotFound"},
    {"no key of a Secret, optional",
     ONE(VALUE_FROM("'secretKeyRef':{'name':'secret','key':'x','optional':true}")), ERR_OK,
     "!" ENV_1 "Key\n", "spec.containers[0].env[0].valueFrom.secretKeyRef: Secret ",
     "OptionalSecretKeyNotFound"},
    {"may not be read", ONE(VALUE_FROM("'configMapKeyRef':{'name':'denied','key':'a'}")), ERR_BUSY,
     NULL,
     "spec.containers[0].env[0].valueFrom.configMapKeyRef: ConfigMap default/denied cannot be "
     "read: 403: forbidden",
     "FailedToReadMandatoryConfigMap"},
    {"could not be read",
     ONE(VALUE_FROM("'secretKeyRef':{'name':'failed','key':'a','optional':true}")), ERR_BUSY, NULL,
     "spec.containers[0].env[0].valueFrom.secretKeyRef: Secret default/failed cannot be read: no",
     "FailedToReadOptionalSecret"},
    {"was not read", ONE(VALUE_FROM("'secretKeyRef':{'name':'later','key':'a'}")), ERR_BUSY, NULL,
     "spec.containers[0].env[0].valueFrom.secretKeyRef: Secret default/later was not read yet",
     NULL},
    {"no base64", ONE(VALUE_FROM("'secretKeyRef':{'name':'secret','key':'bad'}")), ERR_BUSY, NULL,
     "spec.containers[0].env[0].valueFrom.secretKeyRef: its value is not base64", NULL},
    {"no name", ONE(VALUE_FROM("'secretKeyRef':{'key':'bad'}")), ERR_UNSUPPORTED, NULL,
     "spec.containers[0].env[0].valueFrom.secretKeyRef: needs the name of a Secret", NULL},
    {"refused and waiting: refused",
     ONE(",'tty':'x'" VALUE_FROM("'secretKeyRef':{'name':'none','key':'a'}")), ERR_UNSUPPORTED,
     NULL, "spec.containers[0].tty: must be true or false", NULL},
    /* envFrom */
    {"whole ConfigMap", ONE(",'envFrom':[{'prefix':'P_','configMapRef':{'name':'map'}}]"), ERR_OK,
     ENV_1 "Key=P_a\n" ENV_1 "Value=one\nContainer.1.EnvironmentVar.2.Key=P_b.conf\n"
           "Container.1.EnvironmentVar.3.Key=P_7x\n!Container.1.EnvironmentVar.4.Key\n",
     "spec.containers[0]: variable P_b.conf", NULL},
    {"names that are none", ONE(",'envFrom':[{'configMapRef':{'name':'map'}}]"), ERR_OK,
     ENV_1 "Key=a\nContainer.1.EnvironmentVar.2.Key=b.conf\n!Container.1.EnvironmentVar.3.Key\n",
     "spec.containers[0].envFrom[0].configMapRef: 1 keys are no names of variables and are left "
     "out: 7x",
     "InvalidEnvironmentVariableNames"},
    {"env wins over envFrom",
     ONE(",'env':[{'name':'user','value':'$(user)!'}],'envFrom':[{'secretRef':{'name':'good'}}]"),
     ERR_OK, ENV_1 "Key=user\n" ENV_1 "Value=root!\n!Container.1.EnvironmentVar.2.Key\n", NULL,
     NULL},
    {"no Secret at all", ONE(",'envFrom':[{'secretRef':{'name':'none'}}]"), ERR_BUSY, NULL,
     "spec.containers[0].envFrom[0].secretRef: there is no Secret default/none",
     "MandatorySecretNotFound"},
    {"optional ConfigMap at all",
     ONE(",'envFrom':[{'configMapRef':{'name':'none','optional':true}}]"), ERR_OK,
     "!" ENV_1 "Key\n", "spec.containers[0].envFrom[0].configMapRef: there is no ConfigMap ",
     "OptionalConfigMapNotFound"},
    {"neither", ONE(",'envFrom':[{'prefix':'x'}]"), ERR_UNSUPPORTED, NULL,
     "spec.containers[0].envFrom[0]: needs a configMapRef or a secretRef", NULL},
    /* Probe */
    {"http probe",
     ONE(",'ports':[{'name':'web','containerPort':8080}],'livenessProbe':{'httpGet':{'path':'/x',"
         "'port':'web','scheme':'HTTPS'},'initialDelaySeconds':5,'periodSeconds':10,"
         "'timeoutSeconds':2,'successThreshold':1,'failureThreshold':3}"),
     ERR_OK,
     LIVENESS "HttpGet.Path=/x\n" LIVENESS "HttpGet.Port=8080\n" LIVENESS
              "HttpGet.Scheme=HTTPS\n" LIVENESS "InitialDelaySeconds=5\n" LIVENESS
              "PeriodSeconds=10\n" LIVENESS "TimeoutSeconds=2\n" LIVENESS
              "SuccessThreshold=1\n" LIVENESS "FailureThreshold=3\n",
     NULL, NULL},
    {"exec probe",
     ONE(",'env':[{'name':'A','value':'1'}],'readinessProbe':{'exec':{'command':['x','$(A)']}}"),
     ERR_OK,
     "Container.1.ReadinessProbe.Exec.Command.1=x\nContainer.1.ReadinessProbe.Exec.Command.2=1\n"
     "!Container.1.ReadinessProbe.PeriodSeconds\n",
     NULL, NULL},
    {"tcp probe", LIVE("'tcpSocket':{'port':65535}"), ERR_OK, LIVENESS "TcpSocket.Port=65535\n",
     NULL, NULL},
    {"port as text", LIVE("'tcpSocket':{'port':'80'}"), ERR_OK, LIVENESS "TcpSocket.Port=80\n",
     NULL, NULL},
    {"unknown port", LIVE("'tcpSocket':{'port':'web'}"), ERR_UNSUPPORTED, NULL,
     "spec.containers[0].livenessProbe.tcpSocket: its port must be", NULL},
    {"port 0", LIVE("'tcpSocket':{'port':0}"), ERR_UNSUPPORTED, NULL,
     "spec.containers[0].livenessProbe.tcpSocket: its port must be", NULL},
    {"two actions", LIVE("'tcpSocket':{'port':1},'exec':{'command':['x']}"), ERR_UNSUPPORTED, NULL,
     "spec.containers[0].livenessProbe: exec, httpGet and tcpSocket exclude", NULL},
    {"no action", LIVE("'periodSeconds':1"), ERR_UNSUPPORTED, NULL,
     "spec.containers[0].livenessProbe: needs exec", NULL},
    {"no command", LIVE("'exec':{}"), ERR_UNSUPPORTED, NULL,
     "spec.containers[0].livenessProbe.exec: needs a command", NULL},
    {"negative period", LIVE("'tcpSocket':{'port':1},'periodSeconds':-1"), ERR_UNSUPPORTED, NULL,
     "spec.containers[0].livenessProbe.periodSeconds: must not be negative", NULL},
    {"two successes", ONE(",'readinessProbe':{'tcpSocket':{'port':1},'successThreshold':2}"),
     ERR_UNSUPPORTED, NULL,
     "spec.containers[0].readinessProbe.successThreshold: the cloud counts one", NULL},
    {"gRPC probe", LIVE("'grpc':{'port':1}"), ERR_UNSUPPORTED, NULL,
     "spec.containers[0].livenessProbe.grpc: the cloud has no gRPC probes", NULL},
    {"probe with headers", LIVE("'httpGet':{'port':1,'httpHeaders':[{'name':'X','value':'y'}]}"),
     ERR_UNSUPPORTED, NULL, "spec.containers[0].livenessProbe.httpGet.httpHeaders: probes", NULL},
    {"probe of another scheme", LIVE("'httpGet':{'port':1,'scheme':'FTP'}"), ERR_UNSUPPORTED, NULL,
     "spec.containers[0].livenessProbe.httpGet: its scheme must be", NULL},
    {"probe of an init container", INIT("", ",'readinessProbe':{'tcpSocket':{'port':1}}"),
     ERR_UNSUPPORTED, NULL, "spec.initContainers[0].readinessProbe: init containers have no", NULL},
    /* Lifecycle */
    {"exec hook", HOOK("preStop", "'exec':{'command':['x','$(A)']}"), ERR_OK,
     "Container.1.LifecyclePreStopHandlerExec.1=x\n"
     "Container.1.LifecyclePreStopHandlerExec.2=$(A)\n",
     NULL, NULL},
    {"http hook",
     HOOK("postStart", "'httpGet':{'host':'h','path':'/p','port':80,'scheme':'HTTP','httpHeaders':"
                       "[{'name':'X','value':'y'}]}"),
     ERR_OK,
     "Container.1.LifecyclePostStartHandlerHttpGetHost=h\n"
     "Container.1.LifecyclePostStartHandlerHttpGetPath=/p\n"
     "Container.1.LifecyclePostStartHandlerHttpGetPort=80\n"
     "Container.1.LifecyclePostStartHandlerHttpGetScheme=HTTP\n"
     "Container.1.LifecyclePostStartHandlerHttpGetHttpHeader.1.Name=X\n"
     "Container.1.LifecyclePostStartHandlerHttpGetHttpHeader.1.Value=y\n",
     NULL, NULL},
    {"tcp hook", HOOK("preStop", "'tcpSocket':{'host':'h','port':1}"), ERR_OK,
     "Container.1.LifecyclePreStopHandlerTcpSocketHost=h\n"
     "Container.1.LifecyclePreStopHandlerTcpSocketPort=1\n",
     NULL, NULL},
    {"sleep hook", HOOK("preStop", "'sleep':{'seconds':1}"), ERR_UNSUPPORTED, NULL,
     "spec.containers[0].lifecycle.preStop.sleep: the cloud has no such hook", NULL},
    /* SecurityContext */
    {"user and group",
     SECURITY("'runAsUser':0,'runAsGroup':0,'readOnlyRootFilesystem':true,"
              "'capabilities':{'add':['CAP_NET_ADMIN','SYS_PTRACE']}"),
     ERR_OK,
     "Container.1.SecurityContext.Capability.Add.1=NET_ADMIN\n"
     "Container.1.SecurityContext.Capability.Add.2=SYS_PTRACE\n"
     "Container.1.SecurityContext.ReadOnlyRootFilesystem=true\n"
     "Container.1.SecurityContext.RunAsUser=0\nContainer.1.SecurityContextRunAsGroup=0\n"
     "!Container.1.SecurityContextRunAsNonRoot\n",
     NULL, NULL},
    {"the pod's user, the container's group",
     "{'securityContext':{'runAsUser':1000,'runAsGroup':1,'runAsNonRoot':true},'containers':["
     "{'name':'a','image':'b:1','securityContext':{'runAsGroup':2}}]}",
     ERR_OK,
     "Container.1.SecurityContext.RunAsUser=1000\nContainer.1.SecurityContextRunAsGroup=2\n"
     "Container.1.SecurityContextRunAsNonRoot=true\n"
     "!Container.1.SecurityContext.ReadOnlyRootFilesystem\n",
     NULL, NULL},
    {"false is not sent", SECURITY("'readOnlyRootFilesystem':false,'runAsNonRoot':false"), ERR_OK,
     "!Container.1.SecurityContext.ReadOnlyRootFilesystem\n"
     "!Container.1.SecurityContextRunAsNonRoot\n",
     NULL, NULL},
    {"root and not", SECURITY("'runAsNonRoot':true,'runAsUser':0"), ERR_UNSUPPORTED, NULL,
     "spec.containers[0].securityContext: runAsNonRoot and user 0", NULL},
    {"negative user", SECURITY("'runAsUser':-1"), ERR_UNSUPPORTED, NULL,
     "spec.containers[0].securityContext.runAsUser: must not be negative", NULL},
    {"unknown capability", SECURITY("'capabilities':{'add':['SYS_ADMIN']}"), ERR_UNSUPPORTED, NULL,
     "spec.containers[0].securityContext.capabilities.add[0]: the cloud does not give", NULL},
    {"dropped capability", SECURITY("'capabilities':{'drop':['ALL'],'add':['CHOWN']}"), ERR_OK,
     "Container.1.SecurityContext.Capability.Add.1=CHOWN\n",
     "spec.containers[0].securityContext.capabilities.drop: not applied: the cloud cannot take",
     NULL},
    {"Pod Security \"restricted\", in two containers",
     "{'securityContext':{'runAsNonRoot':true,'fsGroup':2000,'fsGroupChangePolicy':"
     "'OnRootMismatch','supplementalGroups':[3000],'seccompProfile':{'type':'RuntimeDefault'}},"
     "'containers':[{'name':'a','image':'b:1'," HARDENED "},{'name':'c','image':'b:1'," HARDENED
     "}]}",
     ERR_OK,
     "Container.1.SecurityContext.ReadOnlyRootFilesystem=true\n"
     "Container.1.SecurityContextRunAsNonRoot=true\n"
     "Container.2.SecurityContext.ReadOnlyRootFilesystem=true\n"
     "Container.2.SecurityContextRunAsNonRoot=true\n",
     "spec.securityContext.fsGroup: not applied: files of volumes keep the group that they have; "
     "spec.securityContext.supplementalGroups: not applied: the cloud has no parameter for it; "
     "spec.containers[0].securityContext.allowPrivilegeEscalation: not applied: the cloud has no "
     "parameter for it; "
     "spec.containers[0].securityContext.capabilities.drop: not applied: the cloud cannot take "
     "capabilities away",
     NULL},
    {"a seccomp profile of the host",
     POD(",'securityContext':{'seccompProfile':{'type':'Localhost','localhostProfile':'a'}}"),
     ERR_OK, "Container.1.Name=a\n", "spec.securityContext.seccompProfile: not applied: ", NULL},
    {"privileged", SECURITY("'privileged':true"), ERR_UNSUPPORTED, NULL,
     "spec.containers[0].securityContext.privileged: instances do not", NULL},
    {"user of an init container",
     INIT("'securityContext':{'runAsNonRoot':true},", ",'securityContext':{'runAsUser':7}"), ERR_OK,
     "Container.1.SecurityContextRunAsNonRoot=true\nInitContainer.1.SecurityContext.RunAsUser=7\n"
     "!InitContainer.1.SecurityContextRunAsNonRoot\n",
     NULL, NULL},
    {"group of an init container", INIT("'securityContext':{'runAsGroup':7},", ""), ERR_OK,
     "Container.1.SecurityContextRunAsGroup=7\n!InitContainer.1.SecurityContextRunAsGroup\n",
     "spec.initContainers[0].securityContext.runAsGroup: not applied: the cloud has it", NULL},
    {"unchecked init container", INIT("'securityContext':{'runAsNonRoot':true},", ""), ERR_OK,
     "Container.1.SecurityContextRunAsNonRoot=true\n",
     "spec.initContainers[0].securityContext.runAsNonRoot: not checked: the cloud does so", NULL},
    /* sysctls */
    {"sysctls",
     POD(",'securityContext':{'sysctls':[{'name':'net.core.somaxconn','value':'1024'},{'name':"
         "'net.ipv4.ping_group_range','value':'0 1'},{'name':'kernel.shmmax','value':'1'}]}"),
     ERR_OK,
     "SecurityContext.Sysctl.1.Name=net.ipv4.ping_group_range\nSecurityContext.Sysctl.1.Value=0 1\n"
     "HostSecurityContext.Sysctl.1.Name=net.core.somaxconn\n"
     "HostSecurityContext.Sysctl.1.Value=1024\n"
     "HostSecurityContext.Sysctl.2.Name=kernel.shmmax\n",
     NULL, NULL},
    {"sysctl that is left alone",
     POD(",'securityContext':{'sysctls':[{'name':'net.ipv4.tcp_syncookies','value':'1'}]}"),
     ERR_UNSUPPORTED, NULL, "spec.securityContext.sysctls[0]: the cloud does not set", NULL},
    {"sysctl of the host",
     POD(",'securityContext':{'sysctls':[{'name':'kernel.panic','value':'1'}]}"), ERR_UNSUPPORTED,
     NULL, "spec.securityContext.sysctls[0]: the cloud does not set \"kernel.panic\"", NULL},
    /* dnsPolicy, dnsConfig */
    {"own resolver",
     POD(",'dnsPolicy':'None','dnsConfig':{'nameservers':['1.1.1.1','::1'],'searches':['a.b'],"
         "'options':[{'name':'ndots','value':'2'},{'name':'edns0'}]}"),
     ERR_OK,
     "DnsPolicy=None\nDnsConfig.NameServer.1=1.1.1.1\nDnsConfig.NameServer.2=::1\n"
     "DnsConfig.Search.1=a.b\nDnsConfig.Option.1.Name=ndots\nDnsConfig.Option.1.Value=2\n"
     "DnsConfig.Option.2.Name=edns0\n!DnsConfig.Option.2.Value\n",
     NULL, NULL},
    {"cloud's resolver", POD(",'dnsPolicy':'ClusterFirst','dnsConfig':{}"), ERR_OK, "!DnsPolicy\n",
     NULL, NULL},
    {"options without None", POD(",'dnsConfig':{'options':[{'name':'ndots','value':'2'}]}"), ERR_OK,
     "!DnsPolicy\n!DnsConfig.Option.1.Name\n", "spec.dnsConfig: its options are left out", NULL},
    {"servers without None", POD(",'dnsConfig':{'nameservers':['1.1.1.1']}"), ERR_UNSUPPORTED, NULL,
     "spec.dnsConfig: the cloud takes resolver settings only", NULL},
    {"None without servers", POD(",'dnsPolicy':'None'"), ERR_UNSUPPORTED, NULL,
     "spec.dnsConfig: dnsPolicy None needs", NULL},
    {"four servers", POD(",'dnsPolicy':'None','dnsConfig':{'nameservers':['1','2','3','4']}"),
     ERR_UNSUPPORTED, NULL, "spec.dnsConfig: 4 servers and 0 search domains", NULL},
    {"unknown policy", POD(",'dnsPolicy':'Mine'"), ERR_UNSUPPORTED, NULL, "spec.dnsPolicy: must be",
     NULL},
    /* imagePullSecrets */
    {"pull secrets", POD(",'imagePullSecrets':[{'name':'pull'},{'name':'pull-old'},{}]"), ERR_OK,
     "ImageRegistryCredential.1.Server=r.example.com\nImageRegistryCredential.1.UserName=u\n"
     "ImageRegistryCredential.1.Password=p:w\nImageRegistryCredential.2.Server=q.example.com\n"
     "ImageRegistryCredential.2.UserName=n\nImageRegistryCredential.2.Password=m\n"
     "ImageRegistryCredential.3.Server=p.example.com\nImageRegistryCredential.3.Password=w\n",
     "spec.imagePullSecrets[0]: an entry without", NULL},
    {"two logins for one host", POD(",'imagePullSecrets':[{'name':'pull-more'},{'name':'pull'}]"),
     ERR_OK,
     "ImageRegistryCredential.1.UserName=x\nImageRegistryCredential.2.UserName=n\n"
     "!ImageRegistryCredential.3.Server\n",
     "spec.imagePullSecrets[1]: another login for r.example.com is left out: an instance knows",
     NULL},
    {"no pull secret", POD(",'imagePullSecrets':[{'name':'none'}]"), ERR_OK,
     "!ImageRegistryCredential.1.Server\n", "spec.imagePullSecrets[0]: there is no Secret",
     "FailedToRetrieveImagePullSecret"},
    {"pull secret of another kind", POD(",'imagePullSecrets':[{'name':'good'}]"), ERR_OK,
     "!ImageRegistryCredential.1.Server\n", "spec.imagePullSecrets[0]: the Secret has no", NULL},
    {"pull secret later", POD(",'imagePullSecrets':[{'name':'failed'}]"), ERR_BUSY, NULL,
     "spec.imagePullSecrets[0]: Secret default/failed cannot be read",
     "FailedToReadMandatorySecret"},
    /* VolumeMount */
    {"mounts",
     "{'volumes':[{'name':'v'}],'containers':[{'name':'a','image':'b:1','env':[{'name':'A',"
     "'value':'x'}],'volumeMounts':[{'name':'v','mountPath':'/m',"
     "'subPathExpr':'d/$(A)','mountPropagation':'HostToContainer'},{'name':'v','mountPath':"
     "'/n','mountPropagation':'None'}]}]}",
     ERR_OK,
     "Container.1.VolumeMount.1.SubPath=d/x\n"
     "Container.1.VolumeMount.1.MountPropagation=HostToContainer\n"
     "!Container.1.VolumeMount.2.MountPropagation\n",
     NULL, NULL},
    {"mount of a volume that is not there", ONE(",'volumeMounts':[{'name':'w','mountPath':'/m'}]"),
     ERR_UNSUPPORTED, NULL, "spec.containers[0].volumeMounts[0].name: there is no volume \"w\"",
     NULL},
    {"two volumes of one name", POD(",'volumes':[{'name':'v'},{'name':'w'},{'name':'v'}]"),
     ERR_UNSUPPORTED, NULL, "spec.volumes[2].name: there is another volume \"v\"", NULL},
    {"two containers of one name",
     "{'containers':[{'name':'a','image':'b:1'},{'name':'a','image':'b:1'}]}", ERR_UNSUPPORTED,
     NULL, "spec.containers[1].name: there is another container \"a\"", NULL},
    {"an init container of that name",
     "{'initContainers':[{'name':'a','image':'b:1'}],'containers':[{'name':'a','image':'b:1'}]}",
     ERR_UNSUPPORTED, NULL, "spec.containers[0].name: there is another container \"a\"", NULL},
    {"path that leaves",
     ONE(",'volumeMounts':[{'name':'v','mountPath':'/m','subPath':'a/../../b'}]"), ERR_UNSUPPORTED,
     NULL, "spec.containers[0].volumeMounts[0]: the path inside", NULL},
    {"path from the root", ONE(",'volumeMounts':[{'name':'v','mountPath':'/m','subPath':'/a'}]"),
     ERR_UNSUPPORTED, NULL, "spec.containers[0].volumeMounts[0]: the path inside", NULL},
    {"unknown variable",
     ONE(",'volumeMounts':[{'name':'v','mountPath':'/m','subPathExpr':'$(A)'}]"), ERR_UNSUPPORTED,
     NULL, "spec.containers[0].volumeMounts[0]: subPathExpr names", NULL},
    {"both paths",
     ONE(",'volumeMounts':[{'name':'v','mountPath':'/m','subPath':'a','subPathExpr':'b'}]"),
     ERR_UNSUPPORTED, NULL, "spec.containers[0].volumeMounts[0]: subPath and subPathExpr", NULL},
    {"unknown propagation",
     ONE(",'volumeMounts':[{'name':'v','mountPath':'/m','mountPropagation':'x'}]"), ERR_UNSUPPORTED,
     NULL, "spec.containers[0].volumeMounts[0].mountPropagation: must be", NULL},
    /* Volumes made of files */
    {"ConfigMap", VOLUME("'configMap':{'name':'map','defaultMode':420}"), ERR_OK,
     "Volume.1.Name=v\nVolume.1.Type=ConfigFileVolume\nVolume.1.ConfigFileVolume.DefaultMode=0644"
     "\n" FILE_1 "Path=a\n" FILE_1 "Content=b25l\n"
     "Volume.1.ConfigFileVolume.ConfigFileToPath.4.Path=bin\n"
     "Volume.1.ConfigFileVolume.ConfigFileToPath.4.Content=AAEC\n!" FILE_1 "Mode\n",
     NULL, NULL},
    {"one key", VOLUME("'configMap':{'name':'map','items':[{'key':'bin','path':'d/e','mode':0}]}"),
     ERR_OK,
     FILE_1 "Path=d/e\n" FILE_1 "Content=AAEC\n" FILE_1 "Mode=0000\n"
            "!Volume.1.ConfigFileVolume.DefaultMode\n"
            "!Volume.1.ConfigFileVolume.ConfigFileToPath.2.Path\n",
     NULL, NULL},
    {"Secret", VOLUME("'secret':{'secretName':'good','defaultMode':256}"), ERR_OK,
     "Volume.1.ConfigFileVolume.DefaultMode=0400\n" FILE_1 "Path=user\n" FILE_1
     "Content=cm9vdA==\n",
     NULL, NULL},
    {"optional ConfigMap is an empty folder", VOLUME("'configMap':{'name':'none','optional':true}"),
     ERR_OK, "Volume.1.Type=EmptyDirVolume\n", "spec.volumes[0].configMap: there is no",
     "OptionalConfigMapNotFound"},
    {"mandatory Secret", VOLUME("'secret':{'secretName':'none'}"), ERR_BUSY, NULL,
     "spec.volumes[0].secret: there is no Secret default/none", "MandatorySecretNotFound"},
    {"mandatory key", VOLUME("'configMap':{'name':'map','items':[{'key':'x','path':'y'}]}"),
     ERR_BUSY, NULL, "spec.volumes[0].configMap: ConfigMap default/map has no key",
     "MandatoryConfigMapKeyNotFound"},
    {"optional key",
     VOLUME("'secret':{'secretName':'good','optional':true,'items':[{'key':'x','path':'y'}]}"),
     ERR_OK, "Volume.1.Type=EmptyDirVolume\n", "spec.volumes[0].secret: Secret default/good has no",
     "OptionalSecretKeyNotFound"},
    {"file that leaves", VOLUME("'configMap':{'name':'map','items':[{'key':'a','path':'../a'}]}"),
     ERR_UNSUPPORTED, NULL, "spec.volumes[0].configMap.items[0]: the path of a file", NULL},
    {"odd mode", VOLUME("'configMap':{'name':'map','defaultMode':512}"), ERR_UNSUPPORTED, NULL,
     "spec.volumes[0].configMap.defaultMode: must be 0 to 511", NULL},
    {"fields",
     VOLUME("'downwardAPI':{'items':[{'path':'n','fieldRef':{'fieldPath':'metadata.name'}},"
            "{'path':'c','mode':292,'resourceFieldRef':{'containerName':'a','resource':"
            "'limits.cpu'}}]}"),
     ERR_OK,
     FILE_1 "Path=n\n" FILE_1 "Content=d2ViLTA=\n"
            "Volume.1.ConfigFileVolume.ConfigFileToPath.2.Content=Mg==\n"
            "Volume.1.ConfigFileVolume.ConfigFileToPath.2.Mode=0444\n",
     NULL, NULL},
    {"address in a file",
     VOLUME("'downwardAPI':{'items':[{'path':'n','fieldRef':{'fieldPath':'status.podIP'}}]}"),
     ERR_UNSUPPORTED, NULL, "spec.volumes[0].downwardAPI.items[0].fieldRef: the field", NULL},
    {"resource of no container",
     VOLUME("'downwardAPI':{'items':[{'path':'n','resourceFieldRef':{'resource':'limits.cpu'}}]}"),
     ERR_UNSUPPORTED, NULL,
     "spec.volumes[0].downwardAPI.items[0].resourceFieldRef: there is no container", NULL},
    {"projected",
     VOLUME("'projected':{'defaultMode':292,'sources':[{'configMap':{'name':'map','items':[{'key':"
            "'a','path':'a'}]}},{'secret':{'name':'good','items':[{'key':'user','path':'a'}]}},"
            "{'downwardAPI':{'items':[{'path':'n','fieldRef':{'fieldPath':'metadata.name'}}]}},"
            "{'serviceAccountToken':{'audience':'vault','expirationSeconds':7200,'path':'t'}}]}"),
     ERR_OK,
     "Volume.1.ConfigFileVolume.DefaultMode=0444\n" FILE_1 "Path=a\n" FILE_1 "Content=cm9vdA==\n"
     "Volume.1.ConfigFileVolume.ConfigFileToPath.2.Path=n\n"
     "Volume.1.ConfigFileVolume.ConfigFileToPath.3.Path=t\n"
     "Volume.1.ConfigFileVolume.ConfigFileToPath.3.Content=dC5vLms=\n",
     "spec.volumes[0].projected.sources[3].serviceAccountToken: the token ends at 2024-01-02",
     "ServiceAccountTokenNotRenewed"},
    {"other token",
     VOLUME("'projected':{'sources':[{'serviceAccountToken':{'audience':'x','path':'t'}}]}"),
     ERR_BUSY, NULL, "spec.volumes[0].projected.sources[0].serviceAccountToken: there is no token",
     "FailedMount"},
    {"trust bundle", VOLUME("'projected':{'sources':[{'clusterTrustBundle':{'path':'t'}}]}"),
     ERR_UNSUPPORTED, NULL, "spec.volumes[0].projected.sources[0].clusterTrustBundle: ", NULL},
    /* Volumes of the cloud */
    {"NFS", VOLUME("'nfs':{'server':'s','path':'/p','readOnly':true}"), ERR_OK,
     "Volume.1.Type=NFSVolume\nVolume.1.NFSVolume.Server=s\nVolume.1.NFSVolume.Path=/p\n"
     "Volume.1.NFSVolume.ReadOnly=true\n",
     NULL, NULL},
    {"NFS without path", VOLUME("'nfs':{'server':'s'}"), ERR_UNSUPPORTED, NULL,
     "spec.volumes[0].nfs: needs a server and a path", NULL},
    {"flex disk",
     VOLUME("'flexVolume':{'driver':'alicloud/disk','fsType':'ext4','options':{'volumeId':'d'}}"),
     ERR_OK,
     "Volume.1.Type=FlexVolume\nVolume.1.FlexVolume.Driver=alicloud/disk\n"
     "Volume.1.FlexVolume.FsType=ext4\nVolume.1.FlexVolume.Options={\"volumeId\":\"d\"}\n",
     NULL, NULL},
    {"flex OSS with keys",
     VOLUME("'flexVolume':{'driver':'alicloud/oss','secretRef':{'name':'keys'},'options':{'bucket':"
            "'b'}}"),
     ERR_OK,
     "Volume.1.FlexVolume.Options={\"bucket\":\"b\",\"akId\":\"id\",\"akSecret\":\"hunter2\"}\n",
     NULL, NULL},
    {"file system of a disk", VOLUME("'flexVolume':{'driver':'alicloud/disk','fsType':'btrfs'}"),
     ERR_UNSUPPORTED, NULL, "spec.volumes[0].flexVolume: its fsType must be", NULL},
    {"file system of NAS", VOLUME("'flexVolume':{'driver':'alicloud/nas','fsType':'nfs'}"), ERR_OK,
     "Volume.1.FlexVolume.Driver=alicloud/nas\n!Volume.1.FlexVolume.FsType\n", NULL, NULL},
    {"other flex driver", VOLUME("'flexVolume':{'driver':'x/y'}"), ERR_UNSUPPORTED, NULL,
     "spec.volumes[0].flexVolume: the driver \"x/y\" is none of", NULL},
    {"new disk", VOLUME("'flexVolume':{'driver':'alicloud/disk','options':{'volumeSize':'32768'}}"),
     ERR_OK, "Volume.1.FlexVolume.Options={\"volumeSize\":\"32768\"}\n", NULL, NULL},
    {"disk of a snapshot",
     VOLUME("'flexVolume':{'driver':'alicloud/disk','options':{'snapshotId':'s'}}"), ERR_OK,
     "Volume.1.FlexVolume.Options={\"snapshotId\":\"s\"}\n", NULL, NULL},
    {"no disk", VOLUME("'flexVolume':{'driver':'alicloud/disk'}"), ERR_UNSUPPORTED, NULL,
     "spec.volumes[0].flexVolume.options: a disk needs a volumeId or a volumeSize", NULL},
    {"small disk", VOLUME("'flexVolume':{'driver':'alicloud/disk','options':{'volumeSize':'19'}}"),
     ERR_UNSUPPORTED, NULL,
     "spec.volumes[0].flexVolume.options: volumeSize is \"19\"; the cloud takes 20 to 32768 (GiB)",
     NULL},
    {"large disk",
     VOLUME("'flexVolume':{'driver':'alicloud/disk','options':{'volumeSize':'32769'}}"),
     ERR_UNSUPPORTED, NULL, "spec.volumes[0].flexVolume.options: volumeSize is \"32769\"", NULL},
    {"disk of a quantity",
     VOLUME("'flexVolume':{'driver':'alicloud/disk','options':{'volumeSize':'40Gi'}}"),
     ERR_UNSUPPORTED, NULL, "spec.volumes[0].flexVolume.options: volumeSize is \"40Gi\"", NULL},
    {"flex options of numbers",
     VOLUME("'flexVolume':{'driver':'alicloud/disk','options':{'volumeSize':20}}"), ERR_UNSUPPORTED,
     NULL, "spec.volumes[0].flexVolume.options: must be texts", NULL},
    {"CSI NAS in the pod",
     VOLUME("'csi':{'driver':'nasplugin.csi.alibabacloud.com','volumeAttributes':{'server':'s',"
            "'path':'/','odd':'x'}}"),
     ERR_OK,
     "Volume.1.FlexVolume.Driver=alicloud/nas\n"
     "Volume.1.FlexVolume.Options={\"server\":\"s\",\"path\":\"/\"}\n",
     "spec.volumes[0].csi: the attribute \"odd\" is not passed", NULL},
    {"CSI disk in the pod", VOLUME("'csi':{'driver':'diskplugin.csi.alibabacloud.com'}"),
     ERR_UNSUPPORTED, NULL, "spec.volumes[0].csi: a disk needs a claim", NULL},
    {"other CSI driver", VOLUME("'csi':{'driver':'ebs.csi.example.com'}"), ERR_UNSUPPORTED, NULL,
     "spec.volumes[0].csi: an instance cannot use the driver", NULL},
    {"claim of NFS", VOLUME("'persistentVolumeClaim':{'claimName':'nfs','readOnly':true}"), ERR_OK,
     "Volume.1.Type=NFSVolume\nVolume.1.NFSVolume.Server=s\nVolume.1.NFSVolume.ReadOnly=true\n",
     "spec.volumes[0].persistentVolumeClaim: its volume's mountOptions are not passed", NULL},
    {"claim of NAS", VOLUME("'persistentVolumeClaim':{'claimName':'nas'}"), ERR_OK,
     "Volume.1.FlexVolume.Driver=alicloud/nas\nVolume.1.FlexVolume.Options={\"options\":\"vers=3,"
     "nolock,a&b\",\"server\":\"s\",\"path\":\"/p\"}\n",
     NULL, NULL},
    {"claim of OSS", VOLUME("'persistentVolumeClaim':{'claimName':'oss'}"), ERR_OK,
     "Volume.1.FlexVolume.Driver=alicloud/oss\nVolume.1.FlexVolume.Options={\"bucket\":\"b\","
     "\"url\":\"u\",\"akId\":\"id\",\"akSecret\":\"hunter2\"}\n",
     NULL, NULL},
    {"claim of a disk", VOLUME("'persistentVolumeClaim':{'claimName':'disk'}"), ERR_OK,
     "Volume.1.FlexVolume.Driver=alicloud/disk\nVolume.1.FlexVolume.FsType=ext4\n"
     "Volume.1.FlexVolume.Options={\"volumeId\":\"d-1\"}\n",
     NULL, NULL},
    {"claim of a flex disk", VOLUME("'persistentVolumeClaim':{'claimName':'flex'}"), ERR_OK,
     "Volume.1.FlexVolume.FsType=xfs\nVolume.1.FlexVolume.Options={\"volumeId\":\"d-2\"}\n", NULL,
     NULL},
    {"read-only claim makes read-only mounts",
     "{'volumes':[{'name':'v','persistentVolumeClaim':{'claimName':'disk','readOnly':true}}],"
     "'containers':[{'name':'a','image':'b:1','volumeMounts':[{'name':'v','mountPath':'/v'}]}]}",
     ERR_OK, "Container.1.VolumeMount.1.ReadOnly=true\n", NULL, NULL},
    {"unbound claim", VOLUME("'persistentVolumeClaim':{'claimName':'unbound'}"), ERR_BUSY, NULL,
     "spec.volumes[0].persistentVolumeClaim: the claim unbound is not bound", "FailedMount"},
    {"no claim", VOLUME("'persistentVolumeClaim':{'claimName':'no'}"), ERR_BUSY, NULL,
     "spec.volumes[0].persistentVolumeClaim: there is no PersistentVolumeClaim default/no",
     "FailedMount"},
    {"no volume of a claim", VOLUME("'persistentVolumeClaim':{'claimName':'lost'}"), ERR_BUSY, NULL,
     "spec.volumes[0].persistentVolumeClaim: there is no PersistentVolume pv-lost", "FailedMount"},
    {"claim of a local volume", VOLUME("'persistentVolumeClaim':{'claimName':'local'}"),
     ERR_UNSUPPORTED, NULL, "spec.volumes[0].persistentVolumeClaim: the volume pv-local is none",
     NULL},
    {"claim of a block device", VOLUME("'persistentVolumeClaim':{'claimName':'block'}"),
     ERR_UNSUPPORTED, NULL, "spec.volumes[0].persistentVolumeClaim: raw block devices", NULL},
    {"claim that was not read", VOLUME("'persistentVolumeClaim':{'claimName':'x'}"), ERR_BUSY, NULL,
     "spec.volumes[0].persistentVolumeClaim: PersistentVolumeClaim default/x was not read", NULL},
    {"seven disks",
     POD(",'volumes':[{'name':'1','persistentVolumeClaim':{'claimName':'disk'}},"
         "{'name':'2','persistentVolumeClaim':{'claimName':'disk'}},"
         "{'name':'3','persistentVolumeClaim':{'claimName':'disk'}},"
         "{'name':'4','persistentVolumeClaim':{'claimName':'disk'}},"
         "{'name':'5','persistentVolumeClaim':{'claimName':'disk'}},"
         "{'name':'6','persistentVolumeClaim':{'claimName':'disk'}},"
         "{'name':'7','persistentVolumeClaim':{'claimName':'disk'}}]"),
     ERR_UNSUPPORTED, NULL, "spec.volumes: 7 disks; an instance has at most 6", NULL},
    {"hostPath of the list", VOLUME("'hostPath':{'path':'/allowed/a','type':'Directory'}"), ERR_OK,
     "Volume.1.Type=HostPathVolume\nVolume.1.HostPathVolume.Path=/allowed/a\n"
     "Volume.1.HostPathVolume.Type=Directory\n",
     NULL, NULL},
    {"hostPath, second of the list", VOLUME("'hostPath':{'path':'/opt/x'}"), ERR_OK,
     "Volume.1.HostPathVolume.Path=/opt/x\n!Volume.1.HostPathVolume.Type\n", NULL, NULL},
    {"hostPath beside the list", VOLUME("'hostPath':{'path':'/allowed2'}"), ERR_UNSUPPORTED, NULL,
     "spec.volumes[0].hostPath: an instance has no host", NULL},
    {"hostPath out of the list", VOLUME("'hostPath':{'path':'/allowed/../etc'}"), ERR_UNSUPPORTED,
     NULL, "spec.volumes[0].hostPath: an instance has no host", NULL},
    {"hostPath that is made", VOLUME("'hostPath':{'path':'/opt/x','type':'DirectoryOrCreate'}"),
     ERR_UNSUPPORTED, NULL, "spec.volumes[0].hostPath: its type must be", NULL},
    {"claim that is made", VOLUME("'ephemeral':{'volumeClaimTemplate':{}}"), ERR_UNSUPPORTED, NULL,
     "spec.volumes[0].ephemeral: claims are not made", NULL},
};

static struct spec_refs refs;

static void check_remark(const struct field_case *row, const struct spec_verdict *verdict)
{
    bool is_ok = row->err == ERR_OK;
    const char *text = case_remarks(verdict, is_ok);
    const struct spec_remark *first = is_ok ? &verdict->warnings[0] : &verdict->refusals[0];

    if (row->remark == NULL ? text[0] != '\0'
                            : strncmp(text, row->remark, strlen(row->remark)) != 0) {
        fail_msg("%s: remarked \"%s\"", row->what, text);
    }
    const char *reason = row->remark != NULL ? first->reason : NULL;
    if ((reason == NULL) != (row->reason == NULL) ||
        (reason != NULL && strcmp(reason, row->reason) != 0)) {
        fail_msg("%s: for the reason %s", row->what, reason != NULL ? reason : "(usual)");
    }
    if (row->err == ERR_BUSY && row->reason != NULL) {
        assert_string_equal(verdict_reason(verdict), row->reason);
    }
}

static void test_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena arena;
        struct spec_verdict verdict;
        struct params params;

        case_begin(&arena, &verdict);
        case_refs(&refs, &arena);
        assert_int_equal(params_init(&params, &arena), ERR_OK);
        json pod = case_pod(&arena, "", rows[i].spec);
        enum err err = pod_json_to_eci(pod, &refs, &case_config, 1, &params, NULL, &verdict);
        if (err != rows[i].err) {
            fail_msg("%s: %s %s", rows[i].what, err_name(err), case_remarks(&verdict, false));
        }
        if (err == ERR_OK) {
            case_wants(rows[i].what, rows[i].wants, &params);
        }
        check_remark(&rows[i], &verdict);
    }
}

/* Wherever the text of a Secret goes, it is marked; what was not secret is not. */
static void test_secrets_are_marked(void **state)
{
    static const char spec[] =
        "{'imagePullSecrets':[{'name':'pull'}],'volumes':[{'name':'v','secret':{'secretName':"
        "'keys'}},"
        "{'name':'w','persistentVolumeClaim':{'claimName':'oss'}},{'name':'x','flexVolume':"
        "{'driver':'alicloud/oss','options':{'akSecret':'hunter2'}}},{'name':'y','projected':"
        "{'sources':[{'serviceAccountToken':{'audience':'vault','expirationSeconds':7200,"
        "'path':'t'}}]}}],'containers':[{'name':'a','image':'b:1','env':[{'name':'S','valueFrom':"
        "{'secretKeyRef':{'name':'secret','key':'key'}}},{'name':'T','value':'x$(S)'},{'name':'U',"
        "'value':'$(T)'},{'name':'P','value':'plain'}],'envFrom':[{'prefix':'F_','secretRef':"
        "{'name':'keys'}}],'command':['c'],'args':['--key=$(U)'],'readinessProbe':{'exec':"
        "{'command':['p','$(S)']}},'volumeMounts':[{'name':'v','mountPath':'/v','subPathExpr':"
        "'a/$(U)'},{'name':'w','mountPath':'/w','subPathExpr':'$(P)'}]}]}";
    struct arena arena;
    struct spec_verdict verdict;
    struct params params;
    unsigned secrets = 0;

    (void)state;
    case_begin(&arena, &verdict);
    case_refs(&refs, &arena);
    assert_int_equal(params_init(&params, &arena), ERR_OK);
    json pod = case_pod(&arena, "", spec);
    assert_int_equal(pod_json_to_eci(pod, &refs, &case_config, 1, &params, NULL, &verdict), ERR_OK);
    for (uint32_t i = 0; i < params.count; i++) {
        str value = params.items[i].value;
        bool is_planted = str_find(value, S("hunter2")) >= 0 ||
                          str_find(value, S("aHVudGVyMg")) >= 0 ||
                          str_find(value, S("dC5vLms")) >= 0 || str_eq(value, S("p:w"));
        if (is_planted && !params.items[i].is_secret) {
            fail_msg("%.*s is not marked", STR_ARG(params.items[i].name));
        }
        secrets += params.items[i].is_secret;
    }
    assert_int_equal(secrets, 2 /* passwords */ + 2 + 1 + 1 + 1 /* files, options, token */ +
                                  5 /* variables */ + 2 + 2 /* command, args, probe */ +
                                  1 /* path in a volume */);
    assert_string_equal(case_remarks(&verdict, false), "");
    assert_null(strstr(case_remarks(&verdict, true), "hunter2"));
}

/* Labels and annotations as one file each: sorted, quoted as Go does. */
static void test_all_labels(void **state)
{
    struct arena arena;
    struct spec_verdict verdict;
    struct pod_spec out;

    (void)state;
    case_begin(&arena, &verdict);
    json pod = case_pod(
        &arena, ",'labels':{'b':'2','a':'1'},'annotations':{'k':'x\\n\\u0001\\\\\\u00e9'}",
        VOLUME("'downwardAPI':{'items':[{'path':'l','fieldRef':{'fieldPath':'metadata.labels'}},"
               "{'path':'a','fieldRef':{'fieldPath':'metadata.annotations'}},{'path':'b','fieldRef'"
               ":{'fieldPath':'metadata.labels[\\u0027b\\u0027]'}}]}"));
    assert_int_equal(pod_spec_read(pod, &refs, &case_config, &arena, &out, &verdict), ERR_OK);
    assert_string_equal(case_remarks(&verdict, false), "");
    assert_true(str_eq(out.volumes[0].files[0].content, S("a=\"1\"\nb=\"2\"")));
    assert_true(str_eq(out.volumes[0].files[1].content, S("k=\"x\\n\\x01\\\\\xC3\xA9\"")));
}

/* A pod that came without admission: its fields are as if the effects stood in it. */
static void test_effects_show_in_fields(void **state)
{
    static const struct spec_pair annotations[] = {{S("k"), S("v")}};
    static const struct spec_pair labels[] = {{S("line"), S("express")}, {S("aa"), S("0")}};
    struct spec_config config = case_config;
    struct arena arena;
    struct spec_verdict verdict;
    struct pod_spec out;

    (void)state;
    config.effects = annotations;
    config.effects_count = 1;
    config.effect_labels = labels;
    config.effect_labels_count = 2;
    case_begin(&arena, &verdict);
    json pod = case_pod(
        &arena, ",'labels':{'b':'2'}",
        VOLUME("'downwardAPI':{'items':[{'path':'l','fieldRef':{'fieldPath':'metadata.labels'}},"
               "{'path':'a','fieldRef':{'fieldPath':'metadata.annotations'}},{'path':'b','fieldRef'"
               ":{'fieldPath':'metadata.labels[\\u0027line\\u0027]'}},{'path':'c','fieldRef'"
               ":{'fieldPath':'metadata.labels[\\u0027none\\u0027]'}}]}"));
    assert_int_equal(pod_spec_read(pod, &refs, &config, &arena, &out, &verdict), ERR_OK);
    assert_true(str_eq(out.volumes[0].files[0].content, S("aa=\"0\"\nb=\"2\"\nline=\"express\"")));
    assert_true(str_eq(out.volumes[0].files[1].content, S("k=\"v\"")));
    assert_true(str_eq(out.volumes[0].files[2].content, S("express")));
    assert_true(str_is_empty(out.volumes[0].files[3].content));
}

static void test_sizes_of_files(void **state)
{
    static const struct {
        unsigned first; /* bytes */
        unsigned second;
        const char *refusal;
    } sizes[] = {
        {32768, 28672, ""},
        {32769, 1,
         "spec.volumes: volume v: the file a has 32769 bytes; the cloud takes at most "
         "32768"},
        {32768, 28673,
         "spec.volumes: volume v: its files have 61441 bytes together; the cloud "
         "takes at most 61440"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        static char text[80000], first[33000], second[33000];
        struct arena arena;
        struct spec_verdict verdict;
        struct params params;

        case_begin(&arena, &verdict);
        assert_int_equal(params_init(&params, &arena), ERR_OK);
        memset(first, 'x', sizes[i].first);
        first[sizes[i].first] = '\0';
        memset(second, 'y', sizes[i].second);
        second[sizes[i].second] = '\0';
        snprintf(text, sizeof text, "{'data':{'a':'%s','b':'%s'}}", first, second);
        refs.count = 0;
        (void)case_ref(&refs, &arena, SPEC_REF_CONFIG_MAP, "default", "big", text);
        json pod = case_pod(&arena, "", VOLUME("'configMap':{'name':'big'}"));
        enum err err = pod_json_to_eci(pod, &refs, &case_config, 1, &params, NULL, &verdict);
        assert_string_equal(case_remarks(&verdict, false), sizes[i].refusal);
        assert_int_equal(err, sizes[i].refusal[0] == '\0' ? ERR_OK : ERR_UNSUPPORTED);
    }
}

/* 11 registries pass, 12 and 13 do not; 256 files pass, 257 and 258 do not. */
static void test_numbers_of_things(void **state)
{
    (void)state;
    for (unsigned more = 0; more < 3; more++) {
        static char text[20000], whole[60000];
        size_t bytes = 0;
        struct arena arena;
        struct spec_verdict verdict;
        struct pod_spec out;
        struct buf base64;

        case_begin(&arena, &verdict);
        for (unsigned i = 0; i < ECI_LOGINS_MAX + more; i++) {
            bytes += (size_t)snprintf(text + bytes, sizeof text - bytes,
                                      "%s\"r%u\":{\"username\":\"u\",\"password\":\"p\"}",
                                      i > 0 ? "," : "{", i);
        }
        bytes += (size_t)snprintf(text + bytes, sizeof text - bytes, "}");
        buf_init(&base64, whole, sizeof whole);
        buf_put_text(&base64, "{'data':{'.dockercfg':'");
        codec_put_base64(&base64, text, bytes);
        buf_put_text(&base64, "'}}");
        refs.count = 0;
        (void)case_ref(&refs, &arena, SPEC_REF_SECRET, "default", "p", buf_cstr(&base64));
        buf_clear(&base64);
        for (unsigned i = 0; i < 256 + more; i++) {
            buf_put_fmt(&base64, "%s'k%u':'x'", i > 0 ? "," : "{'data':{", i);
        }
        buf_put_text(&base64, "}}");
        (void)case_ref(&refs, &arena, SPEC_REF_CONFIG_MAP, "default", "m", buf_cstr(&base64));
        json pod = case_pod(&arena, "",
                            POD(",'imagePullSecrets':[{'name':'p'}],'volumes':[{'name':'v',"
                                "'configMap':{'name':'m'}}]"));
        assert_int_equal(pod_spec_read(pod, &refs, &case_config, &arena, &out, &verdict), ERR_OK);
        assert_int_equal(out.logins_count, ECI_LOGINS_MAX + (more > 0)); /* one more is enough */
        assert_string_equal(case_remarks(&verdict, false),
                            more == 0 ? ""
                                      : "spec.imagePullSecrets: more than 11 registries; an "
                                        "instance knows at most that many; "
                                        "spec.volumes[0].configMap: has more than 256 files");
    }
}

static const char services[] =
    "{'items':[{'metadata':{'name':'my-db'},'spec':{'clusterIP':'10.1.2.3','ports':[{'name':'sql',"
    "'port':5432,'protocol':'TCP'},{'name':'d','port':53,'protocol':'UDP'}]}},"
    "{'metadata':{'name':'headless'},'spec':{'clusterIP':'None','ports':[{'port':1}]}},"
    "{'metadata':{'name':'six'},'spec':{'clusterIP':'fd00::1','ports':[{'port':80}]}}]}";
static const char kubernetes[] =
    "{'metadata':{'name':'kubernetes'},'spec':{'clusterIP':'10.1.0.1','ports':[{'name':'https',"
    "'port':443,'protocol':'TCP'}]}}";

/* envvars.FromServices, and who gets them. */
static void test_service_variables(void **state)
{
    static const struct {
        const char *what;
        const char *spec;
        const char *wants;
    } cases[] = {
        {"linked",
         ONE(",'env':[{'name':'X','value':'$(MY_DB_SERVICE_HOST)'},{'name':"
             "'MY_DB_PORT','value':'mine'}]"),
         ENV_1 "Key=KUBERNETES_SERVICE_HOST\n" ENV_1 "Value=10.1.0.1\n"
               "Container.1.EnvironmentVar.2.Key=KUBERNETES_SERVICE_PORT_HTTPS\n"
               "Container.1.EnvironmentVar.3.Key=KUBERNETES_SERVICE_PORT\n"
               "Container.1.EnvironmentVar.3.Value=443\n"
               "Container.1.EnvironmentVar.4.Key=KUBERNETES_PORT\n"
               "Container.1.EnvironmentVar.4.Value=tcp://10.1.0.1:443\n"
               "Container.1.EnvironmentVar.5.Key=KUBERNETES_PORT_443_TCP\n"
               "Container.1.EnvironmentVar.6.Key=KUBERNETES_PORT_443_TCP_PROTO\n"
               "Container.1.EnvironmentVar.6.Value=tcp\n"
               "Container.1.EnvironmentVar.7.Key=KUBERNETES_PORT_443_TCP_PORT\n"
               "Container.1.EnvironmentVar.8.Key=KUBERNETES_PORT_443_TCP_ADDR\n"
               "Container.1.EnvironmentVar.9.Key=MY_DB_SERVICE_HOST\n"
               "Container.1.EnvironmentVar.12.Key=MY_DB_PORT\n"
               "Container.1.EnvironmentVar.12.Value=mine\n"
               "Container.1.EnvironmentVar.17.Key=MY_DB_SERVICE_PORT_D\n"
               "Container.1.EnvironmentVar.18.Value=udp://10.1.2.3:53\n"
               "Container.1.EnvironmentVar.22.Key=SIX_SERVICE_HOST\n"
               "Container.1.EnvironmentVar.24.Key=SIX_PORT\n"
               "Container.1.EnvironmentVar.24.Value=tcp://[fd00::1]:80\n"
               "Container.1.EnvironmentVar.29.Key=X\nContainer.1.EnvironmentVar.29.Value=10.1.2.3\n"
               "!Container.1.EnvironmentVar.30.Key\n"},
        {"not linked", POD(",'enableServiceLinks':false"),
         "Container.1.EnvironmentVar.8.Key=KUBERNETES_PORT_443_TCP_ADDR\n"
         "!Container.1.EnvironmentVar.9.Key\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena;
        struct spec_verdict verdict;
        struct params params;

        case_begin(&arena, &verdict);
        refs.count = 0;
        (void)case_ref(&refs, &arena, SPEC_REF_SERVICES, "default", "", services);
        (void)case_ref(&refs, &arena, SPEC_REF_SERVICES, "default", "kubernetes", kubernetes);
        assert_int_equal(params_init(&params, &arena), ERR_OK);
        json pod = case_pod(&arena, "", cases[i].spec);
        assert_int_equal(pod_json_to_eci(pod, &refs, &case_config, 1, &params, NULL, &verdict),
                         ERR_OK);
        case_wants(cases[i].what, cases[i].wants, &params);
        assert_string_equal(case_remarks(&verdict, true), "");
    }
}

/* Services that may not be read cost a warning, a failed read is tried again, too many are left
 * out; without any reading there are none. */
static void test_services_that_are_not_there(void **state)
{
    static char many[60000];
    size_t bytes = 0;
    struct arena arena;
    struct spec_verdict verdict;
    struct pod_spec out;

    (void)state;
    for (enum spec_ref_state is = SPEC_REF_ABSENT; is <= SPEC_REF_FAILED; is++) {
        case_begin(&arena, &verdict);
        refs.count = 0;
        struct spec_ref *ref = case_ref(&refs, &arena, SPEC_REF_SERVICES, "default", "", NULL);
        ref->state = is;
        ref->why = S("why not");
        json pod = case_pod(&arena, "", POD(""));
        assert_int_equal(pod_spec_read(pod, &refs, &case_config, &arena, &out, &verdict), ERR_OK);
        assert_int_equal(verdict.answer, is == SPEC_REF_FAILED ? SPEC_WAIT : SPEC_GO);
        assert_int_equal(verdict.warnings_count, is == SPEC_REF_DENIED ? 1 : 0);
        assert_int_equal(out.containers[0].env_count, 0);
    }
    for (unsigned i = 0; i < 101; i++) { /* 8 variables at most each */
        bytes += (size_t)snprintf(many + bytes, sizeof many - bytes,
                                  "%s{'metadata':{'name':'s%u'},'spec':{'clusterIP':'10.0.0.1',"
                                  "'ports':[{'port':80}]}}",
                                  i > 0 ? "," : "{'items':[", i);
    }
    snprintf(many + bytes, sizeof many - bytes, "]}");
    case_begin(&arena, &verdict);
    refs.count = 0;
    (void)case_ref(&refs, &arena, SPEC_REF_SERVICES, "default", "", many);
    json pod = case_pod(&arena, "", POD(""));
    assert_int_equal(pod_spec_read(pod, &refs, &case_config, &arena, &out, &verdict), ERR_OK);
    assert_int_equal(out.containers[0].env_count, 0);
    assert_string_equal(case_remarks(&verdict, true),
                        "spec.enableServiceLinks: the services of the namespace make 808 variables "
                        "in each of 1 containers; above 800 together they are left out");
    (void)case_ref(&refs, &arena, SPEC_REF_SERVICES, "default", "kubernetes", kubernetes);
    assert_int_equal(pod_spec_read(pod, &refs, &case_config, &arena, &out, &verdict), ERR_OK);
    assert_int_equal(out.containers[0].env_count, 8); /* these are there in any case */
    case_begin(&arena, &verdict);
    pod = case_pod(&arena, "", POD(",'enableServiceLinks':7"));
    assert_int_equal(pod_spec_read(pod, NULL, &case_config, &arena, &out, &verdict), ERR_OK);
    assert_string_equal(case_remarks(&verdict, false),
                        "spec.enableServiceLinks: must be true or false");
}

/* A node without an address: the pod that asks for it waits. */
static void test_no_node_address(void **state)
{
    struct spec_config config = case_config;
    struct arena arena;
    struct spec_verdict verdict;
    struct params params;

    (void)state;
    config.node_address = STR_NONE;
    case_begin(&arena, &verdict);
    assert_int_equal(params_init(&params, &arena), ERR_OK);
    json pod = case_pod(&arena, "", ONE(VALUE_FROM("'fieldRef':{'fieldPath':'status.hostIP'}")));
    assert_int_equal(pod_json_to_eci(pod, NULL, &config, 1, &params, NULL, &verdict), ERR_BUSY);
    assert_non_null(strstr(case_remarks(&verdict, false), "the node has no address; its"));
}

/* Whatever take of memory fails, the answer is ERR_FULL and never a shortened request. */
static void test_every_take_can_fail(void **state)
{
    static const char spec[] =
        "{'imagePullSecrets':[{'name':'pull'}],'dnsPolicy':'None','dnsConfig':{'nameservers':['1']}"
        ",'securityContext':{'sysctls':[{'name':'kernel.sem','value':'1'}]},'volumes':[{'name':'v',"
        "'secret':{'secretName':'keys'}},{'name':'w','persistentVolumeClaim':{'claimName':'oss'}},"
        "{'name':'x','persistentVolumeClaim':{'claimName':'nas'}},{'name':'y','downwardAPI':"
        "{'items':[{'path':'l','fieldRef':{'fieldPath':'metadata.labels'}}]}}],'containers':["
        "{'name':'a','image':'b:1','env':[{'name':'S','valueFrom':{'secretKeyRef':{'name':'secret',"
        "'key':'key'}}},{'name':'T','value':'x$(S)'},{'name':'U','valueFrom':{'resourceFieldRef':"
        "{'resource':'limits.cpu'}}}],'envFrom':[{'prefix':'F_','secretRef':{'name':'keys'}}],"
        "'args':['$(S)'],'securityContext':{'capabilities':{'add':['KILL']},'runAsUser':1},"
        "'livenessProbe':{'exec':{'command':['$(S)']}},'lifecycle':{'preStop':{'httpGet':{'port':1,"
        "'httpHeaders':[{'name':'a','value':'b'}]}}}}]}";

    (void)state;
    for (uint64_t nth = 1;; nth++) {
        struct arena arena;
        struct spec_verdict verdict;
        struct params params;

        case_begin(&arena, &verdict);
        case_refs(&refs, &arena);
        (void)case_ref(&refs, &arena, SPEC_REF_SERVICES, "default", "", services);
        assert_int_equal(params_init(&params, &arena), ERR_OK);
        json pod = case_pod(&arena, ",'labels':{'a':'b'}", spec);
        arena_fail_at(nth);
        enum err err = pod_json_to_eci(pod, &refs, &case_config, 1, &params, NULL, &verdict);
        arena_fail_at(0);
        if (err == ERR_OK) {
            assert_true(nth > 200);
            return;
        }
        if (err != ERR_FULL) {
            fail_msg("take %llu: %s %s", (unsigned long long)nth, err_name(err),
                     case_remarks(&verdict, false));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_secrets_are_marked),
        cmocka_unit_test(test_all_labels),
        cmocka_unit_test(test_effects_show_in_fields),
        cmocka_unit_test(test_sizes_of_files),
        cmocka_unit_test(test_numbers_of_things),
        cmocka_unit_test(test_service_variables),
        cmocka_unit_test(test_services_that_are_not_there),
        cmocka_unit_test(test_no_node_address),
        cmocka_unit_test(test_every_take_can_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
