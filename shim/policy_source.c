/* SPDX-License-Identifier: MIT */
#include "policy_source.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "libc.h"
#include "policy/policy.h"
#include "policy/presets.h"

static char file_text[POLICY_MAX + 2]; /* one byte more tells a file that is too large */

struct trouble {
	const char *what, *cure;
};

static const struct trouble not_regular = {"not a regular file", "name a file that has the rules"};
static const struct trouble too_large = {"too large", "a policy has at most 64 KiB"};
static const struct trouble not_text = {"not a text file", "name a file that has the rules"};

static struct trouble trouble_of(int error)
{
	struct trouble trouble = {strerrordesc_np(error), not_regular.cure};

	if (error == ENOENT)
		trouble.cure = "put the rules there, or name the file that has them";
	else if (error == EACCES || error == EPERM)
		trouble.cure = "make it readable for the user who runs this program";
	return trouble;
}

/* Reads the file to its end into file_text. */
static bool read_all(int fd, struct trouble *ret)
{
	size_t length = 0;

	while (length <= POLICY_MAX) {
		ssize_t count = libc.read(fd, file_text + length, POLICY_MAX + 1 - length);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0) {
			*ret = trouble_of(errno);
			return false;
		}
		if (count == 0)
			break;
		length += (size_t)count;
	}
	file_text[length] = '\0';
	*ret = length > POLICY_MAX ? too_large : not_text;
	return length <= POLICY_MAX && strlen(file_text) == length;
}

/* O_NONBLOCK: a FIFO must not make the program wait before its main. */
static bool read_file(const char *path, struct trouble *ret)
{
	struct stat info;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	bool good = false;

	if (fd < 0 || fstat(fd, &info) < 0)
		*ret = trouble_of(errno);
	else if (!S_ISREG(info.st_mode))
		*ret = not_regular;
	else
		good = read_all(fd, ret);
	if (fd >= 0)
		libc.close(fd);
	return good;
}

bool policy_source_take(const char *variable, const char *value, struct settings *settings,
			struct line *report)
{
	const char *where = variable, *text = value, *rules;
	struct policy_error error;
	struct trouble trouble;
	char shown[1024];

	if (value[0] == '@') {
		where = value + 1;
		text = file_text;
		if (!read_file(where, &trouble)) {
			line_format(report, "sctpeel: %s: %s: %s\n  %s\n", variable, where,
				    trouble.what, trouble.cure);
			return false;
		}
	}
	settings->policy = policy_parse(text, &error);
	if (!settings->policy) {
		policy_error_format(&error, where, text, shown, sizeof(shown));
		line_string(report, shown);
		if (report->at[-1] != '\n')
			line_char(report, '\n');
		return false;
	}
	rules = preset_rules(text);
	settings->policy_text = rules ? rules : text;
	return true;
}
