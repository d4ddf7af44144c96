/* see ports.h */
#include "app/ports.h"

uint8_t ports_family(const char *address)
{
    return str_find_char(str_of(address), ':') >= 0 ? 6 : 4;
}

uint8_t ports_webhook_family(const struct config *config, const char *address)
{
    return str_starts(config->webhook_url, S("https://[")) ? 6 : ports_family(address);
}
