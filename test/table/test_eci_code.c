/* Reply in, fate out: the codes of eci-api 1.8, one row each, and what must hold for all of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/arena.h"
#include "eci/eci_code.h"

static const struct code_case {
    int http;
    const char *code;
    const char *message;
    enum err err;
    enum fate fate;
    enum eci_again again;
} cases[] = {
    /* gateway */
    {400, "MissingParameter", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "MissingContainerGroupId", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "InvalidParameter.Format", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "InvalidTimeStamp.Format", "", ERR_CLOCK, FATE_LATER, ECI_AGAIN_CLOCK},
    {400, "InvalidTimeStamp.Expired", "", ERR_CLOCK, FATE_LATER, ECI_AGAIN_CLOCK},
    {400, "SignatureNonceUsed", "", ERR_CONFLICT, FATE_LATER, ECI_AGAIN_NONCE},
    {400, "SignatureDoesNotMatch", "", ERR_AUTH, FATE_LATER, ECI_AGAIN_NO},
    {403, "SignatureDoesNotMatch", "", ERR_AUTH, FATE_LATER, ECI_AGAIN_NO},
    {400, "IncompleteSignature", "", ERR_AUTH, FATE_LATER, ECI_AGAIN_NO},
    {404, "InvalidAccessKeyId.NotFound", "", ERR_AUTH, FATE_LATER, ECI_AGAIN_NO},
    {400, "InvalidAccessKeyId.Inactive", "", ERR_AUTH, FATE_LATER, ECI_AGAIN_NO},
    {403, "Forbidden.AccessKeyDisabled", "", ERR_AUTH, FATE_LATER, ECI_AGAIN_NO},
    {400, "InvalidSecurityToken.Expired", "", ERR_AUTH, FATE_LATER, ECI_AGAIN_NO},
    {400, "InvalidSecurityToken.Malformed", "", ERR_AUTH, FATE_LATER, ECI_AGAIN_NO},
    {400, "MissingSecurityToken", "", ERR_AUTH, FATE_LATER, ECI_AGAIN_NO},
    {404, "InvalidApi.NotFound", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {403, "InvalidAction", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {404, "InvalidAction.NotFound", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {404, "InvalidProduct.NotFound", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {400, "InvalidVersion", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {400, "InvalidProtocol.NeedSsl", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {403, "Forbidden.RAM", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {400, "NoPermission", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {403, "Forbidden.Unauthorized", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {403, "Forbidden.SubUser", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {403, "Forbidden.NotSupportRAM", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {400, "Throttling", "", ERR_THROTTLED, FATE_SLOW, ECI_AGAIN_NO},
    {400, "Throttling.User", "", ERR_THROTTLED, FATE_SLOW, ECI_AGAIN_NO},
    {429, "Throttling.Api", "", ERR_THROTTLED, FATE_SLOW, ECI_AGAIN_NO},
    {503, "Throttling.User", "", ERR_THROTTLED, FATE_SLOW, ECI_AGAIN_NO},
    {429, "Something.Else", "", ERR_THROTTLED, FATE_SLOW, ECI_AGAIN_NO},
    {408, "Request Timeout", "", ERR_TIMEOUT, FATE_LATER, ECI_AGAIN_NO},
    {500, "InternalError", "", ERR_SERVER, FATE_LATER, ECI_AGAIN_NO},
    {400, "InternalError", "", ERR_SERVER, FATE_LATER, ECI_AGAIN_NO},
    {503, "ServiceUnavailable", "", ERR_SERVER, FATE_LATER, ECI_AGAIN_NO},
    {502, "Whatever", "", ERR_SERVER, FATE_LATER, ECI_AGAIN_NO},
    /* ECI: wrong for good */
    {400, "InvalidParameter", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "InvalidParameter.ValueExceeded", "too many", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "InvalidParameter.CPU.Memory", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "InvalidParameter.DuplicatedName", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "InvalidParameter.DuplicatedVolumeName", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {403, "InvalidParameter.Something", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "IdempotentParameterMismatch", "", ERR_TOKEN_CLASH, FATE_NEVER, ECI_AGAIN_NO},
    {403, "InvalidOperation.ResourceManagedByCloudProduct", "", ERR_INVALID, FATE_NEVER,
     ECI_AGAIN_NO},
    {403, "BatchCreateNotSupportExistingCloudDisk", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {404, "ImageSnapshot.NotFound", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {404, "InvalidDiskId.NotFound", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {404, "InvalidParameter.KMS.KeyId.NotFound", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "InvalidOperation.KMS.InstanceTypeNotSupport", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "ImageSnapshot.NotSupport", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "DiskNumber.LimitExceed", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "DiskVolume.NotSupport", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "CloudDisk.NotInSameZone", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "MultiAttachedCloudDiskNotSupport", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "LocalDiskAmountNotMatch", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "InvalidInstanceTypeForRaid", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "InvalidSpotCpuMemorySpec", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "InvalidInstanceTypeForEciBuy", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "InstanceTypeNotMatchCpuArch", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "HighCpuMemConfigRequired", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "RecommendEmpty.InstanceTypeFamilyNotMatched", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "FeatureBasedConstraintConflict", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "Ipv6AddressNotSupport", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "RamRole.NotSupport", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "CorePattern.UpdateFail", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    {400, "A.Code.From.Tomorrow", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    /* ECI: passing */
    {400, "IncorrectStatus", "", ERR_CONFLICT, FATE_LATER, ECI_AGAIN_NO},
    {400, "IncorrectOperation", "", ERR_CONFLICT, FATE_LATER, ECI_AGAIN_NO},
    {400, "OperationConflict", "", ERR_BUSY, FATE_LATER, ECI_AGAIN_NO},
    {400, "ImageSnapshot.IncorrectStatus", "", ERR_BUSY, FATE_LATER, ECI_AGAIN_NO},
    {400, "PrivateIpAddress.Already.InUse", "", ERR_BUSY, FATE_LATER, ECI_AGAIN_NO},
    {400, "EipPurchaseFlowControl", "", ERR_THROTTLED, FATE_SLOW, ECI_AGAIN_NO},
    {400, "Degrade.Api", "", ERR_THROTTLED, FATE_SLOW, ECI_AGAIN_NO},
    /* ECI: not enough */
    {403, "Throttling.Vcpu.PerDay", "", ERR_QUOTA, FATE_LATER, ECI_AGAIN_NO},
    {403, "QuotaExceeded", "", ERR_QUOTA, FATE_LATER, ECI_AGAIN_NO},
    {400, "DedicatedHostQuotaExceeded", "", ERR_QUOTA, FATE_LATER, ECI_AGAIN_NO},
    {400, "InvalidParameter.ValueExceeded", "The vCPU Quota of your account is used up", ERR_QUOTA,
     FATE_LATER, ECI_AGAIN_NO},
    {400, "Account.Arrearage", "", ERR_QUOTA, FATE_LATER, ECI_AGAIN_NO},
    {400, "InvalidPaymentMethod.InsufficientBalance", "", ERR_QUOTA, FATE_LATER, ECI_AGAIN_NO},
    {400, "Payfor.CreditPayInsufficientBalance", "", ERR_QUOTA, FATE_LATER, ECI_AGAIN_NO},
    {400, "EipPayInsufficientBalance", "", ERR_QUOTA, FATE_LATER, ECI_AGAIN_NO},
    {400, "EipAddressPoolIpNotEnough", "", ERR_QUOTA, FATE_LATER, ECI_AGAIN_NO},
    {403, "OperationDenied.NoStock", "", ERR_STOCK, FATE_LATER, ECI_AGAIN_NO},
    {403, "Zone.NotOnSale", "", ERR_STOCK, FATE_LATER, ECI_AGAIN_NO},
    {403, "Spot.NotMatched", "", ERR_STOCK, FATE_LATER, ECI_AGAIN_NO},
    {403, "InvalidVSwitchId.IpNotEnough", "", ERR_STOCK, FATE_LATER, ECI_AGAIN_NO},
    /* ECI: to be permitted or repaired by the owner of the account or of our config */
    {403, "OperationDenied.VswZoneMisMatch", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {403, "OperationDenied.SecurityGroupMisMatch", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {404, "InvalidVSwitchId.NotFound", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {404, "InvalidSecurityGroupId.NotFound", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {404, "InvalidRegionId.NotFound", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {404, "InvalidResourceGroup.NotFound", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {403, "FeatureAccessRestricted", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {403, "Forbidden.OnlyForInvitedTest", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {403, "CreateServiceLinkedRole.Denied", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {403, "InvalidUser.PassRoleForbidden", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {403, "Forbidden.UserBussinessStatus", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {403, "Forbidden.RiskControl", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {403, "InvalidParameter.KMS.KeyId.Forbidden", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {400, "ServiceNotEnabled", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {400, "RegionDissolved", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {400, "OperationFailed.RiskControl", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {503, "containerRepositoryAuthorizationFailed", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {403, "Another.Code", "", ERR_FORBIDDEN, FATE_LATER, ECI_AGAIN_NO},
    {401, "Another.Code", "", ERR_AUTH, FATE_LATER, ECI_AGAIN_NO},
    {409, "Another.Code", "", ERR_CONFLICT, FATE_LATER, ECI_AGAIN_NO},
    /* the group is gone */
    {404, "InvalidParameter.NotFound", "", ERR_NOT_FOUND, FATE_NEVER, ECI_AGAIN_NO},
    {404, "ContainerGroup.NotFound", "", ERR_NOT_FOUND, FATE_NEVER, ECI_AGAIN_NO},
    {400, "ContainerGroupNotFound", "", ERR_NOT_FOUND, FATE_NEVER, ECI_AGAIN_NO},
    {404, "InvalidContainerGroupId.NotExist", "", ERR_NOT_FOUND, FATE_NEVER, ECI_AGAIN_NO},
    /* a 404 with a code that does not say so is no proof */
    {404, "Another.Code", "", ERR_INVALID, FATE_NEVER, ECI_AGAIN_NO},
    /* success */
    {200, "", "", ERR_OK, FATE_NONE, ECI_AGAIN_NO},
    {400, "DryRunOperation", "", ERR_OK, FATE_NONE, ECI_AGAIN_NO},
    {200, "DryRun.Success", "", ERR_OK, FATE_NONE, ECI_AGAIN_NO},
    {200, "Success", "", ERR_OK, FATE_NONE, ECI_AGAIN_NO},
    {200, "OK", "", ERR_OK, FATE_NONE, ECI_AGAIN_NO},
    {200, "200", "", ERR_OK, FATE_NONE, ECI_AGAIN_NO},
    /* an error behind a good status (the older client's rule) */
    {200, "Throttling.User", "", ERR_THROTTLED, FATE_SLOW, ECI_AGAIN_NO},
    {200, "OperationDenied.NoStock", "", ERR_STOCK, FATE_LATER, ECI_AGAIN_NO},
    {200, "A.Code.From.Tomorrow", "", ERR_SERVER, FATE_LATER, ECI_AGAIN_NO},
    /* no code: proxies, load balancers, portals */
    {404, "", "", ERR_BAD_REPLY, FATE_LATER, ECI_AGAIN_NO},
    {403, "", "", ERR_BAD_REPLY, FATE_LATER, ECI_AGAIN_NO},
    {400, "", "", ERR_BAD_REPLY, FATE_LATER, ECI_AGAIN_NO},
    {302, "", "", ERR_BAD_REPLY, FATE_LATER, ECI_AGAIN_NO},
    {407, "", "", ERR_AUTH, FATE_LATER, ECI_AGAIN_NO},
    {408, "", "", ERR_TIMEOUT, FATE_LATER, ECI_AGAIN_NO},
    {429, "", "", ERR_THROTTLED, FATE_SLOW, ECI_AGAIN_NO},
    {500, "", "", ERR_SERVER, FATE_LATER, ECI_AGAIN_NO},
    {504, "", "", ERR_SERVER, FATE_LATER, ECI_AGAIN_NO},
    {599, "", "", ERR_SERVER, FATE_LATER, ECI_AGAIN_NO},
    {0, "", "", ERR_BAD_REPLY, FATE_LATER, ECI_AGAIN_NO},
    {999, "", "", ERR_BAD_REPLY, FATE_LATER, ECI_AGAIN_NO},
};

static void test_eci_code_each_documented_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct code_case *c = &cases[i];
        struct eci_verdict verdict = eci_code_judge(c->http, str_of(c->code), str_of(c->message));
        if (verdict.err != c->err || err_fate(verdict.err) != c->fate ||
            verdict.again != c->again) {
            fail_msg("%d %s: got %s, again %d", c->http, c->code, err_name(verdict.err),
                     verdict.again);
        }
    }
}

/* A text that a pattern matches: every star becomes a letter that no pattern has. */
static str sample_of(const struct eci_code_row *row, char *text)
{
    size_t bytes = strlen(row->pattern);
    for (size_t i = 0; i < bytes; i++) {
        text[i] = row->pattern[i] == '*' ? '_' : row->pattern[i];
    }
    return str_make(text, bytes);
}

/* No row is hidden behind an earlier one that says something else. */
static void test_eci_code_each_row_can_be_reached(void **state)
{
    char text[256];
    (void)state;
    for (uint32_t i = 0; i < eci_code_rows_count(); i++) {
        const struct eci_code_row *row = eci_code_row(i);
        str message = row->needle != NULL ? str_of(row->needle) : STR_NONE;
        struct eci_verdict verdict = eci_code_judge(400, sample_of(row, text), message);
        if (verdict.err != row->verdict.err || verdict.again != row->verdict.again ||
            verdict.hides_message != row->verdict.hides_message) {
            fail_msg("row %u (%s) gave %s", i, row->pattern, err_name(verdict.err));
        }
    }
}

/* What may end a pod for good is short and known (eci_code.h). */
static void test_eci_code_only_wrong_requests_are_never(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < eci_code_rows_count(); i++) {
        enum err err = eci_code_row(i)->verdict.err;
        assert_true(err_fate(err) != FATE_NEVER || err == ERR_INVALID || err == ERR_NOT_FOUND ||
                    err == ERR_TOKEN_CLASH);
        assert_true(err_fate(err) != FATE_UNKNOWN && err_fate(err) != FATE_OURS);
    }
    for (int http = 0; http < 1000; http++) {
        enum err err = eci_code_judge(http, STR_NONE, STR_NONE).err;
        assert_true(err == ERR_OK || err_fate(err) == FATE_LATER || err_fate(err) == FATE_SLOW);
        assert_true((err == ERR_OK) == (http >= 200 && http < 300));
    }
}

static void test_eci_code_signature_messages_are_hidden(void **state)
{
    (void)state;
    assert_true(eci_code_judge(400, S("SignatureDoesNotMatch"), STR_NONE).hides_message);
    assert_true(eci_code_judge(400, S("IncompleteSignature"), STR_NONE).hides_message);
    assert_false(eci_code_judge(400, S("InvalidParameter"), STR_NONE).hides_message);
}

static void test_eci_code_absurdly_long_codes_are_judged_by_status(void **state)
{
    char text[100000];
    (void)state;
    memset(text, 'N', sizeof text);
    memcpy(text, "Throttling", 10);
    assert_int_equal(eci_code_judge(400, str_make(text, sizeof text), STR_NONE).err, ERR_INVALID);
    assert_int_equal(eci_code_judge(400, str_make(text, ECI_CODE_BYTES_MAX), STR_NONE).err,
                     ERR_THROTTLED);
    assert_int_equal(eci_code_judge(503, str_make(text, sizeof text), STR_NONE).err, ERR_SERVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eci_code_each_documented_code),
        cmocka_unit_test(test_eci_code_each_row_can_be_reached),
        cmocka_unit_test(test_eci_code_only_wrong_requests_are_never),
        cmocka_unit_test(test_eci_code_signature_messages_are_hidden),
        cmocka_unit_test(test_eci_code_absurdly_long_codes_are_judged_by_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
