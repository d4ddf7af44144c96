/* annotations.def, row by row: a right value, one at the edge, a wrong one; then the relations
 * between rows, sizes, profiles, policies and the printed table. */
#include "table/spec_case.h"

#include "core/brain.h"
#include "spec/annotation.h"
#include "spec/pod_policy.h"

#define A "'k8s.aliyun.com/"
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define NAMES_FILE "test/table/create_parameters.txt" /* from the top of the tree */

enum kind { VALID, EDGE, BAD, KINDS };

static const struct value_case {
    enum annotation row;
    enum kind kind;
    const char *annotations;
    const char *wants; /* lines that are there, or with '!' are not; BAD: the refusal's beginning */
    const char *warning; /* the beginning, NULL: none */
} cases[] = {
#define ROW(name, ...) \
    { \
        ANNOTATION_##name, __VA_ARGS__ \
    }
#define NOT(key, value) "metadata.annotations[k8s.aliyun.com/" key "]: \"" value "\" is not allowed"
    ROW(SECURITY_GROUP, VALID, A "eci-security-group':'sg-b'", "SecurityGroupId=sg-b\n", NULL),
    ROW(SECURITY_GROUP, EDGE, A "eci-security-group':' sg-1, sg-2,sg-3,sg-4,sg-5 '",
        "SecurityGroupId=sg-1,sg-2,sg-3,sg-4,sg-5\n", NULL),
    ROW(SECURITY_GROUP, BAD, A "eci-security-group':'sg-1,sg-2,sg-3,sg-4,sg-5,sg-6'",
        NOT("eci-security-group",
            "sg-1,sg-2,sg-3,sg-4,sg-5,sg-6") ": must be 1 to 5 ids that start "
                                             "with sg-, separated by commas",
        NULL),
    ROW(SECURITY_GROUP, BAD, A "eci-security-group':'group'", NOT("eci-security-group", "group"),
        NULL),
    ROW(VSWITCH, VALID, A "eci-vswitch':'vsw-1,vsw-2'", "VSwitchId=vsw-1,vsw-2\n!ZoneId\n", NULL),
    ROW(VSWITCH, EDGE,
        A "eci-vswitch':'vsw-1,vsw-2,vsw-3,vsw-4,vsw-5,vsw-6,vsw-7,vsw-8,vsw-9,vsw-0'",
        "VSwitchId=vsw-1,vsw-2,vsw-3,vsw-4,vsw-5,vsw-6,vsw-7,vsw-8,vsw-9,vsw-0\n", NULL),
    ROW(VSWITCH, BAD, A "eci-vswitch':'vsw-1,,vsw-2'", NOT("eci-vswitch", "vsw-1,,vsw-2"), NULL),
    ROW(SCHEDULE_STRATEGY, VALID, A "eci-schedule-strategy':'VSwitchRandom'",
        "ScheduleStrategy=VSwitchRandom\n", NULL),
    ROW(SCHEDULE_STRATEGY, EDGE, A "eci-schedule-strategy':'vSwitchOrdered'",
        "ScheduleStrategy=VSwitchOrdered\n", NULL),
    ROW(SCHEDULE_STRATEGY, BAD, A "eci-schedule-strategy':'Ordered'",
        NOT("eci-schedule-strategy", "Ordered") ": must be one of VSwitchOrdered, VSwitchRandom",
        NULL),
    ROW(RAM_ROLE, VALID, A "eci-ram-role-name':'AliyunECIContainerGroupRole'",
        "RamRoleName=AliyunECIContainerGroupRole\n", NULL),
    ROW(RAM_ROLE, EDGE, A "eci-ram-role-name':'" X64 "'", "RamRoleName=" X64 "\n", NULL),
    ROW(RAM_ROLE, BAD, A "eci-ram-role-name':'a role'", NOT("eci-ram-role-name", "a role"), NULL),
    ROW(USE_SPECS, VALID, A "eci-use-specs':'2-4Gi,4-8Gi,ecs.c6.xlarge'",
        "InstanceType=2-4Gi,4-8Gi,ecs.c6.xlarge\n!Cpu\n!Memory\n", NULL),
    ROW(USE_SPECS, EDGE, A "eci-use-specs':'3-6Gi'", "Cpu=4\nMemory=6\n!InstanceType\n", NULL),
    ROW(USE_SPECS, EDGE, A "eci-use-specs':'ecs.c6.large'", "InstanceType=ecs.c6.large\n!Cpu\n",
        NULL),
    ROW(USE_SPECS, BAD, A "eci-use-specs':'65-4Gi'", NOT("eci-use-specs", "65-4Gi"), NULL),
    ROW(USE_SPECS, BAD, A "eci-use-specs':'2-4G'", NOT("eci-use-specs", "2-4G"), NULL),
    ROW(USE_SPECS, BAD, A "eci-use-specs':'1-2Gi,1-4Gi,1-8Gi,2-4Gi,2-8Gi,4-8Gi'",
        NOT("eci-use-specs", "1-2Gi,1-4Gi,1-8Gi,2-4Gi,2-8Gi,4-8Gi") ": must be 1 to 5 of sizes",
        NULL),
    ROW(INSTANCE_FAMILY, VALID, A "eci-instance-family':'ecs.c6,ecs.g6'",
        "InstanceType=ecs.c6.large,ecs.g6.large\n!Cpu\n", NULL),
    ROW(INSTANCE_FAMILY, EDGE, A "eci-instance-family':'ecs.hfr7'," A "eci-use-specs':'64-512Gi'",
        "InstanceType=ecs.hfr7.16xlarge\n", NULL),
    ROW(INSTANCE_FAMILY, BAD, A "eci-instance-family':'-ecs.c6'",
        NOT("eci-instance-family", "-ecs.c6"), NULL),
    ROW(INSTANCE_GENERATION, VALID, A "eci-instance-generation':'7,6'",
        "InstanceType=ecs.c7.large,ecs.c6.large\n", NULL),
    ROW(INSTANCE_GENERATION, EDGE, A "eci-instance-generation':'6'," A "eci-use-specs':'4-32Gi'",
        "InstanceType=ecs.r6.xlarge\n", NULL),
    ROW(INSTANCE_GENERATION, BAD, A "eci-instance-generation':'-5'",
        NOT("eci-instance-generation", "-5"), NULL),
    ROW(COMPUTE_CATEGORY, VALID, A "eci-compute-category':'economy'", "ComputeCategory.1=economy\n",
        NULL),
    ROW(COMPUTE_CATEGORY, EDGE, A "eci-compute-category':'general, economy'",
        "ComputeCategory.1=general\nComputeCategory.2=economy\n", NULL),
    ROW(COMPUTE_CATEGORY, BAD, A "eci-compute-category':'economy,economy'",
        NOT("eci-compute-category", "economy,economy"), NULL),
    ROW(CPU_CORE, VALID, A "eci-cpu-option-core':'2'", "CpuOptionsCore=2\n", NULL),
    ROW(CPU_CORE, EDGE, A "eci-cpu-option-core':'64'", "CpuOptionsCore=64\n", NULL),
    ROW(CPU_CORE, BAD, A "eci-cpu-option-core':'0'",
        NOT("eci-cpu-option-core", "0") ": must be a whole number from 1 to 64", NULL),
    ROW(CPU_THREADS, VALID, A "eci-cpu-option-ht':'1'", "CpuOptionsThreadsPerCore=1\n", NULL),
    ROW(CPU_THREADS, EDGE, A "eci-cpu-option-ht':'2'", "CpuOptionsThreadsPerCore=2\n", NULL),
    ROW(CPU_THREADS, BAD, A "eci-cpu-option-ht':'3'", NOT("eci-cpu-option-ht", "3"), NULL),
    ROW(GPU_DRIVER, VALID, A "eci-gpu-driver-version':'tesla=525.85.12'",
        "GpuDriverVersion=tesla=525.85.12\n", NULL),
    ROW(GPU_DRIVER, EDGE, A "eci-gpu-driver-version':'tesla=5'", "GpuDriverVersion=tesla=5\n",
        NULL),
    ROW(GPU_DRIVER, BAD, A "eci-gpu-driver-version':'tesla='",
        NOT("eci-gpu-driver-version",
            "tesla=") ": must be one that starts with tesla=, without blanks",
        NULL),
    ROW(POOL_MATCH, VALID, A "eci-privatepool-matchcriteria':'Open'", "",
        "metadata.annotations[k8s.aliyun.com/eci-privatepool-matchcriteria]: capacity pools"),
    ROW(POOL_MATCH, EDGE, A "eci-privatepool-matchcriteria':'open'", "",
        "metadata.annotations[k8s.aliyun.com/eci-privatepool-matchcriteria]: capacity pools"),
    ROW(POOL_MATCH, BAD, A "eci-privatepool-matchcriteria':'Target'",
        NOT("eci-privatepool-matchcriteria", "Target"), NULL),
    ROW(POOL_ID, VALID, A "eci-privatepool-id':''", "", NULL),
    ROW(POOL_ID, EDGE, A "eci-privatepool-id':' '", "", NULL),
    ROW(POOL_ID, BAD, A "eci-privatepool-id':'eap-1'",
        "metadata.annotations[k8s.aliyun.com/eci-privatepool-id]: the capacity that was paid",
        NULL),

    ROW(SPOT_STRATEGY, VALID, A "eci-spot-strategy':'SpotAsPriceGo'",
        "SpotStrategy=SpotAsPriceGo\nCpu=2\nMemory=4\n!SpotPriceLimit\n", NULL),
    ROW(SPOT_STRATEGY, EDGE, A "eci-spot-strategy':'NoSpot'", "!SpotStrategy\n", NULL),
    ROW(SPOT_STRATEGY, BAD, A "eci-spot-strategy':'Cheap'", NOT("eci-spot-strategy", "Cheap"),
        NULL),
    ROW(SPOT_STRATEGY, BAD, A "eci-spot-strategy':'SpotWithPriceLimit'",
        "metadata.annotations[k8s.aliyun.com/eci-spot-strategy]: \"SpotWithPriceLimit\" is allowed "
        "only together with k8s.aliyun.com/eci-spot-price-limit",
        NULL),
    ROW(SPOT_PRICE, VALID,
        A "eci-spot-price-limit':'0.250'," A "eci-spot-strategy':'SpotWithPriceLimit'",
        "SpotStrategy=SpotWithPriceLimit\nSpotPriceLimit=0.250\n", NULL),
    ROW(SPOT_PRICE, EDGE,
        A "eci-spot-price-limit':'0.001'," A "eci-spot-strategy':'SpotWithPriceLimit'",
        "SpotPriceLimit=0.001\n", NULL),
    ROW(SPOT_PRICE, EDGE, A "eci-spot-price-limit':'1'," A "eci-spot-strategy':'SpotAsPriceGo'",
        "!SpotPriceLimit\n",
        "metadata.annotations[k8s.aliyun.com/eci-spot-price-limit]: means nothing without"),
    ROW(SPOT_PRICE, EDGE, A "eci-spot-price-limit':'1'", "!SpotPriceLimit\n",
        "metadata.annotations[k8s.aliyun.com/eci-spot-price-limit]: means nothing without "
        "k8s.aliyun.com/eci-spot-strategy"),
    ROW(SPOT_PRICE, BAD, A "eci-spot-price-limit':'0.0001'", NOT("eci-spot-price-limit", "0.0001"),
        NULL),
    ROW(SPOT_PRICE, BAD, A "eci-spot-price-limit':'0'", NOT("eci-spot-price-limit", "0"), NULL),
    ROW(SPOT_PRICE, BAD, A "eci-spot-price-limit':'1.'", NOT("eci-spot-price-limit", "1."), NULL),
    ROW(SPOT_DURATION, VALID, A "eci-spot-duration':'1'," A "eci-spot-strategy':'SpotAsPriceGo'",
        "SpotDuration=1\n", NULL),
    ROW(SPOT_DURATION, EDGE, A "eci-spot-duration':'0'," A "eci-spot-strategy':'SpotAsPriceGo'",
        "SpotDuration=0\n", NULL),
    ROW(SPOT_DURATION, BAD, A "eci-spot-duration':'7'", NOT("eci-spot-duration", "7"), NULL),
    ROW(SPOT_FALLBACK, VALID, A "eci-spot-fallback':'true'", "",
        "metadata.annotations[k8s.aliyun.com/eci-spot-fallback]: without spot stock"),
    ROW(SPOT_FALLBACK, EDGE, A "eci-spot-fallback':'false'", "", NULL),
    ROW(SPOT_FALLBACK, BAD, A "eci-spot-fallback':'yes'",
        NOT("eci-spot-fallback", "yes") ": must be \"true\" or \"false\"", NULL),

    ROW(FAIL_STRATEGY, VALID, A "eci-fail-strategy':'fail-fast'", "", NULL),
    ROW(FAIL_STRATEGY, EDGE, A "eci-fail-strategy':'Fail-Over'", "", NULL),
    ROW(FAIL_STRATEGY, BAD, A "eci-fail-strategy':'fail'", NOT("eci-fail-strategy", "fail"), NULL),
    ROW(RESCHEDULE, VALID, A "eci-reschedule-enable':'true'", "", NULL),
    ROW(RESCHEDULE, EDGE, A "eci-reschedule-enable':'False'", "", NULL),
    ROW(RESCHEDULE, BAD, A "eci-reschedule-enable':'1'", NOT("eci-reschedule-enable", "1"), NULL),
    ROW(FAIL_ON_ERROR, VALID, A "pod-fail-on-create-err':'true'", "", NULL),
    ROW(FAIL_ON_ERROR, EDGE, A "pod-fail-on-create-err':''", "", NULL),
    ROW(FAIL_ON_ERROR, BAD, A "pod-fail-on-create-err':'no'", NOT("pod-fail-on-create-err", "no"),
        NULL),
    ROW(PENDING_MINUTES, VALID, A "eci-max-pending-minute':'60'", "MaxPendingMinute=60\n", NULL),
    ROW(PENDING_MINUTES, EDGE, A "eci-max-pending-minute':'1440'", "MaxPendingMinute=1440\n", NULL),
    ROW(PENDING_MINUTES, BAD, A "eci-max-pending-minute':'9'",
        NOT("eci-max-pending-minute", "9") ": must be a whole number from 10 to 1440", NULL),
    ROW(PENDING_MINUTES, BAD, A "eci-max-pending-minute':'1441'",
        NOT("eci-max-pending-minute", "1441"), NULL),
    ROW(CLUSTERIP_READY, VALID, A "eci-wait-clusterip-ready':'*'", "",
        "metadata.annotations[k8s.aliyun.com/eci-wait-clusterip-ready]: containers start"),
    ROW(CLUSTERIP_READY, EDGE, A "eci-wait-clusterip-ready':''", "", NULL),
    ROW(CLUSTERIP_READY, BAD, A "eci-wait-clusterip-ready':true",
        "metadata.annotations[k8s.aliyun.com/eci-wait-clusterip-ready]: must be a text", NULL),
    ROW(EVICTION, VALID, A "eci-eviction-enable':'true'", "",
        "metadata.annotations[k8s.aliyun.com/eci-eviction-enable]: the pod is not evicted"),
    ROW(EVICTION, EDGE, A "eci-eviction-enable':'FALSE'", "", NULL),
    ROW(EVICTION, BAD, A "eci-eviction-enable':'on'", NOT("eci-eviction-enable", "on"), NULL),

    ROW(IMAGE_CACHE, VALID, A "eci-imc-id':'imc-1'", "ImageSnapshotId=imc-1\n", NULL),
    ROW(IMAGE_CACHE, VALID, A "eci-image-snapshot-id':'imc-2'", "ImageSnapshotId=imc-2\n", NULL),
    ROW(IMAGE_CACHE, EDGE,
        A "eci-image-snapshot-id':'imc-2'," A "eci-imc-id':'imc-1'," A "eci-auto-imc':'true'",
        "ImageSnapshotId=imc-1\n!AutoMatchImageCache\n", NULL),
    ROW(IMAGE_CACHE, BAD, A "eci-image-snapshot-id':'snap-1'",
        NOT("eci-image-snapshot-id", "snap-1") ": must be one that starts with imc-", NULL),
    ROW(AUTO_CACHE, VALID, A "eci-image-cache':'true'", "AutoMatchImageCache=true\n", NULL),
    ROW(AUTO_CACHE, EDGE, A "eci-auto-imc':'True'", "AutoMatchImageCache=true\n", NULL),
    ROW(AUTO_CACHE, EDGE, A "eci-auto-imc':'false'," A "eci-image-cache':'true'",
        "!AutoMatchImageCache\n", NULL),
    ROW(AUTO_CACHE, BAD, A "eci-auto-imc':'imc-1'", NOT("eci-auto-imc", "imc-1"), NULL),
    ROW(PERFECT_MATCH, VALID, A "imc-perfect-match':'true'", "",
        "metadata.annotations[k8s.aliyun.com/imc-perfect-match]: image caches are not searched"),
    ROW(PERFECT_MATCH, EDGE, A "imc-perfect-match':'false'", "", NULL),
    ROW(PERFECT_MATCH, BAD, A "imc-perfect-match':'2'", NOT("imc-perfect-match", "2"), NULL),
    ROW(MATCH_COUNT, VALID, A "imc-match-count-request':'2'", "",
        "metadata.annotations[k8s.aliyun.com/imc-match-count-request]: image caches"),
    ROW(MATCH_COUNT, EDGE, A "imc-match-count-request':'100'", "",
        "metadata.annotations[k8s.aliyun.com/imc-match-count-request]: image caches"),
    ROW(MATCH_COUNT, BAD, A "imc-match-count-request':'0'", NOT("imc-match-count-request", "0"),
        NULL),
    ROW(ACR, VALID, A "acr-instance-id':'cri-1'",
        "AcrRegistryInfo.1.InstanceId=cri-1\nAcrRegistryInfo.1.RegionId=cn-hangzhou\n", NULL),
    ROW(ACR, EDGE, A "acr-instance-ids':'cri-1, cn-beijing:cri-2'",
        "AcrRegistryInfo.1.InstanceId=cri-1\nAcrRegistryInfo.2.InstanceId=cri-2\n"
        "AcrRegistryInfo.2.RegionId=cn-beijing\n",
        NULL),
    ROW(ACR, BAD, A "acr-instance-ids':'cn-beijing:1'", NOT("acr-instance-ids", "cn-beijing:1"),
        NULL),
    ROW(ACR_SERVICE_ARN, VALID,
        A "acr-service-arns':'acs:ram::1:role/a'," A "acr-instance-ids':'cri-1'",
        "AcrRegistryInfo.1.ArnService=acs:ram::1:role/a\n", NULL),
    ROW(ACR_SERVICE_ARN, EDGE,
        A "acr-service-arns':'acs:ram::1:role/a'," A "acr-instance-ids':'cri-1,cri-2'",
        "AcrRegistryInfo.1.ArnService=acs:ram::1:role/a\n"
        "AcrRegistryInfo.2.ArnService=acs:ram::1:role/a\n",
        NULL),
    ROW(ACR_SERVICE_ARN, BAD, A "acr-service-arns':'acs:ram::1:role/a'",
        "metadata.annotations[k8s.aliyun.com/acr-service-arns]: \"acs:ram::1:role/a\" is allowed "
        "only together with k8s.aliyun.com/acr-instance-ids",
        NULL),
    ROW(ACR_SERVICE_ARN, BAD, A "acr-service-arns':'role'", NOT("acr-service-arns", "role"), NULL),
    ROW(ACR_USER_ARN, VALID, A "acr-user-arns':'acs:ram::2:role/b'," A "acr-instance-ids':'cri-1'",
        "AcrRegistryInfo.1.ArnUser=acs:ram::2:role/b\n", NULL),
    ROW(ACR_USER_ARN, EDGE,
        A "acr-user-arns':'acs:ram::2:role/b,acs:ram::3:role/c'," A
          "acr-instance-ids':'cri-1,cri-2'",
        "AcrRegistryInfo.1.ArnUser=acs:ram::2:role/b\n"
        "AcrRegistryInfo.2.ArnUser=acs:ram::3:role/c\n",
        NULL),
    ROW(ACR_USER_ARN, BAD,
        A "acr-user-arns':'acs:ram::2:role/b,acs:ram::3:role/c'," A "acr-instance-ids':'cri-1'",
        NOT("acr-user-arns", "acs:ram::2:role/b,acs:ram::3:role/c") ": must be one role", NULL),
    ROW(INSECURE_REGISTRY, VALID, A "insecure-registry':'harbor.example.com'",
        "InsecureRegistry=harbor.example.com\n", NULL),
    ROW(INSECURE_REGISTRY, EDGE, A "insecure-registry':'10.0.0.1:5000, harbor.example:443'",
        "InsecureRegistry=10.0.0.1:5000,harbor.example:443\n", NULL),
    ROW(INSECURE_REGISTRY, BAD, A "insecure-registry':'https://harbor.example'",
        NOT("insecure-registry", "https://harbor.example"), NULL),
    ROW(INSECURE_REGISTRY, BAD, A "insecure-registry':'harbor:65536'",
        NOT("insecure-registry", "harbor:65536"), NULL),
    ROW(PLAIN_REGISTRY, VALID, A "plain-http-registry':'10.0.0.1:5000,b.example'",
        "PlainHttpRegistry=10.0.0.1:5000,b.example\n", NULL),
    ROW(PLAIN_REGISTRY, EDGE, A "plain-http-registry':'a'", "PlainHttpRegistry=a\n", NULL),
    ROW(PLAIN_REGISTRY, BAD, A "plain-http-registry':'a b'", NOT("plain-http-registry", "a b"),
        NULL),

    ROW(EIP_ID, VALID, A "eci-eip-instanceid':'eip-1'", "EipInstanceId=eip-1\n", NULL),
    ROW(EIP_ID, EDGE, A "eci-eip-instanceid':'eip-1'," A "eci-with-eip':'false'",
        "EipInstanceId=eip-1\n!AutoCreateEip\n", NULL),
    ROW(EIP_ID, BAD, A "eci-eip-instanceid':'eip-1'," A "eci-with-eip':'true'",
        "metadata.annotations[k8s.aliyun.com/eci-eip-instanceid]: \"eip-1\" is not allowed "
        "together "
        "with k8s.aliyun.com/eci-with-eip",
        NULL),
    ROW(EIP_AUTO, VALID, A "eci-with-eip':'true'", "AutoCreateEip=true\n!EipBandwidth\n", NULL),
    ROW(EIP_AUTO, EDGE, A "eci-with-eip':'TRUE'", "AutoCreateEip=true\n", NULL),
    ROW(EIP_AUTO, BAD, A "eci-with-eip':'eip-1'", NOT("eci-with-eip", "eip-1"), NULL),
    ROW(EIP_BANDWIDTH, VALID, A "eip-bandwidth':'10'," A "eci-with-eip':'true'",
        "EipBandwidth=10\n", NULL),
    ROW(EIP_BANDWIDTH, EDGE, A "eip-bandwidth':'2000M'," A "eci-with-eip':'true'",
        "EipBandwidth=2000\n", NULL),
    ROW(EIP_BANDWIDTH, EDGE, A "eip-bandwidth':'10'", "!EipBandwidth\n",
        "metadata.annotations[k8s.aliyun.com/eip-bandwidth]: means nothing without "
        "k8s.aliyun.com/eci-with-eip"),
    ROW(EIP_BANDWIDTH, BAD, A "eip-bandwidth':'0'," A "eci-with-eip':'true'",
        NOT("eip-bandwidth", "0"), NULL),
    ROW(EIP_PACKAGE, VALID, A "eip-common-bandwidth-package-id':'cbwp-1'," A "eci-with-eip':'true'",
        "EipCommonBandwidthPackage=cbwp-1\n", NULL),
    ROW(EIP_PACKAGE, EDGE, A "eip-common-bandwidth-package-id':'cbwp-1'",
        "!EipCommonBandwidthPackage\n",
        "metadata.annotations[k8s.aliyun.com/eip-common-bandwidth-package-id]: means nothing"),
    ROW(EIP_PACKAGE, BAD, A "eip-common-bandwidth-package-id':'eip-1'",
        NOT("eip-common-bandwidth-package-id", "eip-1"), NULL),
    ROW(EIP_ISP, VALID, A "eip-isp':'BGP_PRO'," A "eci-with-eip':'true'", "EipISP=BGP_PRO\n", NULL),
    ROW(EIP_ISP, EDGE, A "eip-isp':'BPG'," A "eci-with-eip':'true'", "EipISP=BGP\n", NULL),
    ROW(EIP_ISP, BAD, A "eip-isp':'ISP'", NOT("eip-isp", "ISP") ": must be one of BGP, BGP_PRO",
        NULL),
    ROW(EIP_CHARGE, VALID, A "eip-internet-charge-type':'PayByBandwidth'", "",
        "metadata.annotations[k8s.aliyun.com/eip-internet-charge-type]: the address is charged"),
    ROW(EIP_CHARGE, EDGE, A "eip-internet-charge-type':'paybytraffic'", "",
        "metadata.annotations[k8s.aliyun.com/eip-internet-charge-type]: the address is charged"),
    ROW(EIP_CHARGE, BAD, A "eip-internet-charge-type':'Free'",
        NOT("eip-internet-charge-type", "Free"), NULL),
    ROW(EIP_POOL, VALID, A "eip-public-ip-address-pool-id':'pippool-1'", "",
        "metadata.annotations[k8s.aliyun.com/eip-public-ip-address-pool-id]: the address comes"),
    ROW(EIP_POOL, EDGE, A "eip-public-ip-address-pool-id':''", "", NULL),
    ROW(EIP_POOL, BAD, A "eip-public-ip-address-pool-id':'pool-1'",
        NOT("eip-public-ip-address-pool-id", "pool-1"), NULL),
    ROW(IPV6, VALID, A "eci-enable-ipv6':'true'", "Ipv6AddressCount=1\n", NULL),
    ROW(IPV6, EDGE, A "eci-enable-ipv6':'false'", "!Ipv6AddressCount\n", NULL),
    ROW(IPV6, BAD, A "eci-enable-ipv6':'2'", NOT("eci-enable-ipv6", "2"), NULL),
    ROW(IPV6_INTERNET, VALID, A "eci-ipv6-bandwidth-enable':'true'," A "eci-enable-ipv6':'true'",
        "Ipv6GatewayBandwidthEnable=true\n", NULL),
    ROW(IPV6_INTERNET, EDGE, A "eci-ipv6-bandwidth-enable':'true'",
        "!Ipv6GatewayBandwidthEnable\n!Ipv6AddressCount\n",
        "metadata.annotations[k8s.aliyun.com/eci-ipv6-bandwidth-enable]: means nothing"),
    ROW(IPV6_INTERNET, BAD, A "eci-ipv6-bandwidth-enable':'100M'",
        NOT("eci-ipv6-bandwidth-enable", "100M"), NULL),
    ROW(IPV6_BANDWIDTH, VALID,
        A "eci-ipv6-bandwidth':'100M'," A "eci-ipv6-bandwidth-enable':'true'," A
          "eci-enable-ipv6':'true'",
        "Ipv6GatewayBandwidth=100\n", NULL),
    ROW(IPV6_BANDWIDTH, EDGE,
        A "eci-ipv6-bandwidth':'2000'," A "eci-ipv6-bandwidth-enable':'true'," A
          "eci-enable-ipv6':'true'",
        "Ipv6GatewayBandwidth=2000\n", NULL),
    ROW(IPV6_BANDWIDTH, BAD, A "eci-ipv6-bandwidth':'2001'", NOT("eci-ipv6-bandwidth", "2001"),
        NULL),
    ROW(PRIVATE_IP, VALID, A "eci-private-ip-address':'192.168.1.7'",
        "PrivateIpAddress=192.168.1.7\n", NULL),
    ROW(PRIVATE_IP, EDGE, A "eci-private-ip-address':' 255.255.255.255 '",
        "PrivateIpAddress=255.255.255.255\n", NULL),
    ROW(PRIVATE_IP, BAD, A "eci-private-ip-address':'fd00::1'",
        NOT("eci-private-ip-address", "fd00::1") ": must be an IPv4 address", NULL),
    ROW(FIXED_IP, VALID, A "eci-fixed-ip':'true'", "FixedIp=true\n!FixedIpRetainHour\n", NULL),
    ROW(FIXED_IP, EDGE, A "eci-fixed-ip':'false'", "!FixedIp\n", NULL),
    ROW(FIXED_IP, BAD, A "eci-fixed-ip':'10.0.0.1'", NOT("eci-fixed-ip", "10.0.0.1"), NULL),
    ROW(FIXED_IP_HOURS, VALID, A "eci-fixed-ip-retain-hour':'24'," A "eci-fixed-ip':'true'",
        "FixedIpRetainHour=24\n", NULL),
    ROW(FIXED_IP_HOURS, EDGE, A "eci-fixed-ip-retain-hour':'24'", "!FixedIpRetainHour\n",
        "metadata.annotations[k8s.aliyun.com/eci-fixed-ip-retain-hour]: means nothing"),
    ROW(FIXED_IP_HOURS, BAD, A "eci-fixed-ip-retain-hour':'1.5'",
        NOT("eci-fixed-ip-retain-hour", "1.5"), NULL),
    ROW(INGRESS, VALID, "'kubernetes.io/ingress-bandwidth':'40M'", "IngressBandwidth=40000000\n",
        NULL),
    ROW(INGRESS, EDGE, "'kubernetes.io/ingress-bandwidth':'1'", "IngressBandwidth=1\n", NULL),
    ROW(INGRESS, EDGE, "'kubernetes.io/ingress-bandwidth':'2TB'",
        "IngressBandwidth=2000000000000\n", NULL),
    ROW(INGRESS, BAD, "'kubernetes.io/ingress-bandwidth':'40Mi'",
        "metadata.annotations[kubernetes.io/ingress-bandwidth]: \"40Mi\" is not allowed", NULL),
    ROW(INGRESS, BAD, "'kubernetes.io/ingress-bandwidth':'9223372036854775807K'",
        "metadata.annotations[kubernetes.io/ingress-bandwidth]: ", NULL),
    ROW(EGRESS, VALID, "'kubernetes.io/egress-bandwidth':'10MB'", "EgressBandwidth=10000000\n",
        NULL),
    ROW(EGRESS, EDGE, "'kubernetes.io/egress-bandwidth':'5k'", "EgressBandwidth=5000\n", NULL),
    ROW(EGRESS, BAD, "'kubernetes.io/egress-bandwidth':'0'",
        "metadata.annotations[kubernetes.io/egress-bandwidth]: \"0\" is not allowed", NULL),
    ROW(CUSTOM_HOSTS, VALID,
        A "eci-custom-hosts':'[{\\u0022host\\u0022:\\u0022a\\u0022,\\u0022ip\\u0022:\\u00221.2.3.4"
          "\\u0022}]'",
        "HostAliase.1.Ip=1.2.3.4\nHostAliase.1.Hostname.1=a\n", NULL),
    ROW(CUSTOM_HOSTS, EDGE,
        A "eci-custom-hosts':'[{\\u0022host\\u0022:\\u0022a\\u0022,\\u0022ip\\u0022:\\u0022::1"
          "\\u0022},{\\u0022ip\\u0022:\\u00221.1.1.1\\u0022,\\u0022host\\u0022:\\u0022b\\u0022}]'",
        "HostAliase.1.Ip=::1\nHostAliase.2.Ip=1.1.1.1\nHostAliase.2.Hostname.1=b\n", NULL),
    ROW(CUSTOM_HOSTS, BAD, A "eci-custom-hosts':'a 1.2.3.4'",
        NOT("eci-custom-hosts", "a 1.2.3.4") ": must be JSON as [{", NULL),
    ROW(CUSTOM_HOSTS, BAD, A "eci-custom-hosts':'[{\\u0022host\\u0022:\\u0022a\\u0022}]'",
        "metadata.annotations[k8s.aliyun.com/eci-custom-hosts]: ", NULL),
    ROW(CUSTOM_HOSTS, BAD, A "eci-custom-hosts':'[]'", NOT("eci-custom-hosts", "[]"), NULL),
    ROW(CUSTOM_DNS, VALID,
        A "eci-custom-dnsconfig':'{\\u0022nameservers\\u0022:\\u002210.0.0.2, 10.0.0.3\\u0022,"
          "\\u0022searches\\u0022:\\u0022a.example\\u0022,\\u0022options\\u0022:\\u0022ndots:2,"
          "edns0\\u0022}'",
        "DnsPolicy=None\nDnsConfig.NameServer.1=10.0.0.2\nDnsConfig.NameServer.2=10.0.0.3\n"
        "DnsConfig.Search.1=a.example\nDnsConfig.Option.1.Name=ndots\nDnsConfig.Option.1.Value=2\n"
        "DnsConfig.Option.2.Name=edns0\n!DnsConfig.Option.2.Value\n",
        NULL),
    ROW(CUSTOM_DNS, EDGE,
        A
        "eci-custom-dnsconfig':'{\\u0022nameservers\\u0022:\\u00221.1.1.1,1.1.1.2,1.1.1.3\\u0022}'",
        "DnsConfig.NameServer.2=1.1.1.2\n!DnsConfig.NameServer.3\n!DnsConfig.Search.1\n",
        "metadata.annotations[k8s.aliyun.com/eci-custom-dnsconfig]: only the first 2 nameservers"),
    ROW(CUSTOM_DNS, BAD, A "eci-custom-dnsconfig':'{}'", NOT("eci-custom-dnsconfig", "{}"), NULL),
    ROW(CUSTOM_DNS, BAD,
        A "eci-custom-dnsconfig':'{\\u0022nameservers\\u0022:\\u00221.1.1.1\\u0022,"
          "\\u0022servers\\u0022:\\u00221.1.1.1\\u0022}'",
        "metadata.annotations[k8s.aliyun.com/eci-custom-dnsconfig]: ", NULL),
    ROW(NETWORK_POLICY, VALID, A "eci-network-policy-enable':'false'", "", NULL),
    ROW(NETWORK_POLICY, EDGE, A "eci-network-policy-enable':''", "", NULL),
    ROW(NETWORK_POLICY, BAD, A "eci-network-policy-enable':'true'",
        "metadata.annotations[k8s.aliyun.com/eci-network-policy-enable]: network policies are not",
        NULL),

    ROW(EXTRA_STORAGE, VALID, A "eci-extra-ephemeral-storage':'50Gi'", "EphemeralStorage=50\n",
        NULL),
    ROW(EXTRA_STORAGE, EDGE, A "eci-extra-ephemeral-storage':'1'", "EphemeralStorage=1\n", NULL),
    ROW(EXTRA_STORAGE, EDGE, A "eci-extra-ephemeral-storage':'5000Gi'", "EphemeralStorage=5000\n",
        NULL),
    ROW(EXTRA_STORAGE, BAD, A "eci-extra-ephemeral-storage':'5001Gi'",
        NOT("eci-extra-ephemeral-storage", "5001Gi") ": must be a quantity from 1 byte to 5000 GiB",
        NULL),
    ROW(EXTRA_STORAGE, BAD, A "eci-extra-ephemeral-storage':'0'",
        NOT("eci-extra-ephemeral-storage", "0"), NULL),
    ROW(STORAGE_OPTIONS, VALID, A "eci-ephemeral-storage-options':''", "", NULL),
    ROW(STORAGE_OPTIONS, EDGE, A "eci-ephemeral-storage-options':' '", "", NULL),
    ROW(STORAGE_OPTIONS, BAD,
        A "eci-ephemeral-storage-options':'{\\u0022encrypted\\u0022:\\u0022true\\u0022}'",
        "metadata.annotations[k8s.aliyun.com/eci-ephemeral-storage-options]: the disk would not be "
        "encrypted",
        NULL),
    ROW(CORE_PATTERN, VALID, A "eci-core-pattern':'/pod/data/dump/core'",
        "CorePattern=/pod/data/dump/core\n", NULL),
    ROW(CORE_PATTERN, EDGE, A "eci-core-pattern':'pod/data/dump/core'",
        "CorePattern=/pod/data/dump/core\n", NULL),
    ROW(CORE_PATTERN, BAD, A "eci-core-pattern':'|/bin/sh'", NOT("eci-core-pattern", "|/bin/sh"),
        NULL),
    ROW(DATA_CACHE, VALID, A "eci-data-cache-bucket':'default'", "DataCacheBucket=default\n", NULL),
    ROW(DATA_CACHE, EDGE, A "eci-data-cache-bucket':'" X64 "'", "DataCacheBucket=" X64 "\n", NULL),
    ROW(DATA_CACHE, BAD, A "eci-data-cache-bucket':'" X64 "x'", "metadata.annotations", NULL),
    ROW(DATA_CACHE_LEVEL, VALID, A "eci-data-cache-pl':'PL2'," A "eci-data-cache-bucket':'b'",
        "DataCachePL=PL2\n", NULL),
    ROW(DATA_CACHE_LEVEL, EDGE, A "eci-data-cache-pl':'pl0'", "!DataCachePL\n",
        "metadata.annotations[k8s.aliyun.com/eci-data-cache-pl]: means nothing"),
    ROW(DATA_CACHE_LEVEL, BAD, A "eci-data-cache-pl':'PL4'", NOT("eci-data-cache-pl", "PL4"), NULL),
    ROW(DATA_CACHE_IOPS, VALID,
        A "eci-data-cache-provisionedIops':'1000'," A "eci-data-cache-bucket':'b'",
        "DataCacheProvisionedIops=1000\n", NULL),
    ROW(DATA_CACHE_IOPS, EDGE,
        A "eci-data-cache-provisionedIops':'50000'," A "eci-data-cache-bucket':'b'",
        "DataCacheProvisionedIops=50000\n", NULL),
    ROW(DATA_CACHE_IOPS, BAD, A "eci-data-cache-provisionedIops':'50001'",
        NOT("eci-data-cache-provisionedIops", "50001"), NULL),
    ROW(DATA_CACHE_BURST, VALID,
        A "eci-data-cache-burstingEnabled':'true'," A "eci-data-cache-bucket':'b'",
        "DataCacheBurstingEnabled=true\n", NULL),
    ROW(DATA_CACHE_BURST, EDGE, A "eci-data-cache-burstingEnabled':'false'",
        "!DataCacheBurstingEnabled\n", NULL),
    ROW(DATA_CACHE_BURST, BAD, A "eci-data-cache-burstingEnabled':'y'",
        NOT("eci-data-cache-burstingEnabled", "y"), NULL),

    ROW(NTP, VALID, A "eci-ntp-server':'100.100.5.1, 100.100.5.2'",
        "NtpServer.1=100.100.5.1\nNtpServer.2=100.100.5.2\n", NULL),
    ROW(NTP, EDGE,
        A "eci-ntp-server':'1.1.1.1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21'",
        "NtpServer.21=21\n", NULL),
    ROW(NTP, BAD,
        A "eci-ntp-server':'1.1.1.1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22'",
        "metadata.annotations[k8s.aliyun.com/eci-ntp-server]: ", NULL),
    ROW(HOST_SYSCTLS, VALID,
        A "eci-host-sysctls':'[{\\u0022name\\u0022:\\u0022net.core.somaxconn\\u0022,\\u0022value"
          "\\u0022:\\u00221024\\u0022}]'",
        "HostSecurityContext.Sysctl.1.Name=net.core.somaxconn\n"
        "HostSecurityContext.Sysctl.1.Value=1024\n",
        NULL),
    ROW(HOST_SYSCTLS, EDGE,
        A "eci-host-sysctls':'[{\\u0022name\\u0022:\\u0022a.b\\u0022,\\u0022value\\u0022:\\u00221 2"
          "\\u0022},{\\u0022name\\u0022:\\u0022a.c\\u0022,\\u0022value\\u0022:\\u00220\\u0022}]'",
        "HostSecurityContext.Sysctl.2.Name=a.c\nHostSecurityContext.Sysctl.1.Value=1 2\n", NULL),
    ROW(HOST_SYSCTLS, BAD, A "eci-host-sysctls':'[{\\u0022name\\u0022:\\u0022a\\u0022}]'",
        "metadata.annotations[k8s.aliyun.com/eci-host-sysctls]: ", NULL),
    ROW(CUSTOM_TAGS, VALID, A "eci-custom-tags':'team:web, stage:test'",
        "Tag.9.Key=team\nTag.9.Value=web\nTag.10.Key=stage\nTag.10.Value=test\n", NULL),
    ROW(CUSTOM_TAGS, EDGE, A "eci-custom-tags':'" X64 ":,b:" X64 X64 ",c:d:e'",
        "Tag.9.Key=" X64 "\nTag.9.Value=\nTag.10.Value=" X64 X64 "\nTag.11.Value=d:e\n", NULL),
    ROW(CUSTOM_TAGS, BAD, A "eci-custom-tags':'a:1,b:2,c:3,d:4'",
        NOT("eci-custom-tags", "a:1,b:2,c:3,d:4") ": must be 1 to 3 tags", NULL),
    ROW(CUSTOM_TAGS, BAD, A "eci-custom-tags':'ClusterId:other'",
        NOT("eci-custom-tags", "ClusterId:other"), NULL),
    ROW(CUSTOM_TAGS, BAD, A "eci-custom-tags':'aliyun:x'", NOT("eci-custom-tags", "aliyun:x"),
        NULL),
    ROW(CUSTOM_TAGS, BAD, A "eci-custom-tags':'a:1, a:2'", NOT("eci-custom-tags", "a:1, a:2"),
        NULL),
    ROW(CUSTOM_TAGS, BAD, A "eci-custom-tags':'a:http://b'", NOT("eci-custom-tags", "a:http://b"),
        NULL),
    ROW(SLS, VALID, A "eci-sls-enable':'true'", "",
        "metadata.annotations[k8s.aliyun.com/eci-sls-enable]: the log service"),
    ROW(SLS, EDGE, A "eci-sls-enable':'false'", "", NULL),
    ROW(SLS, BAD, A "eci-sls-enable':'logs'", NOT("eci-sls-enable", "logs"), NULL),
#undef NOT
#undef ROW
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

static const char least_spec[] = "{'containers':[{'name':'a','image':'b:1'}]}";

/* ---- names ----------------------------------------------------------------------------------- */

static char names[400][128];
static size_t names_count;

static int load_names(void **state)
{
    FILE *file = fopen(NAMES_FILE, "r");

    (void)state;
    if (file == NULL) {
        return -1;
    }
    while (names_count < 400 && fgets(names[names_count], sizeof names[0], file) != NULL) {
        names[names_count][strcspn(names[names_count], "\n")] = '\0';
        names_count++;
    }
    fclose(file);
    return names_count > 150 ? 0 : -1;
}

/* "Tag.3.Key" is known as "Tag.N.Key". */
static bool is_known(str name)
{
    char general[128];
    size_t bytes = 0;

    for (size_t i = 0; i < name.bytes && bytes < sizeof general - 1; i++) {
        bool is_number =
            name.ptr[i] >= '0' && name.ptr[i] <= '9' && i > 0 && name.ptr[i - 1] == '.';
        if (is_number) {
            while (i + 1 < name.bytes && name.ptr[i + 1] >= '0' && name.ptr[i + 1] <= '9') {
                i++;
            }
        }
        general[bytes++] = is_number ? 'N' : name.ptr[i];
    }
    for (size_t i = 0; i < names_count; i++) {
        if (str_eq(str_of(names[i]), str_make(general, bytes))) {
            return true;
        }
    }
    return false;
}

/* ---- one pod --------------------------------------------------------------------------------- */

struct outcome {
    enum err err;
    struct arena arena;
    struct spec_verdict verdict;
    struct params params;
    struct sizing size;
};

static void translate(const char *annotations, const char *spec, const struct spec_config *config,
                      struct outcome *out)
{
    static char metadata[8192];

    case_begin(&out->arena, &out->verdict);
    assert_int_equal(params_init(&out->params, &out->arena), ERR_OK);
    snprintf(metadata, sizeof metadata, ",'annotations':{%s}", annotations);
    json pod = case_pod(&out->arena, metadata, spec);
    out->err = pod_json_to_eci(pod, NULL, config, 1, &out->params, &out->size, &out->verdict);
}

static void expect_lines(const struct outcome *outcome, const char *wants)
{
    str rest = str_of(wants), line, name;

    while (str_cut(&rest, '\n', &line)) {
        bool is_absent = str_starts(line, S("!"));
        str value = is_absent ? str_sub(line, 1, line.bytes) : line;
        if (!is_absent) {
            (void)str_cut(&value, '=', &name);
        } else {
            name = value;
        }
        str found = params_find(&outcome->params, name);
        if (is_absent ? found.ptr != NULL : found.ptr == NULL || !str_eq(found, value)) {
            fail_msg("%.*s: \"%.*s\"; remarks: %s", STR_ARG(line), STR_ARG(found),
                     case_remarks(&outcome->verdict, false));
        }
    }
}

static void expect_warning(const struct outcome *outcome, const char *warning)
{
    const char *told = case_remarks(&outcome->verdict, true);
    if (warning == NULL ? told[0] != '\0' : strncmp(told, warning, strlen(warning)) != 0) {
        fail_msg("warnings: %s", told);
    }
}

static void test_values(void **state)
{
    struct outcome outcome;

    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        const struct value_case *row = &cases[i];
        translate(row->annotations, least_spec, &case_config, &outcome);
        if (row->kind == BAD) {
            const char *told = case_remarks(&outcome.verdict, false);
            if (outcome.err != ERR_UNSUPPORTED ||
                strncmp(told, row->wants, strlen(row->wants)) != 0) {
                fail_msg("%s: %s \"%s\"", row->annotations, err_name(outcome.err), told);
            }
            assert_true(strlen(told) < POD_MESSAGE_BYTES); /* the author sees all of it */
            continue;
        }
        if (outcome.err != ERR_OK) {
            fail_msg("%s: %s", row->annotations, case_remarks(&outcome.verdict, false));
        }
        expect_lines(&outcome, row->wants);
        expect_warning(&outcome, row->warning);
        for (uint32_t k = 0; k < outcome.params.count; k++) {
            str name = outcome.params.items[k].name;
            if (!is_known(name)) {
                fail_msg("%s: unknown parameter %.*s", row->annotations, STR_ARG(name));
            }
        }
    }
}

static void test_every_row_has_cases(void **state)
{
    (void)state;
    for (unsigned row = 0; row < ANNOTATION_COUNT; row++) {
        unsigned counts[KINDS] = {0};
        const struct annotation_row *about = annotation_row((enum annotation)row);
        if (about->fate == ANNOTATION_WRITTEN) {
            continue; /* test_written_ones_mean_nothing */
        }
        for (size_t i = 0; i < CASES; i++) {
            counts[cases[i].kind] += cases[i].row == row;
        }
        for (unsigned kind = 0; kind < KINDS; kind++) {
            if (counts[kind] == 0) {
                fail_msg("%s has no case of kind %u", about->key, kind);
            }
        }
    }
}

static void test_rows_are_sound(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ANNOTATION_COUNT; i++) {
        const struct annotation_row *row = annotation_row((enum annotation)i);
        str rest = str_of(row->parameters), name;
        uint32_t parameters = 0;

        assert_int_equal(annotation_find(str_of(row->key)), i); /* no name twice */
        for (str aliases = str_of(row->aliases); str_cut(&aliases, ' ', &name);) {
            assert_int_equal(annotation_find(name), i);
        }
        for (; str_cut(&rest, ' ', &name); parameters++) {
            if (!is_known(name)) {
                fail_msg("%s: no parameter %.*s", row->key, STR_ARG(name));
            }
        }
        assert_int_equal(row->fate == ANNOTATION_SENT, parameters > 0);
        assert_true(strlen(row->text) > 4);
    }
    assert_int_equal(annotation_find(S("k8s.aliyun.com/eci-new")), ANNOTATION_COUNT);
}

static void test_written_ones_mean_nothing(void **state)
{
    struct outcome outcome;
    char annotations[256];

    (void)state;
    for (unsigned i = 0; i < ANNOTATION_COUNT; i++) {
        const struct annotation_row *row = annotation_row((enum annotation)i);
        if (row->fate == ANNOTATION_WRITTEN) {
            snprintf(annotations, sizeof annotations, "'%s':'eci-x'", row->key);
            translate(annotations, least_spec, &case_config, &outcome);
            assert_int_equal(outcome.err, ERR_OK);
            expect_warning(&outcome, NULL);
        }
    }
}

/* Nothing asked, nothing sent: neither empty values nor annotations of others. */
static void test_empty_values_ask_for_nothing(void **state)
{
    struct outcome outcome;
    char annotations[256], plain[4096];

    (void)state;
    translate("", least_spec, &case_config, &outcome);
    assert_int_equal(outcome.err, ERR_OK);
    assert_true(str_copy(plain, sizeof plain, str_of(case_params(&outcome.params))));
    for (unsigned i = 0; i < ANNOTATION_COUNT; i++) {
        snprintf(annotations, sizeof annotations, "'%s':''",
                 annotation_row((enum annotation)i)->key);
        translate(annotations, least_spec, &case_config, &outcome);
        assert_int_equal(outcome.err, ERR_OK);
        assert_string_equal(case_params(&outcome.params), plain);
    }
    translate("'example.com/a':'b','k8s.aliyun.com/eci-new':'x'", least_spec, &case_config,
              &outcome);
    assert_string_equal(case_params(&outcome.params), plain);
    expect_warning(&outcome, "metadata.annotations[k8s.aliyun.com/eci-new]: not known");
}

/* ---- together -------------------------------------------------------------------------------- */

#define LIMITED(cpu, memory) \
    "{'containers':[{'name':'a','image':'b:1','resources':{'limits':{'cpu':'" cpu \
    "','memory':'" memory "'}}}]}"

/* env that shows what the container may use */
#define FIELDS \
    ",'env':[{'name':'C','valueFrom':{'resourceFieldRef':{'resource':'limits.cpu'}}},{'name':'M'," \
    "'valueFrom':{'resourceFieldRef':{'resource':'limits.memory'}}}]"
#define SHOWN "{'containers':[{'name':'a','image':'b:1'" FIELDS "}]}"
#define VALUE(number) "Container.1.EnvironmentVar." #number ".Value"

static const struct pair_case {
    const char *annotations;
    const char *spec;
    const char *wants;
    const char *refusal;
} pair_cases[] = {
    /* sizes: the containers' numbers go along only where they fit */
    {A "eci-use-specs':'4-8Gi'", LIMITED("1", "2Gi"), "Cpu=4\nMemory=8\nContainer.1.Cpu=1\n", ""},
    {A "eci-use-specs':'1-2Gi'", LIMITED("2", "4Gi"),
     "Cpu=1\nMemory=2\n!Container.1.Cpu\n!Container.1.Memory\n", ""},
    {A "eci-use-specs':'4-8Gi,1-2Gi'", LIMITED("1", "2Gi"),
     "InstanceType=4-8Gi,1-2Gi\nContainer.1.Cpu=1\n", ""},
    {A "eci-use-specs':'4-8Gi,1-2Gi'", LIMITED("2", "2Gi"), "!Container.1.Cpu\n", ""},
    {A "eci-use-specs':'4-8Gi,ecs.c6.large'", LIMITED("1", "2Gi"), "!Container.1.Cpu\n", ""},
    {A "eci-use-specs':'2-4Gi'", LIMITED("100", "2Gi"), "Cpu=2\n!Container.1.Cpu\n", ""},
    {A "eci-use-specs':'2-4Gi'",
     "{'initContainers':[{'name':'i','image':'b:1','resources':{'limits':{'cpu':'3'}}},{'name':'j',"
     "'image':'b:1','resources':{'limits':{'cpu':'2'}}}],'containers':[{'name':'a',"
     "'image':'b:1'}]}",
     "Cpu=2\n!InitContainer.1.Cpu\nInitContainer.2.Cpu=2\n", ""},
    {A "eci-instance-family':'ecs.g6'", LIMITED("3", "20Gi"),
     "InstanceType=ecs.g6.2xlarge\nContainer.1.Cpu=3\n", ""},
    {A "eci-instance-family':'ecs.c6'", LIMITED("64", "512Gi"), "",
     "spec.containers: 64 vCPU and 512 GiB together; no ECS type of the families that are asked "
     "for is that large"},
    {A "eci-instance-generation':'6'", LIMITED("64", "512Gi"), "InstanceType=ecs.r6.16xlarge\n",
     ""},
    {A "eci-instance-generation':'6'", LIMITED("2", "512Gi"), "InstanceType=ecs.r6.16xlarge\n", ""},
    {A "eci-instance-generation':'6'", LIMITED("4", "16Gi"), "InstanceType=ecs.g6.xlarge\n", ""},
    {A "eci-instance-generation':'6'", LIMITED("4", "8Gi"), "InstanceType=ecs.c6.xlarge\n", ""},
    {A "eci-instance-generation':'6'", LIMITED("65", "1Gi"), "",
     "spec.containers: 65 vCPU and 1 GiB together; no ECS type of the families that are asked for "
     "is that large"},
    {A "eci-instance-family':'ecs.c6,ecs.c6" X64 X64 X64 X64 X64 X64 X64 X64 "'",
     LIMITED("1", "2Gi"), "", "spec.containers: 1 vCPU and 2 GiB together; no ECS type"},
    {A "eci-instance-family':'ecs.c6,ecs.g6'", LIMITED("1", "200Gi"), /* only the second has one */
     "InstanceType=ecs.g6.13xlarge\n", ""},
    {A "eci-instance-family':'ecs.c6'", LIMITED("1", "20Gi"), /* of 24 GiB; sizes go on to 32 */
     "InstanceType=ecs.c6.3xlarge\nContainer.1.Memory=20\n", ""},
    /* what a container without limits may use, and its fields show: the instance, of several the
     * smallest; of a type unknown */
    {A "eci-use-specs':'8-16Gi'", SHOWN, "Cpu=8\n" VALUE(1) "=8\n" VALUE(2) "=17179869184\n", ""},
    {A "eci-use-specs':'8-16Gi,4-32Gi'", SHOWN, VALUE(1) "=4\n" VALUE(2) "=17179869184\n", ""},
    {A "eci-use-specs':'ecs.c6.large'", SHOWN, VALUE(1) "=2\n" VALUE(2) "=4294967296\n", ""},
    {A "eci-spot-strategy':'SpotAsPriceGo'",
     "{'containers':[{'name':'a','image':'b:1','resources':{'requests':{'cpu':'500m'}}" FIELDS
     "}]}",
     "Cpu=2\nMemory=2\n" VALUE(1) "=2\n" VALUE(2) "=2147483648\n", ""},
    /* GPUs: of the type, also where the containers' limits do not go along */
    {A "eci-use-specs':'ecs.gn6i-c4g1.xlarge,ecs.gn6i-c8g1.2xlarge'",
     "{'initContainers':[{'name':'i','image':'b:1','resources':{'limits':{'nvidia.com/gpu':'1'}}}],"
     "'containers':[{'name':'a','image':'b:1','resources':{'limits':{'cpu':'1','nvidia.com/gpu':2},"
     "'requests':{'nvidia.com/gpu':'2'}}},{'name':'b','image':'b:1','resources':{'limits':"
     "{'nvidia.com/gpu':'0'}}}]}",
     "InstanceType=ecs.gn6i-c4g1.xlarge,ecs.gn6i-c8g1.2xlarge\nContainer.1.Gpu=2\n"
     "!Container.1.Cpu\n!Container.2.Gpu\nInitContainer.1.Gpu=1\n",
     ""},
    /* spot: no small and no extra sizes */
    {A "eci-spot-strategy':'SpotAsPriceGo'", LIMITED("500m", "512Mi"), "Cpu=2\nMemory=2\n", ""},
    {A "eci-spot-strategy':'SpotAsPriceGo'", LIMITED("3", "1Gi"), "Cpu=4\nMemory=4\n", ""},
    {A "eci-spot-strategy':'SpotAsPriceGo'", LIMITED("3", "6Gi"), "Cpu=4\nMemory=8\n", ""},
    {A "eci-spot-strategy':'SpotAsPriceGo'", LIMITED("5", "5Gi"), "Cpu=8\nMemory=8\n", ""},
    {A "eci-spot-strategy':'SpotAsPriceGo'", LIMITED("0", "16Gi"), "Cpu=2\nMemory=16\n", ""},
    {A "eci-spot-strategy':'SpotAsPriceGo'", LIMITED("0", "0"), "Cpu=2\nMemory=4\n", ""},
    {A "eci-spot-strategy':'SpotAsPriceGo'", LIMITED("65", "5Gi"), "", "spec.containers: 65 vCPU"},
    /* what the cloud does not take together */
    {A "eci-compute-category':'economy'," A "eci-spot-strategy':'SpotAsPriceGo'", least_spec, "",
     "metadata.annotations[k8s.aliyun.com/eci-compute-category]: \"economy\" is not allowed "
     "together "
     "with k8s.aliyun.com/eci-spot-strategy"},
    {A "eci-compute-category':'economy'," A "eci-spot-strategy':'NoSpot'", least_spec,
     "ComputeCategory.1=economy\n", ""},
    {A "eci-compute-category':'economy'," A "eci-instance-generation':'6'", least_spec, "",
     "metadata.annotations[k8s.aliyun.com/eci-compute-category]: "},
    {A "eci-instance-family':'ecs.c6'," A "eci-use-specs':'ecs.c6.large'", least_spec, "",
     "metadata.annotations[k8s.aliyun.com/eci-instance-family]: \"ecs.c6\" is not allowed together "
     "with several sizes or ECS types"},
    {A "eci-instance-family':'ecs.c6'," A "eci-instance-generation':'7'", least_spec,
     "InstanceType=ecs.c6.large\n", ""},
    /* the pod's own lists go on */
    {A "eci-custom-hosts':'[{\\u0022host\\u0022:\\u0022a\\u0022,\\u0022ip\\u0022:\\u00221.2.3.4"
       "\\u0022}]'",
     "{'hostAliases':[{'ip':'1.1.1.1','hostnames':['x']}],'containers':[{'name':'a',"
     "'image':'b:1'}]}",
     "HostAliase.1.Ip=1.1.1.1\nHostAliase.2.Ip=1.2.3.4\nHostAliase.2.Hostname.1=a\n", ""},
    {A "eci-custom-dnsconfig':'{\\u0022nameservers\\u0022:\\u00221.1.1.1\\u0022}'",
     "{'dnsConfig':{'nameservers':['8.8.8.8','8.8.4.4']},'containers':[{'name':'a',"
     "'image':'b:1'}]}",
     "DnsPolicy=None\nDnsConfig.NameServer.1=1.1.1.1\n!DnsConfig.NameServer.2\n", ""},
    {A "eci-extra-ephemeral-storage':'10Gi'",
     "{'containers':[{'name':'a','image':'b:1',"
     "'resources':{'requests':{'ephemeral-storage':'50Gi'}}"
     "}]}",
     "EphemeralStorage=20\n", ""},
    {A "eci-extra-ephemeral-storage':'30Gi'",
     "{'containers':[{'name':'a','image':'b:1',"
     "'resources':{'requests':{'ephemeral-storage':'50Gi'}}"
     "}]}",
     "EphemeralStorage=30\n", ""},
    /* all that is wrong is told at once */
    {A "eci-with-eip':'maybe'", "{'hostNetwork':true,'containers':[{'name':'a','image':'b:1'}]}",
     "",
     "spec.hostNetwork: an instance has its own network, there is no host to share; "
     "metadata.annotations[k8s.aliyun.com/eci-with-eip]: \"maybe\" is not allowed"},
    {A "eci-with-eip':7", least_spec, "",
     "metadata.annotations[k8s.aliyun.com/eci-with-eip]: must be a text: put it into quotes"},
};

static void test_together(void **state)
{
    struct outcome outcome;

    (void)state;
    for (size_t i = 0; i < sizeof(pair_cases) / sizeof(pair_cases[0]); i++) {
        const struct pair_case *row = &pair_cases[i];
        translate(row->annotations, row->spec, &case_config, &outcome);
        const char *told = case_remarks(&outcome.verdict, false);
        if (strncmp(told, row->refusal, strlen(row->refusal)) != 0 ||
            outcome.err != (row->refusal[0] == '\0' ? ERR_OK : ERR_UNSUPPORTED)) {
            fail_msg("row %zu: %s \"%s\"", i, err_name(outcome.err), told);
        }
        expect_lines(&outcome, row->wants);
    }
}

/* Addresses are of a vSwitch, and want a security group (eci-api 2.1). */
static void test_addresses_need_a_place(void **state)
{
    struct spec_config config = case_config;
    struct outcome outcome;

    (void)state;
    config.vswitch_ids = config.security_group_id = STR_NONE;
    translate(A "eci-private-ip-address':'10.0.0.1'", least_spec, &config, &outcome);
    assert_int_equal(outcome.err, ERR_UNSUPPORTED);
    translate(A "eci-fixed-ip':'true'," A "eci-vswitch':'vsw-1'", least_spec, &config, &outcome);
    assert_int_equal(outcome.err, ERR_UNSUPPORTED);
    translate(A "eci-fixed-ip':'true'," A "eci-vswitch':'vsw-1'," A "eci-security-group':'sg-1'",
              least_spec, &config, &outcome);
    assert_int_equal(outcome.err, ERR_OK);
}

/* The node's zone is of the node's vSwitches. */
static void test_zone_goes_with_the_vswitch(void **state)
{
    struct spec_config config = case_config;
    struct outcome outcome;

    (void)state;
    config.zone_id = S("cn-hangzhou-b");
    translate("", least_spec, &config, &outcome);
    expect_lines(&outcome, "ZoneId=cn-hangzhou-b\n");
    translate(A "eci-vswitch':'vsw-z'", least_spec, &config, &outcome);
    expect_lines(&outcome, "!ZoneId\nVSwitchId=vsw-z\n");
}

/* The pod's own value, by whatever name, then the profile in order. */
static void test_profile_comes_after_the_pod(void **state)
{
    static const struct spec_pair effects[] = {
        {S("k8s.aliyun.com/eci-image-snapshot-id"), S("imc-profile")},
        {S("k8s.aliyun.com/eci-imc-id"), S("imc-later")},
        {S("k8s.aliyun.com/eci-auto-imc"), S("true")},
        {S("k8s.aliyun.com/eci-ntp-server"), S("not a server")},
        {S("k8s.aliyun.com/eci-new"), S("x")},
    };
    struct spec_config config = case_config;
    struct outcome outcome;

    (void)state;
    config.effects = effects;
    config.effects_count = 3;
    translate("", least_spec, &config, &outcome);
    expect_lines(&outcome, "ImageSnapshotId=imc-profile\n");
    translate(A "eci-imc-id':'imc-own'", least_spec, &config, &outcome);
    expect_lines(&outcome, "ImageSnapshotId=imc-own\n");
    translate(A "eci-imc-id':''", least_spec, &config, &outcome);
    expect_lines(&outcome, "!ImageSnapshotId\nAutoMatchImageCache=true\n");
    translate(A "eci-imc-id':''," A "eci-image-cache':'false'", least_spec, &config, &outcome);
    expect_lines(&outcome, "!ImageSnapshotId\n!AutoMatchImageCache\n");
    config.effects_count = 5;
    translate("", least_spec, &config, &outcome);
    assert_string_equal(case_remarks(&outcome.verdict, true),
                        "eci-profile[k8s.aliyun.com/eci-new]: not known to this version of ecilet, "
                        "ignored");
    assert_non_null(strstr(case_remarks(&outcome.verdict, false),
                           "eci-profile[k8s.aliyun.com/eci-ntp-server]: \"not a server\" is not"));
}

static void test_size_that_is_billed(void **state)
{
    struct outcome outcome;

    (void)state;
    translate(A "eci-use-specs':'3-6Gi'", LIMITED("1", "1Gi"), &case_config, &outcome);
    assert_int_equal(outcome.size.cpu_milli, 4000);
    assert_int_equal(outcome.size.memory_bytes, 6 * SIZING_GIB);
    translate(A "eci-use-specs':'8-16Gi,2-4Gi'", least_spec, &case_config, &outcome);
    assert_int_equal(outcome.size.cpu_milli, 8000);
    translate(A "eci-use-specs':'ecs.c6.large,2-4Gi'", least_spec, &case_config, &outcome);
    assert_int_equal(outcome.size.cpu_milli, 0);
    translate(A "eci-use-specs':'0.5-1Gi,4-8Gi'," A "eci-spot-strategy':'SpotAsPriceGo'",
              least_spec, &case_config, &outcome);
    assert_int_equal(outcome.size.cpu_milli, 2000); /* there is no smaller spot instance */
    assert_int_equal(outcome.size.memory_bytes, 2 * SIZING_GIB);
}

/* ---- the node's own part --------------------------------------------------------------------- */

static void test_fail_strategy(void **state)
{
    static const struct spec_pair fast[] = {
        {S("k8s.aliyun.com/eci-fail-strategy"), S("fail-fast")}};
    static const struct {
        const char *annotations;
        uint32_t effects_count;
        enum fail_strategy on_refusal, on_no_stock;
    } rows[] = {
        {"", 0, FAIL_BACK, FAIL_BACK},
        {A "eci-fail-strategy':'fail-back'," A "pod-fail-on-create-err':'true'", 1, FAIL_BACK,
         FAIL_BACK},
        {A "eci-fail-strategy':'fail-over'", 0, FAIL_OVER, FAIL_OVER},
        {A "eci-fail-strategy':'fail-fast'", 0, FAIL_FAST, FAIL_FAST},
        {A "pod-fail-on-create-err':'true'", 0, FAIL_FAST, FAIL_FAST},
        {A "pod-fail-on-create-err':'true'," A "eci-reschedule-enable':'true'", 0, FAIL_FAST,
         FAIL_BACK},
        {A "pod-fail-on-create-err':'false'", 0, FAIL_BACK, FAIL_BACK},
        {A "eci-fail-strategy':'other'", 0, FAIL_BACK, FAIL_BACK},
        {"", 1, FAIL_FAST, FAIL_FAST},
        {A "eci-fail-strategy':''", 1, FAIL_BACK, FAIL_BACK},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena;
        struct spec_verdict verdict;
        char metadata[512];

        case_begin(&arena, &verdict);
        snprintf(metadata, sizeof metadata, ",'annotations':{%s}", rows[i].annotations);
        struct pod_policy policy = pod_policy_read(case_pod(&arena, metadata, least_spec), fast,
                                                   rows[i].effects_count, &arena);
        assert_int_equal(policy.on_refusal, rows[i].on_refusal);
        assert_int_equal(policy.on_no_stock, rows[i].on_no_stock);
    }
}

/* ---- for people ------------------------------------------------------------------------------ */

static void test_every_row_is_printed(void **state)
{
    struct buf out;

    (void)state;
    for (unsigned is_markdown = 0; is_markdown < 2; is_markdown++) {
        buf_init(&out, case_output, sizeof case_output);
        is_markdown ? annotations_print_markdown(&out) : annotations_print_text(&out);
        assert_true(buf_ok(&out));
        for (unsigned i = 0; i < ANNOTATION_COUNT; i++) {
            assert_true(str_find(buf_str(&out), str_of(annotation_row((enum annotation)i)->key)) >
                        0);
        }
        str rest = buf_str(&out), line;
        while (!is_markdown && str_cut(&rest, '\n', &line)) {
            assert_true(line.bytes <= 100);
        }
    }
}

/* Whatever take of memory fails, the answer is ERR_FULL and never a shortened request. */
static void test_every_take_can_fail(void **state)
{
    static const char rich[] =
        A "eci-security-group':'sg-1, sg-2'," A "eci-core-pattern':'core'," A
          "acr-instance-id':'cri-1'," A "eci-custom-tags':'a:b, c:d'," A
          "eci-instance-family':'ecs.c6'," A
          "eci-custom-dnsconfig':'{\\u0022nameservers\\u0022:\\u00221.1.1.1\\u0022}'," A
          "eci-host-sysctls':'[{\\u0022name\\u0022:\\u0022a.b\\u0022,\\u0022value\\u0022:\\u00221"
          "\\u0022}]'," A
          "eci-custom-hosts':'[{\\u0022host\\u0022:\\u0022a\\u0022,\\u0022ip\\u0022:\\u00221.1.1.1"
          "\\u0022}]'," A "eci-new':'x'";
    static char metadata[4096];

    (void)state;
    snprintf(metadata, sizeof metadata, ",'annotations':{%s}", rich);
    for (uint64_t nth = 1;; nth++) {
        struct outcome out;

        case_begin(&out.arena, &out.verdict);
        assert_int_equal(params_init(&out.params, &out.arena), ERR_OK);
        json pod = case_pod(&out.arena, metadata, least_spec);
        arena_fail_at(nth);
        out.err = pod_json_to_eci(pod, NULL, &case_config, 1, &out.params, NULL, &out.verdict);
        arena_fail_at(0);
        if (out.err == ERR_OK) {
            assert_true(nth > 100);
            return;
        }
        if (out.err != ERR_FULL) {
            fail_msg("take %u: %s: %s", (unsigned)nth, err_name(out.err),
                     case_remarks(&out.verdict, false));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_every_row_has_cases),
        cmocka_unit_test(test_rows_are_sound),
        cmocka_unit_test(test_written_ones_mean_nothing),
        cmocka_unit_test(test_empty_values_ask_for_nothing),
        cmocka_unit_test(test_together),
        cmocka_unit_test(test_addresses_need_a_place),
        cmocka_unit_test(test_zone_goes_with_the_vswitch),
        cmocka_unit_test(test_profile_comes_after_the_pod),
        cmocka_unit_test(test_size_that_is_billed),
        cmocka_unit_test(test_fail_strategy),
        cmocka_unit_test(test_every_row_is_printed),
        cmocka_unit_test(test_every_take_can_fail),
    };

    return cmocka_run_group_tests(tests, load_names, NULL);
}
