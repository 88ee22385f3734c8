/* What a call may carry of the acknowledgements that the relay did not take yet. */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../bridge/acks.h"
#include "../../common/alloc.h"
#include "../../common/mcp.h"
#include "unit.h"

enum { OFFER_IDS = 20, OFFERS_THAT_FIT = PATCHCORD_ACKS_MAX / OFFER_IDS, POLL_MS = 100 };

static struct transfers *transfers;
static struct acks *acks;
static struct config config;

/* A relay that nobody reaches: the port is bound, and nothing listens there. */
static int unreachable(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&at, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    config.url = xasprintf("http://127.0.0.1:%d", ntohs(at.sin_port));
    return fd;
}

static void arrive(size_t ids)
{
    struct relay_offer offer = {.count = ids};
    offer.ids = xcalloc(ids, sizeof *offer.ids);
    uuid_v4(offer.lease);
    for (size_t i = 0; i < ids; i++)
        uuid_v4(offer.ids[i]);
    acks_arrived(acks, &config, &offer);
    ck_assert_ptr_null(offer.ids);
}

static size_t ride(const void *call)
{
    struct json_object *ids = acks_ride(acks, call);
    size_t count = ids ? json_object_array_length(ids) : 0;
    json_object_put(ids);
    return count;
}

/* Two calls are to take along all that was offered: as soon as each post has failed, which is not repeated
 * without acks_step. */
static bool all_ride(const void *first, const void *second)
{
    size_t carried = ride(first), rest = ride(second);
    if (carried == PATCHCORD_ACKS_MAX && rest == 1)
        return true;
    ck_assert_uint_le(carried, PATCHCORD_ACKS_MAX);
    acks_ride_ended(acks, first, false);
    acks_ride_ended(acks, second, false);
    transfers_poll(transfers, NULL, 0, POLL_MS);
    transfers_step(transfers);
    return false;
}

START_TEST(a_call_carries_no_more_than_the_relay_takes)
{
    int fd = unreachable(), first, second, third;
    transfers = transfers_new();
    acks = acks_new(transfers);
    for (size_t i = 0; i < OFFERS_THAT_FIT; i++)
        arrive(OFFER_IDS);
    arrive(1);
    while (!all_ride(&first, &second))
        continue;
    ck_assert_uint_eq(ride(&third), 0);

    acks_ride_ended(acks, &first, true);
    acks_ride_ended(acks, &second, false);
    ck_assert(!acks_settled(acks));
    ck_assert_uint_eq(ride(&third), 1);
    acks_ride_ended(acks, &third, true);
    ck_assert(acks_settled(acks));

    acks_free(acks);
    transfers_free(transfers);
    free(config.url);
    close(fd);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("acks", &tests);
    tcase_add_test(tests, a_call_carries_no_more_than_the_relay_takes);
    return run_unit(suite);
}
