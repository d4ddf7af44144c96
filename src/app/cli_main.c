/* see cli.h: the storage of the program's start, and its output. */
#include "app/cli.h"
#include "os/crash.h"
#include "os/os.h"

#include <errno.h>
#include <unistd.h>

/* Static, because it is too big for a stack; touched only as far as it is used. */
static struct config config;
static struct config_secrets secrets;
static char out_memory[CLI_OUT_BYTES];
static char err_memory[CLI_ERR_BYTES];
static _Alignas(64) char scratch_memory[CONFIG_SCRATCH_BYTES];

static void write_all(int fd, str text)
{
    while (text.bytes > 0) {
        ssize_t bytes = write(fd, text.ptr, text.bytes);
        if (bytes < 0 && errno != EINTR) {
            return; /* nobody is left to tell */
        }
        if (bytes > 0) {
            text = str_sub(text, (size_t)bytes, text.bytes);
        }
    }
}

static void flush(struct cli *cli)
{
    write_all(STDOUT_FILENO, buf_str(&cli->out));
    write_all(STDERR_FILENO, buf_str(&cli->err));
    buf_clear(&cli->out);
    buf_clear(&cli->err);
}

int cli_main(int argc, char **argv, char **envp)
{
    struct arena scratch;
    struct cli cli = {.flush = flush,
                      .environment = (const char *const *)envp,
                      .config = &config,
                      .secrets = &secrets,
                      .scratch = &scratch};
    crash_keep_arguments(argv, envp);
    arena_init(&scratch, scratch_memory, sizeof(scratch_memory));
    buf_init(&cli.out, out_memory, sizeof(out_memory));
    buf_init(&cli.err, err_memory, sizeof(err_memory));
    enum cli_exit code = cli_run(&cli, argc, argv);
    flush(&cli);
    config_secrets_wipe(&secrets);
    if (code == CLI_AGAIN) {
        os_start_anew(argv, crash_environment());
        return CLI_FAILED; /* the init script does it */
    }
    return (int)code;
}
