/* address.c - see address.h */
#include "spec/address.h"

#define GROUPS 8 /* of 16 bits in an IPv6 address */

static bool is_ipv4(str text);
static bool is_ipv6(str text);
static bool is_group(str text, bool *is_zero);

enum address_family address_family(str text)
{
    return is_ipv4(text) ? ADDRESS_IPV4 : is_ipv6(text) ? ADDRESS_IPV6 : ADDRESS_NONE;
}

static bool is_ipv4(str text)
{
    str rest = text, part;
    unsigned parts = 0;
    uint64_t number = 0, any = 0;

    while (str_cut(&rest, '.', &part)) {
        bool has_zero = part.bytes > 1 && part.ptr[0] == '0';
        if (has_zero || part.bytes > 3 || !str_to_u64(part, &number) || number > 255) {
            return false;
        }
        any |= number;
        parts++;
    }
    return parts == 4 && any != 0 && !str_ends(text, S("."));
}

/* Groups before "::" and after it are counted; without it there must be all eight. */
static bool is_ipv6(str text)
{
    ptrdiff_t gap = str_find(text, S("::"));
    str halves[2] = {gap < 0 ? text : str_sub(text, 0, (size_t)gap),
                     gap < 0 ? STR_NONE : str_sub(text, (size_t)gap + 2, text.bytes)};
    unsigned groups = 0;
    bool is_zero = true;

    for (unsigned i = 0; i < 2; i++) {
        str rest = halves[i], group;
        if (str_ends(rest, S(":"))) {
            return false;
        }
        while (str_cut(&rest, ':', &group)) {
            if (!is_group(group, &is_zero)) {
                return false;
            }
            groups++;
        }
    }
    return !is_zero && (gap < 0 ? groups == GROUPS : groups < GROUPS);
}

static bool is_group(str text, bool *is_zero)
{
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.ptr[i];
        bool is_hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (!is_hex) {
            return false;
        }
        *is_zero &= c == '0';
    }
    return text.bytes >= 1 && text.bytes <= 4;
}
