/*
 * config_fixture.h - one configuration in a box: a file in a temporary folder, an environment,
 * options; load it and look at the result. For the test_config_*.c and test_cli*.c files.
 */
#ifndef ECILET_TEST_CONFIG_FIXTURE_H
#define ECILET_TEST_CONFIG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/config.h"

#define FIXTURE_FILES_MAX 8

struct fixture {
    struct config config;
    struct config_secrets secrets;
    struct config_source source;
    struct config_report report;
    struct arena scratch;
    char folder[64];
    char paths[FIXTURE_FILES_MAX][128];
    uint32_t paths_count;
    char scratch_memory[CONFIG_SCRATCH_BYTES + CONFIG_RELOAD_BYTES];
    char report_memory[CONFIG_REPORT_BYTES + 1];
};

/* What a configuration needs at least; tests add to it. */
#define FIXTURE_LEAST \
    "CLUSTER_TYPE=IDC\n" \
    "ECI_REGION=cn-beijing\n" \
    "ECI_ACCESS_KEY=LTAI5tPlantedId\n" \
    "ECI_SECRET_KEY=PlantedSecretKey0123\n" \
    "ALIYUN_CLUSTERID=idc1\n" \
    "ECI_VSWITCH=vsw-1\n" \
    "ECI_SECURITY_GROUP=sg-1\n" \
    "ECI_CA_FILE=/etc/ecilet/ca.pem\n" \
    "KUBECONFIG=/etc/ecilet/kubeconfig\n"

static inline int fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    strcpy(fixture->folder, "/tmp/ecilet-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    *state = fixture;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < fixture->paths_count; i++) {
        (void)unlink(fixture->paths[i]);
    }
    (void)rmdir(fixture->folder);
    free(fixture);
    return 0;
}

/* Writes a file with mode 0600 into the folder; the path lives as long as the fixture. */
static inline const char *fixture_write(struct fixture *fixture, const char *name, const char *text,
                                        size_t bytes)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", fixture->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
    for (uint32_t i = 0; i < fixture->paths_count; i++) {
        if (strcmp(fixture->paths[i], path) == 0) {
            return fixture->paths[i];
        }
    }
    assert_true(fixture->paths_count < FIXTURE_FILES_MAX);
    strcpy(fixture->paths[fixture->paths_count], path);
    return fixture->paths[fixture->paths_count++];
}

static inline const char *fixture_conf(struct fixture *fixture, const char *text)
{
    return fixture_write(fixture, "ecilet.conf", text, strlen(text));
}

static inline enum err fixture_load(struct fixture *fixture)
{
    arena_init(&fixture->scratch, fixture->scratch_memory, sizeof(fixture->scratch_memory));
    config_report_init(&fixture->report, fixture->report_memory, CONFIG_REPORT_BYTES);
    enum err err = config_load(&fixture->config, &fixture->secrets, &fixture->source,
                               &fixture->scratch, &fixture->report);
    fixture->report_memory[fixture->report.text.bytes] = '\0';
    return err;
}

/* Loads a file of this text with this environment (may be NULL). */
static inline enum err fixture_load_text(struct fixture *fixture, const char *text,
                                         const char *const *environment)
{
    fixture->source.file = text != NULL ? fixture_conf(fixture, text) : NULL;
    fixture->source.environment = environment;
    return fixture_load(fixture);
}

static inline void fixture_set_arg(struct fixture *fixture, const char *key, const char *option,
                                   const char *value)
{
    fixture->source.args[fixture->source.args_count++] = (struct config_arg){key, option, value};
}

static inline const char *fixture_report(const struct fixture *fixture)
{
    return fixture->report_memory;
}

static inline void assert_reported(const struct fixture *fixture, const char *text)
{
    if (strstr(fixture_report(fixture), text) == NULL) {
        fail_msg("not reported: \"%s\" in:\n%s", text, fixture_report(fixture));
    }
}

static inline void assert_not_reported(const struct fixture *fixture, const char *text)
{
    if (strstr(fixture_report(fixture), text) != NULL) {
        fail_msg("reported: \"%s\" in:\n%s", text, fixture_report(fixture));
    }
}

/* As the text and as a C string: the contract of every str in struct config. */
static inline void assert_str(str s, const char *text)
{
    assert_string_equal(s.ptr, text);
    assert_int_equal(s.bytes, strlen(text));
}

#endif
