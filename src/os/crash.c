/* see crash.h. One process, one death: the state is static. What runs in a signal handler uses only
 * memory of this file, and calls that are allowed there (signal-safety(7)). */
#include "os/crash.h"

#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "os/log.h"
#include "os/notify.h"
#include "os/os.h"
#include "os/signals.h"

#define REPORT_BYTES 2048
#define VARIABLE_BYTES (64 + CRASH_SUSPECTS_MAX * 80)
#define STACK_BYTES 16384 /* of the handler: a stack that is full cannot hold it */
#define READER_PATIENCE_MS 500

extern const char __ehdr_start[]; /* the linker's: where we were loaded */

/* Under a sanitizer its own handlers say more. */
#ifndef __SANITIZE_ADDRESS__
#define CATCHES_SIGNALS 1
#endif

struct subject {
    const char *doing;
    char uid[CRASH_UID_BYTES];
    char name[CRASH_NAME_BYTES];
};

static char *const *arguments;
static char *const *environment_given;
static const char *version_now = "?";
static struct crash_counts counts_now;
static msec started_ms;
static uint32_t row; /* deaths in a row before this life */
static struct crash_suspect suspects[CRASH_SUSPECTS_MAX];
static uint32_t suspects_count;
static struct subject subjects[CRASH_DEPTH_MAX];
static volatile uint32_t depth; /* may be more than CRASH_DEPTH_MAX */
static volatile sig_atomic_t is_dying;

static char variable[VARIABLE_BYTES];
static char *environment[CRASH_ENVIRONMENT_MAX + 2]; /* touched only when it is needed */

#ifdef ECILET_PLANTED

/* build/ecilet-planted: bugs that the names of pods set off, for test/e2e/test_poison.py. */
static void planted(const char *doing, str name)
{
    volatile char *nowhere = NULL;
    bool translates = str_eq(str_of(doing), S("translating the spec"));
    CHECK(!(translates && str_starts(name, S("poison-check"))));
    if (translates && str_starts(name, S("poison-memory"))) {
        *nowhere = 1;
    }
    while (translates && str_starts(name, S("poison-loop"))) {
    }
    if (str_starts(name, S("poison-object")) && str_eq(str_of(doing), S("reading the object"))) {
        *nowhere = 1;
    }
}

#else

static void planted(const char *doing, str name)
{
    (void)doing;
    (void)name;
}

#endif

/* ---- what is being worked on ----------------------------------------------------------------- */

void crash_enter(const char *doing, str uid, str name_space, str name)
{
    CHECK(doing != NULL);
    if (depth < CRASH_DEPTH_MAX) {
        struct subject *subject = &subjects[depth];
        struct buf text;
        subject->doing = doing;
        (void)str_copy(subject->uid, sizeof subject->uid, uid);
        buf_init(&text, subject->name, sizeof subject->name);
        buf_put(&text, name_space);
        buf_put_char(&text, '/');
        buf_put(&text, name);
        (void)buf_cstr(&text); /* one that does not fit is left out */
    }
    depth++;
    planted(doing, name);
}

void crash_leave(void)
{
    CHECK(depth > 0);
    depth--;
}

void crash_turn(void)
{
    depth = 0;
}

static const struct subject *subject_now(void)
{
    uint32_t count = depth < CRASH_DEPTH_MAX ? depth : CRASH_DEPTH_MAX;
    return count > 0 ? &subjects[count - 1] : NULL;
}

/* ---- whom it died on ------------------------------------------------------------------------- */

struct crash_suspect *crash_find_suspect(str uid)
{
    for (uint32_t i = 0; i < suspects_count; i++) {
        if (str_eq(str_of(suspects[i].uid), uid)) {
            return &suspects[i];
        }
    }
    return NULL;
}

void crash_acquit(struct crash_suspect *suspect)
{
    CHECK(suspects_count > 0 && suspect >= suspects && suspect < suspects + suspects_count);
    *suspect = suspects[--suspects_count];
}

/* A new row, or that of the one with the fewest deaths. */
static struct crash_suspect *place_for(str uid)
{
    struct crash_suspect *place = &suspects[0];
    if (suspects_count < CRASH_SUSPECTS_MAX) {
        place = &suspects[suspects_count++];
    } else {
        for (uint32_t i = 1; i < suspects_count; i++) {
            place = suspects[i].deaths < place->deaths ? &suspects[i] : place;
        }
    }
    *place = (struct crash_suspect){.deaths = 0};
    (void)str_copy(place->uid, sizeof place->uid, uid);
    return place;
}

static void blame(const struct subject *subject)
{
    str uid = subject != NULL ? str_of(subject->uid) : STR_NONE;
    if (str_is_empty(uid)) {
        return;
    }
    struct crash_suspect *suspect = crash_find_suspect(uid);
    suspect = suspect != NULL ? suspect : place_for(uid);
    suspect->deaths++;
}

/* ---- from life to life ----------------------------------------------------------------------- */

/* "ROW;UID,DEATHS,PRINT;UID,DEATHS,PRINT". Whoever sets such a variable by hand gets what it says;
 * a piece that is not of this form is left out. */
static void remember(str text)
{
    str piece, uid, deaths_text;
    uint64_t number;
    if (!str_cut(&text, ';', &piece)) {
        return;
    }
    row = str_to_u64(piece, &number) && number < 1000000 ? (uint32_t)number : 0;
    while (suspects_count < CRASH_SUSPECTS_MAX && str_cut(&text, ';', &piece)) {
        struct crash_suspect one = {.deaths = 0};
        bool is_whole = str_cut(&piece, ',', &uid) && str_cut(&piece, ',', &deaths_text) &&
                        str_to_u64(deaths_text, &number) && str_to_u64(piece, &one.print) &&
                        !str_is_empty(uid) && str_copy(one.uid, sizeof one.uid, uid);
        if (is_whole && number > 0 && number < 1000000) {
            one.deaths = (uint32_t)number;
            suspects[suspects_count++] = one;
        }
    }
}

static bool is_variable(const char *at)
{
    return str_starts(str_of(at), S(CRASH_VARIABLE "="));
}

void crash_keep_arguments(char *const *argv, char *const *envp)
{
    arguments = argv;
    environment_given = envp;
}

static void put_variable(uint32_t row_next)
{
    struct buf out;
    buf_init(&out, variable, sizeof variable);
    buf_put_text(&out, CRASH_VARIABLE "=");
    buf_put_u64(&out, row_next);
    for (uint32_t i = 0; i < suspects_count; i++) {
        buf_put_char(&out, ';');
        buf_put_text(&out, suspects[i].uid);
        buf_put_char(&out, ',');
        buf_put_u64(&out, suspects[i].deaths);
        buf_put_char(&out, ',');
        buf_put_u64(&out, suspects[i].print);
    }
    (void)buf_cstr(&out);
}

/* NULL when there is no room for it. */
static char *const *environment_with(uint32_t row_next)
{
    uint32_t count = 0;
    for (char *const *at = environment_given; at != NULL && *at != NULL; at++) {
        if (is_variable(*at)) {
            continue;
        }
        if (count == CRASH_ENVIRONMENT_MAX) {
            return NULL;
        }
        environment[count++] = *at;
    }
    put_variable(row_next);
    environment[count++] = variable;
    environment[count] = NULL;
    return environment;
}

char *const *crash_environment(void)
{
    char *const *with = environment_with(0);
    return with != NULL ? with : environment_given;
}

bool crash_can_restart(void)
{
    uint32_t count = 0;
    while (environment_given != NULL && environment_given[count] != NULL) {
        count++;
    }
    return arguments != NULL && count <= CRASH_ENVIRONMENT_MAX;
}

uint32_t crash_row(void)
{
    return row;
}

/* ---- the last words -------------------------------------------------------------------------- */

static void put_hex(struct buf *out, uintptr_t number)
{
    char digits[2 * sizeof number];
    size_t count = 0;
    do {
        digits[count++] = "0123456789abcdef"[number % 16];
        number /= 16;
    } while (number > 0);
    buf_put_text(out, "0x");
    while (count > 0) {
        buf_put_char(out, digits[--count]);
    }
}

static void put_count(struct buf *out, const char *what, uint64_t number)
{
    buf_put_text(out, what);
    buf_put_u64(out, number);
}

static void put_subjects(struct buf *out)
{
    uint32_t count = depth < CRASH_DEPTH_MAX ? depth : CRASH_DEPTH_MAX;
    for (uint32_t i = count; i > 0; i--) {
        const struct subject *subject = &subjects[i - 1];
        buf_put_text(out, "\ncrash: while ");
        buf_put_text(out, subject->doing);
        if (subject->uid[0] != '\0') {
            buf_put_text(out, " of pod ");
            buf_put_text(out, subject->name);
            buf_put_text(out, ", uid ");
            buf_put_text(out, subject->uid);
        }
    }
}

/* Where in the code a signal came; 0: not known. */
static uintptr_t code_of(const void *handed)
{
    const ucontext_t *context = handed;
#if defined(__x86_64__)
    return handed == NULL ? 0 : (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return handed == NULL ? 0 : (uintptr_t)context->uc_mcontext.pc;
#elif defined(__arm__)
    return handed == NULL ? 0 : (uintptr_t)context->uc_mcontext.arm_pc;
#else
    (void)context;
    return 0;
#endif
}

/* A pipe or terminal that nobody reads must not keep us from starting again. */
static void write_report(const struct buf *out)
{
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&ready, 1, READER_PATIENCE_MS) == 1 && (ready.revents & POLLOUT) != 0 &&
        write(STDERR_FILENO, out->ptr, out->bytes) < 0) {
        return; /* nobody is left to tell */
    }
}

static void report(const char *why, const char *where, uintptr_t address, uintptr_t code)
{
    char memory[REPORT_BYTES];
    struct buf out;
    buf_init(&out, memory, sizeof memory);
    buf_put_text(&out, "crash: ");
    buf_put_text(&out, why);
    if (where != NULL) {
        buf_put_text(&out, where);
        put_hex(&out, address);
    }
    if (code != 0) {
        buf_put_text(&out, ", code at offset ");
        put_hex(&out, code - (uintptr_t)__ehdr_start);
    }
    buf_put_text(&out, ", ecilet ");
    buf_put_text(&out, version_now);
    put_count(&out, "\ncrash: up for ms ", (uint64_t)(os_now_ms() - started_ms));
    put_count(&out, ", turns ", counts_now.turns != NULL ? *counts_now.turns : 0);
    put_count(&out, ", pods ", counts_now.pods != NULL ? *counts_now.pods : 0);
    put_count(&out, ", groups ", counts_now.groups != NULL ? *counts_now.groups : 0);
    put_count(&out, ", deaths in a row before ", row);
    put_subjects(&out);
    buf_put_char(&out, '\n');
    write_report(&out);
}

/* The same program in this process, with a clean slate of signals and timers (crash_start). */
static void start_again(void)
{
    const struct itimerval off = {.it_value = {0}};
    bool lasted = os_now_ms() - started_ms >= (msec)CRASH_LASTING_S * 1000;
    char *const *with = arguments != NULL ? environment_with(lasted ? 1 : row + 1) : NULL;
    (void)setitimer(ITIMER_REAL, &off, NULL);
    if (with != NULL) {
        os_start_anew(arguments, with);
    }
}

/* Nothing else helps: as if nobody had caught it. */
static _Noreturn void die_of(int number)
{
    sigset_t only;
    (void)signal(number, SIG_DFL);
    (void)sigemptyset(&only);
    (void)sigaddset(&only, number);
    (void)sigprocmask(SIG_UNBLOCK, &only, NULL);
    (void)raise(number);
    _exit(128 + number); /* process 1 of a container is spared by its own signals */
}

_Noreturn void crash_now(const char *why, const void *context)
{
    if (!is_dying) {
        is_dying = 1;
        report(why, NULL, 0, code_of(context));
        blame(subject_now());
        start_again();
    }
    die_of(SIGABRT);
}

#ifdef CATCHES_SIGNALS

static const struct {
    int number;
    const char *name;
} signals[] = {
    {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"},   {SIGILL, "SIGILL"},
    {SIGFPE, "SIGFPE"},   {SIGABRT, "SIGABRT"},
};

#define SIGNALS_COUNT (sizeof signals / sizeof signals[0])

static const char *name_of(int number)
{
    for (size_t i = 0; i < SIGNALS_COUNT; i++) {
        if (signals[i].number == number) {
            return signals[i].name;
        }
    }
    return "signal";
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    int by = info->si_code;
    bool was_sent = by == SI_USER || by == SI_QUEUE || by == SI_TKILL; /* abort() sends, too */
    if (is_dying || (was_sent && info->si_pid != getpid())) {
        die_of(number); /* its last words are written, or somebody wants us dead */
    }
    is_dying = 1;
    report(name_of(number), was_sent ? NULL : " at address ", (uintptr_t)info->si_addr,
           code_of(context));
    blame(subject_now());
    start_again();
    die_of(number);
}

static void catch_signals(void)
{
    static char stack[STACK_BYTES];
    const stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    action.sa_sigaction = on_signal;
    CHECK(sigaltstack(&other, NULL) == 0 && sigfillset(&action.sa_mask) == 0);
    for (size_t i = 0; i < SIGNALS_COUNT; i++) {
        CHECK(sigaction(signals[i].number, &action, NULL) == 0);
    }
}

#else

static void catch_signals(void)
{
}

#endif

/* ---- the start ------------------------------------------------------------------------------- */

/* False: told to stop. A service manager that waits for signs of life gets them. */
static bool wait_seconds(uint32_t seconds)
{
    bool goes_on = true;
    for (uint32_t i = 0; i < seconds && goes_on; i++) {
        notify_alive();
        goes_on = signals_pause(1);
    }
    return goes_on;
}

/* After the second death in a row, and longer each time: whatever is wrong will not be hammered. */
static void pause_after_deaths(void)
{
    uint32_t seconds = 0;
    for (uint32_t i = 1; i < row && seconds < CRASH_PAUSE_MAX_S; i++) {
        seconds = seconds == 0 ? 1 : seconds * 2;
    }
    seconds = seconds < CRASH_PAUSE_MAX_S ? seconds : CRASH_PAUSE_MAX_S;
    (void)wait_seconds(seconds);
}

/* An earlier life may have left a look of its watchdog behind, and all signals blocked. */
static void calm_signals(void)
{
    CHECK(signal(SIGALRM, SIG_IGN) != SIG_ERR);
    signals_hold();
}

bool crash_try_later(uint32_t seconds)
{
    bool is_own_child = false;
    for (char *const *at = environment_given; at != NULL && *at != NULL; at++) {
        is_own_child |= is_variable(*at);
    }
    if (!is_own_child || arguments == NULL) {
        return false;
    }
    calm_signals();
    log_line(LOG_ERROR, "start",
             "it began by itself after an earlier life, so nobody may be looking: it tries again "
             "in %u s",
             seconds);
    if (!wait_seconds(seconds)) {
        return true;
    }
    os_start_anew(arguments, environment_given);
    return false;
}

uint32_t crash_start(const char *version, const struct crash_counts *counts)
{
    version_now = version;
    counts_now = *counts;
    row = suspects_count = 0;
    for (char *const *at = environment_given; at != NULL && *at != NULL; at++) {
        if (is_variable(*at)) {
            remember(str_sub(str_of(*at), sizeof CRASH_VARIABLE, strlen(*at)));
        }
    }
    calm_signals();
    catch_signals();
    pause_after_deaths();
    started_ms = os_now_ms();
    return row;
}
