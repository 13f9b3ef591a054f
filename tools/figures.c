/* SPDX-License-Identifier: MIT */
#include "figures.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Three digits, so that columns are narrow and nothing seems exact that is not. */
static const char *scaled(char *buf, double value, const char *unit)
{
	snprintf(buf, FIGURE, "%.*f %s", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, unit);
	return buf;
}

const char *figure_time(char *buf, int64_t ns)
{
	double value = (double)ns;

	if (ns < 0)
		return strcpy(buf, "-");
	if (ns < 1000)
		snprintf(buf, FIGURE, "%d ns", (int)ns);
	else if (value < 999.5e3)
		scaled(buf, value / 1e3, "us");
	else if (value < 999.5e6)
		scaled(buf, value / 1e6, "ms");
	else if (value < 7200e9)
		scaled(buf, value / 1e9, "s");
	else
		scaled(buf, value / 3600e9, "h");
	return buf;
}

const char *figure_size(char *buf, uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes;
	int unit = 0;

	for (; value >= 1023.5 && unit < 6; unit++)
		value /= 1024;
	if (unit == 0)
		snprintf(buf, FIGURE, "%d B", (int)bytes);
	else
		scaled(buf, value, units[unit]);
	return buf;
}

const char *figure_count(char *buf, uint64_t count)
{
	char digits[FIGURE], *to = buf;
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, count);

	for (int i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return buf;
}

const char *figure_date(char *buf, int64_t ns)
{
	time_t seconds = ns / 1000000000;
	struct tm date;
	size_t length;

	if (ns < 0 || gmtime_r(&seconds, &date) == NULL)
		return strcpy(buf, "-");
	length = strftime(buf, FIGURE, "%Y-%m-%d %H:%M:%S", &date);
	snprintf(buf + length, FIGURE - length, ".%03d", (int)(ns / 1000000 % 1000));
	return buf;
}
