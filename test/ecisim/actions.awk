# Make actions.def from the action table of the ECI API:
#
#   awk -f actions.awk eci-actions.tsv > actions.def
#
# The table has four columns separated by tabs: action, request or response, flattened name
# (N stands for an index), type. Only the actions that ecisim serves are kept.
BEGIN {
    FS = "\t"
    served = "CreateContainerGroup DeleteContainerGroup DescribeContainerGroups "              \
             "DescribeContainerGroupStatus DescribeContainerGroupEvents DescribeContainerLog " \
             "DescribeRegions ListUsage RestartContainerGroup UpdateContainerGroup "           \
             "TagResources UntagResources ListTagResources DescribeContainerGroupPrice "       \
             "DescribeAvailableResource DescribeMultiContainerGroupMetric "                    \
             "DescribeContainerGroupMetric ExecContainerCommand ResizeContainerGroupVolume "   \
             "CreateImageCache DescribeImageCaches UpdateImageCache DeleteImageCache"
    count = split(served, names, " ")
    for (at = 1; at <= count; at++) {
        is_served[names[at]] = 1
    }
    print "/* Made by actions.awk from the action table of the ECI API; do not edit. */"
}
$1 in is_served {
    printf "%s(%s, \"%s\", %s)\n", $2 == "request" ? "REQUEST" : "RESPONSE", $1, $3, toupper($4)
}
