/* see list.h */
#include "unit.h"

#include "base/list.h"
#include "base/prng.h"

struct item {
    int number;
    struct list_node node;
};

static void test_list_of_none(void **state)
{
    (void)state;
    struct list list;
    struct item item = {0};
    list_init(&list);
    assert_null(list_front(&list));
    assert_null(list_pop_front(&list));
    assert_false(list_has(&item.node));
}

static void test_list_owner_of_node(void **state)
{
    (void)state;
    struct item item = {.number = 42};
    struct list_node *node = &item.node;
    assert_int_equal(LIST_OWNER(node, struct item, node)->number, 42);
}

/* Against an array. */
static void test_list_behaves_like_the_model(void **state)
{
    (void)state;
    enum { ITEMS = 12 };
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct item items[ITEMS] = {{0}};
        struct item *model[ITEMS];
        size_t count = 0;
        struct list list;
        struct prng prng;
        prng_seed(&prng, seed);
        list_init(&list);
        for (int step = 0; step < 1000; step++) {
            struct item *item = &items[prng_below(&prng, ITEMS)];
            bool at_front = prng_chance(&prng, 1, 2);
            if (!list_has(&item->node)) {
                if (at_front) {
                    list_push_front(&list, &item->node);
                    memmove(model + 1, model, count * sizeof(model[0]));
                    model[0] = item;
                } else {
                    list_push_back(&list, &item->node);
                    model[count] = item;
                }
                count++;
            } else {
                size_t place = 0;
                if (at_front) {
                    assert_ptr_equal(list_pop_front(&list), &model[0]->node);
                    item = model[0];
                } else {
                    list_remove(&list, &item->node);
                }
                while (model[place] != item) {
                    place++;
                }
                count--;
                memmove(model + place, model + place + 1, (count - place) * sizeof(model[0]));
                assert_false(list_has(&item->node));
            }
            assert_int_equal(list.count, count);
            struct list_node *node = list_front(&list);
            for (size_t i = 0; i < count; i++, node = list_after(&list, node)) {
                assert_ptr_equal(node, &model[i]->node);
            }
            assert_null(node);
        }
    }
}

static void push_twice(void)
{
    struct list list;
    struct item item = {0};
    list_init(&list);
    list_push_back(&list, &item.node);
    list_push_back(&list, &item.node);
}

static void remove_stranger(void)
{
    struct list list;
    struct item item = {0};
    list_init(&list);
    list_remove(&list, &item.node);
}

static void test_list_checks_its_caller(void **state)
{
    (void)state;
    assert_true(unit_dies(push_twice));
    assert_true(unit_dies(remove_stranger));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_of_none),
        cmocka_unit_test(test_list_owner_of_node),
        cmocka_unit_test(test_list_behaves_like_the_model),
        cmocka_unit_test(test_list_checks_its_caller),
    };
    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
