/* see signals.h */
#include "unit.h"

#include "os/signals.h"

static struct loop loop;
static enum signals_event seen[8];
static size_t seen_count;

static void note_signal(enum signals_event event, void *owner)
{
    assert_ptr_equal(owner, &loop);
    assert_true(seen_count < COUNT_OF(seen));
    seen[seen_count++] = event;
}

static void test_signals_become_events(void **state)
{
    (void)state;
    struct region region = unit_region();
    const struct {
        int number;
        enum signals_event event;
    } cases[] = {
        {SIGTERM, SIGNALS_STOP},
        {SIGINT, SIGNALS_STOP},
        {SIGHUP, SIGNALS_RELOAD},
        {SIGUSR1, SIGNALS_REPORT},
    };
    assert_int_equal(loop_init(&loop, &region, 1), ERR_OK);
    assert_int_equal(signals_init(&loop, note_signal, &loop), ERR_OK);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(kill(getpid(), cases[i].number), 0);
        loop_turn(&loop, 0);
        assert_int_equal(seen_count, i + 1);
        assert_int_equal(seen[i], cases[i].event);
    }
    /* several at once: all come, over as many turns */
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(kill(getpid(), cases[i].number), 0);
    }
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        loop_turn(&loop, 0);
    }
    assert_int_equal(seen_count, 2 * COUNT_OF(cases));
    loop_turn(&loop, 0);
    assert_int_equal(seen_count, 2 * COUNT_OF(cases));
    assert_int_equal(raise(SIGPIPE), 0); /* ignored: we are still here */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signals_become_events),
    };
    return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
