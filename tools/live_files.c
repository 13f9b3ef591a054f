/* SPDX-License-Identifier: MIT */
#include "live_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libc.h"

enum { SLOTS_A_READ = 256, TRIES = 3 };

/* "PROGRAM.PID.live"; 0 when it is not such a name. */
static pid_t pid_of(const char *name)
{
	size_t length = strlen(name);
	const char *at;
	char *end;
	long pid;

	if (length < sizeof(LIVE_SUFFIX) || length >= sizeof(((struct live_file *)NULL)->name) ||
	    strcmp(name + length - strlen(LIVE_SUFFIX), LIVE_SUFFIX) != 0)
		return 0;
	at = name + length - strlen(LIVE_SUFFIX);
	while (at > name && at[-1] >= '0' && at[-1] <= '9')
		at--;
	pid = strtol(at, &end, 10);
	if (at == name || at[-1] != '.' || end == at || pid <= 0 || pid > 1 << 30)
		return 0;
	return (pid_t)pid;
}

/* The fifth word of a line of /proc/PID/maps. */
static ino_t inode_of(const char *line)
{
	for (int i = 0; i < 4; i++) {
		line += strcspn(line, " ");
		line += strspn(line, " ");
	}
	return strtoul(line, NULL, 10);
}

/*
 * Has the process this file mapped? One that it left behind, by exec or by its end, it has not. The
 * device is not asked: with overlayfs and btrfs it is not what stat says.
 */
static bool is_mapped(pid_t pid, ino_t inode)
{
	char path[64], line[4096];
	bool ret = false;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	if (!maps)
		return false;
	while (!ret && fgets(line, sizeof(line), maps))
		ret = inode_of(line) == inode && strstr(line, LIVE_SUFFIX);
	fclose(maps);
	return ret;
}

static bool read_header(int fd, struct live_header *ret)
{
	struct live_header header;

	if (pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
	    memcmp(header.magic, LIVE_MAGIC, sizeof(header.magic)) != 0 ||
	    header.version != LIVE_VERSION || header.header_size != LIVE_HEADER_SIZE ||
	    header.slot_size != sizeof(struct live_slot) || header.slots > LIVE_SLOTS)
		return false;
	if (header.used > header.slots)
		header.used = header.slots;
	header.program[sizeof(header.program) - 1] = '\0';
	header.policy_hash[sizeof(header.policy_hash) - 1] = '\0';
	header.policy[sizeof(header.policy) - 1] = '\0';
	*ret = header;
	return true;
}

static uint32_t read_slots(int fd, uint32_t first, uint32_t count, struct live_slot *ret)
{
	ssize_t n = pread(fd, ret, count * sizeof(*ret),
			  LIVE_HEADER_SIZE + (off_t)first * (off_t)sizeof(*ret));

	return n < 0 ? 0 : (uint32_t)((size_t)n / sizeof(*ret));
}

/*
 * Three reads, each of them over before the next begins: a slot is whole when its sequence is even
 * and the same in the first and the last. Returns how many slots the file has here.
 */
static uint32_t read_whole(int fd, uint32_t first, uint32_t count, struct live_slot *ret)
{
	static struct live_slot before[SLOTS_A_READ], after[SLOTS_A_READ];
	uint32_t have = count, torn;

	for (int i = 0; i < TRIES; i++) {
		have = read_slots(fd, first, have, before);
		have = read_slots(fd, first, have, ret);
		have = read_slots(fd, first, have, after);
		torn = 0;
		for (uint32_t j = 0; j < have; j++) {
			if (before[j].sequence % 2 == 0 && before[j].sequence == after[j].sequence)
				continue;
			ret[j].state = LIVE_FREE;
			torn++;
		}
		if (torn == 0)
			break;
	}
	return have;
}

static bool make_room(struct live_look *look, uint32_t slots)
{
	struct live_slot *grown;

	if (look->room >= slots)
		return true;
	grown = realloc(look->slots,
			slots * sizeof(*grown)); /* NOLINT(bugprone-sizeof-expression) */
	if (!grown)
		return false;
	look->slots = grown;
	look->room = slots;
	return true;
}

static void look_into(struct live_file *file, int fd)
{
	struct live_look was = file->before;
	uint32_t used = file->header.used, have;

	file->before = file->now;
	file->now = was;
	file->now.used = 0;
	file->now.now_ns = now_ns();
	if (!make_room(&file->now, used))
		return;
	for (uint32_t at = 0; at < used; at += have) {
		uint32_t count = used - at < SLOTS_A_READ ? used - at : SLOTS_A_READ;

		have = read_whole(fd, at, count, file->now.slots + at);
		file->now.used += have;
		if (have < count)
			break;
	}
}

/* A file that was not a live page the moment before, or will not be the next, is left alone. */
static bool look_at(struct live_file *file, int folder)
{
	int fd = openat(folder, file->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat info;
	bool ret;

	if (fd < 0)
		return false;
	ret = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && read_header(fd, &file->header);
	if (ret && (file->inode != info.st_ino || file->device != info.st_dev)) {
		file->now.used = file->before.used = 0;
		file->now.now_ns = file->before.now_ns = 0;
		file->inode = info.st_ino;
		file->device = info.st_dev;
	}
	if (ret) {
		file->alive = is_mapped(file->pid, info.st_ino);
		if (file->alive || file->now.now_ns == 0)
			look_into(file, fd);
	}
	close(fd);
	return ret;
}

static struct live_file *find(const struct live_folder *folder, const char *name)
{
	for (size_t i = 0; i < folder->count; i++)
		if (strcmp(folder->files[i]->name, name) == 0)
			return folder->files[i];
	return NULL;
}

static struct live_file *join(struct live_folder *folder, const char *name, pid_t pid)
{
	struct live_file *file;

	if (folder->count == folder->room) {
		size_t room = folder->room ? 2 * folder->room : 16;
		struct live_file **grown =
			realloc(folder->files, room * sizeof(struct live_file *));

		if (!grown)
			return NULL;
		folder->files = grown;
		folder->room = room;
	}
	file = calloc(1, sizeof(*file));
	if (!file)
		return NULL;
	snprintf(file->name, sizeof(file->name), "%s", name);
	file->pid = pid;
	folder->files[folder->count++] = file;
	return file;
}

static void discard(struct live_file *file)
{
	free(file->now.slots);
	free(file->before.slots);
	free(file);
}

/* Takes out those that this look has not met. */
static void sweep(struct live_folder *folder)
{
	size_t kept = 0;

	for (size_t i = 0; i < folder->count; i++) {
		if (folder->files[i]->seen)
			folder->files[kept++] = folder->files[i];
		else
			discard(folder->files[i]);
	}
	folder->count = kept;
}

int live_folder_look(struct live_folder *folder)
{
	DIR *entries = opendir(folder->path);
	const struct dirent *entry;

	if (!entries)
		return errno;
	for (size_t i = 0; i < folder->count; i++)
		folder->files[i]->seen = false;
	while ((entry = readdir(entries))) { /* NOLINT(concurrency-mt-unsafe) */
		pid_t pid = pid_of(entry->d_name);
		struct live_file *file = pid ? find(folder, entry->d_name) : NULL;

		if (pid && !file)
			file = join(folder, entry->d_name, pid);
		if (file)
			file->seen = look_at(file, dirfd(entries));
	}
	closedir(entries);
	sweep(folder);
	return 0;
}

void live_folder_end(struct live_folder *folder)
{
	for (size_t i = 0; i < folder->count; i++)
		discard(folder->files[i]);
	free(folder->files);
	*folder = (struct live_folder){0};
}

const struct live_slot *live_slot_before(const struct live_file *file, uint32_t slot)
{
	const struct live_slot *now = &file->now.slots[slot], *before;

	if (slot >= file->before.used)
		return NULL;
	before = &file->before.slots[slot];
	return before->state != LIVE_FREE && before->assoc_id == now->assoc_id &&
			       before->first_seen_ns == now->first_seen_ns
		       ? before
		       : NULL;
}
