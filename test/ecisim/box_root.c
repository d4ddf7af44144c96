/*
 * Container mode: the files of groups and containers. See box_parts.h.
 *
 *   groups/ID/v/NAME          a volume
 *   groups/ID/hosts, resolv.conf
 *   groups/ID/c/NAME-N/       run N of a container: config.json, pid, message, and
 *                   rootfs    an overlay of the image and upper, or a copy of the image
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "box_parts.h"
#include "settings.h"

/* ---- images ---------------------------------------------------------------------------------- */

/* "registry/team/web:1.2@sha256:..." is sought as web:1.2, then as web. */
const char *image_dir(struct arena *arena, const char *image, bool *is_base)
{
    const char *slash = strrchr(image, '/');
    char *name = arena_copy(arena, slash == NULL ? image : slash + 1,
                            strcspn(slash == NULL ? image : slash + 1, "@"));
    struct stat info;
    *is_base = false;
    for (int tries = 0; tries < 2 && settings.images[0] != '\0' && name[0] != '.'; tries++) {
        char *dir = arena_fmt(arena, "%s/%s", settings.images, name);
        if (stat(dir, &info) == 0 && S_ISDIR(info.st_mode)) {
            return dir;
        }
        name[strcspn(name, ":")] = '\0';
    }
    *is_base = true;
    return arena_fmt(arena, "%s/base", box_dir);
}

/* ---- the root of one run --------------------------------------------------------------------- */

static bool mount_overlay(const char *dir, const char *image)
{
    struct buf options = {0};
    struct buf root = {0};
    buf_fmt(&options, "lowerdir=%s,upperdir=%s/upper,workdir=%s/work", image, dir, dir);
    buf_fmt(&root, "%s/rootfs", dir);
    bool is_mounted = mount("overlay", root.data, "overlay", 0, options.data) == 0;
    buf_free(&options);
    buf_free(&root);
    return is_mounted;
}

static bool copy_image(const char *dir, const char *image)
{
    char *from = NULL;
    char *to = NULL;
    if (asprintf(&from, "%s/.", image) < 0 || asprintf(&to, "%s/rootfs", dir) < 0) {
        return false;
    }
    const char *const argv[] = {"cp", "-a", from, to, NULL};
    bool is_good = job_run(argv, NULL, -1, 2) == 0;
    free(from);
    free(to);
    return is_good;
}

bool root_make(const struct box *box)
{
    static const char *const parts[] = {"", "/upper", "/work", "/rootfs"};
    struct arena arena = {0};
    bool is_base = false;
    bool is_good = true;
    const char *image = image_dir(&arena, tree_text(box->container->spec, "Image"), &is_base);
    for (size_t at = 0; at < 4 && is_good; at++) {
        is_good = make_dirs(arena_fmt(&arena, "%s%s", box->dir, parts[at]));
    }
    is_good = is_good && (mount_overlay(box->dir, image) || copy_image(box->dir, image));
    is_good = is_good && write_file(arena_fmt(&arena, "%s/message", box->dir), "", 0, 0666);
    if (is_good && is_base) {
        const struct group *group = box->pod->group;
        char *page = arena_fmt(&arena, "ecisim %s %s %s %s\n", group->id, group->name,
                               box->container->name, group->ip);
        is_good = write_file(arena_fmt(&arena, "%s/rootfs/www/index.html", box->dir), page,
                             strlen(page), 0644);
    }
    arena_free(&arena);
    return is_good;
}

void root_unmake(const char *dir)
{
    struct buf root = {0};
    buf_fmt(&root, "%s/rootfs", dir);
    umount2(root.data, MNT_DETACH);
    remove_tree(dir);
    buf_free(&root);
}

/* ---- how much it is -------------------------------------------------------------------------- */

#define FILES_MAX 200000 /* looked at; it is done while the loop waits */

static struct {
    unsigned long long bytes;
    unsigned files;
} found;

static int add_file(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)path;
    (void)place;
    found.bytes += kind == FTW_NS ? 0 : (unsigned long long)info->st_blocks * 512;
    return ++found.files > FILES_MAX;
}

/* Not across mounts: an overlay shows the image, a volume in memory is no disk. */
unsigned long long pod_disk_bytes(const struct pod *pod)
{
    found.bytes = found.files = 0;
    (void)nftw(pod->dir, add_file, 16, FTW_PHYS | FTW_MOUNT);
    return found.bytes;
}

/* ---- what the containers of a group share ---------------------------------------------------- */

static unsigned octal(const struct node *node, const char *path, unsigned other)
{
    const char *text = tree_text(node, path);
    return text == NULL || text[0] == '\0' ? other : (unsigned)strtoul(text, NULL, 8);
}

static bool make_config_file(struct arena *arena, const char *dir, const struct node *file,
                             unsigned mode)
{
    const char *content = tree_text(file, "Content");
    char *path = arena_fmt(arena, "%s/%s", dir, tree_text(file, "Path"));
    char *slash = strrchr(path, '/');
    content = content == NULL ? "" : content;
    unsigned char *data = arena_take(arena, strlen(content) + 4);
    long bytes = base64_decode(content, data);
    *slash = '\0';
    bool is_good = make_dirs(path);
    *slash = '/';
    return is_good &&
           write_file(path, data, bytes < 0 ? 0 : (size_t)bytes, octal(file, "Mode", mode));
}

/* A limit holds where the kernel can hold it: in memory. "8Mi" is 8m to tmpfs; limits in other
 * units are not held. */
static const char *memory_options(struct arena *arena, const struct node *volume)
{
    const char *limit = tree_text(volume, "EmptyDirVolume.SizeLimit");
    char *end = NULL;
    unsigned long number = limit == NULL ? 0 : strtoul(limit, &end, 10);
    bool is_binary =
        number > 0 && strchr("KMG", end[0]) != NULL && end[0] != '\0' && text_is(end + 1, "i");
    return is_binary ? arena_fmt(arena, "mode=0777,size=%lu%c", number, end[0] | 0x20)
                     : "mode=0777";
}

/* Volumes of the cloud (NFS, disks, buckets) are empty folders here. */
static bool make_volume(struct arena *arena, const struct pod *pod, const struct node *volume)
{
    char *dir = arena_fmt(arena, "%s/v/%s", pod->dir, tree_text(volume, "Name"));
    unsigned mode = octal(volume, "ConfigFileVolume.DefaultMode", 0644);
    bool is_good = make_dirs(dir) && chmod(dir, 0777) == 0;
    if (is_good && text_is(tree_text(volume, "EmptyDirVolume.Medium"), "Memory")) {
        is_good = mount("tmpfs", dir, "tmpfs", 0, memory_options(arena, volume)) == 0;
    }
    for (const struct node *file = tree_list(volume, "ConfigFileVolume.ConfigFileToPath");
         file != NULL && is_good; file = file->next) {
        is_good = make_config_file(arena, dir, file, mode);
    }
    return is_good;
}

static bool make_hosts(struct arena *arena, const struct pod *pod)
{
    const struct node *params = pod->group->params;
    const char *host = tree_text(params, "HostName");
    struct buf text = {0};
    buf_fmt(&text, "127.0.0.1\tlocalhost\n::1\tlocalhost\n%s\t%s\n", pod->group->ip,
            host == NULL || host[0] == '\0' ? pod->group->name : host);
    for (const struct node *alias = tree_list(params, "HostAliase"); alias != NULL;
         alias = alias->next) {
        buf_fmt(&text, "%s", tree_text(alias, "Ip"));
        for (const struct node *name = tree_list(alias, "Hostname"); name != NULL;
             name = name->next) {
            buf_fmt(&text, "\t%s", name->value);
        }
        buf_byte(&text, '\n');
    }
    bool is_good = write_file(arena_fmt(arena, "%s/hosts", pod->dir), text.data, text.used, 0644);
    buf_free(&text);
    return is_good;
}

static bool make_resolv(struct arena *arena, const struct pod *pod)
{
    const struct node *params = pod->group->params;
    struct buf text = {0};
    for (const struct node *item = tree_list(params, "DnsConfig.NameServer"); item != NULL;
         item = item->next) {
        buf_fmt(&text, "nameserver %s\n", item->value);
    }
    const char *mark = "search ";
    for (const struct node *item = tree_list(params, "DnsConfig.Search"); item != NULL;
         item = item->next) {
        buf_fmt(&text, "%s%s%s", mark, item->value, item->next == NULL ? "\n" : "");
        mark = " ";
    }
    mark = "options ";
    for (const struct node *item = tree_list(params, "DnsConfig.Option"); item != NULL;
         item = item->next) {
        const char *value = tree_text(item, "Value");
        bool has_value = value != NULL && value[0] != '\0';
        buf_fmt(&text, "%s%s%s%s%s", mark, tree_text(item, "Name"), has_value ? ":" : "",
                has_value ? value : "", item->next == NULL ? "\n" : "");
        mark = " ";
    }
    bool is_good = write_file(arena_fmt(arena, "%s/resolv.conf", pod->dir), buf_string(&text),
                              text.used, 0644);
    buf_free(&text);
    return is_good;
}

bool pod_files_make(const struct pod *pod)
{
    struct arena arena = {0};
    bool is_good = make_dirs(pod->dir) && make_hosts(&arena, pod) && make_resolv(&arena, pod);
    for (const struct node *volume = tree_list(pod->group->params, "Volume");
         volume != NULL && is_good; volume = volume->next) {
        is_good = make_volume(&arena, pod, volume);
    }
    arena_free(&arena);
    return is_good;
}

void pod_files_unmake(const struct pod *pod)
{
    struct arena arena = {0};
    for (const struct node *volume = tree_list(pod->group->params, "Volume"); volume != NULL;
         volume = volume->next) {
        umount2(arena_fmt(&arena, "%s/v/%s", pod->dir, tree_text(volume, "Name")), MNT_DETACH);
    }
    remove_tree(pod->dir);
    arena_free(&arena);
}

void pod_wipe(const struct pod *pod)
{
    struct arena arena = {0};
    for (const struct node *volume = tree_list(pod->group->params, "Volume"); volume != NULL;
         volume = volume->next) {
        char *dir = arena_fmt(&arena, "%s/v/%s", pod->dir, tree_text(volume, "Name"));
        if (text_is(tree_text(volume, "Type"), "EmptyDirVolume")) {
            umount2(dir, MNT_DETACH);
            remove_tree(dir);
            make_volume(&arena, pod, volume);
        }
    }
    arena_free(&arena);
}
