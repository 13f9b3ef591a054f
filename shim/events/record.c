/* SPDX-License-Identifier: MIT */
#include "record.h"

#include "../policy/address.h"
#include "../policy/text.h"

const char *const event_names[EVENT_KINDS + 1] = {
	[EVENT_START] = "start",       [EVENT_STOP] = "stop", [EVENT_ASSOC] = "assoc",
	[EVENT_DECISION] = "decision", [EVENT_PEEL] = "peel", [EVENT_ERROR] = "error",
	[EVENT_DROP] = "drop",	       [EVENT_MSG] = "msg",   [EVENT_CALL] = "call",
};

struct date {
	uint64_t year;
	unsigned int month, day;
};

/* Days since 1970-01-01 to a date of the Gregorian calendar: gmtime_r may take locks. */
static struct date date_of(uint64_t days)
{
	/* counted from 0000-03-01, so that the leap day is a year's last */
	uint64_t shifted = days + 719468;
	uint64_t era = shifted / 146097; /* of 400 years */
	unsigned int day_of_era = (unsigned int)(shifted % 146097);
	unsigned int year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	unsigned int day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned int march_month = (5 * day_of_year + 2) / 153;
	unsigned int month = march_month < 10 ? march_month + 3 : march_month - 9;

	return (struct date){
		.year = era * 400 + year_of_era + (month <= 2),
		.month = month,
		.day = day_of_year - (153 * march_month + 2) / 5 + 1,
	};
}

void record_time(struct line *line, const struct timespec *when, int fraction_digits)
{
	uint64_t seconds = when->tv_sec > 0 ? (uint64_t)when->tv_sec : 0;
	struct date date = date_of(seconds / 86400);

	char shown[] = "0000-00-00T00:00:00.000000000";

	digits_padded(shown, date.year, 4);
	digits_padded(shown + 5, date.month, 2);
	digits_padded(shown + 8, date.day, 2);
	digits_padded(shown + 11, seconds / 3600 % 24, 2);
	digits_padded(shown + 14, seconds / 60 % 60, 2);
	digits_padded(shown + 17, seconds % 60, 2);
	digits_padded(shown + 20, (uint64_t)when->tv_nsec, 9);
	line_put(line, shown, 20 + (size_t)fraction_digits);
	line_char(line, 'Z');
}

bool record_address(struct line *line, const struct sockaddr *address, uint16_t *ret_port)
{
	char buf[48];
	struct text text = {buf, sizeof(buf), 0};
	struct address parsed;

	if (!address_of(address, &parsed, ret_port))
		return false;
	if (address_is_v4(parsed)) { /* the usual case, in few instructions */
		for (int shift = 24; shift >= 0; shift -= 8) {
			line_unsigned(line, parsed.low >> shift & 0xff);
			if (shift)
				line_char(line, '.');
		}
		return true;
	}
	text_address(&text, parsed);
	line_put(line, buf, text.length);
	return true;
}

bool record_argument(const char **argv, size_t *length, const char **ret, size_t *ret_length)
{
	const char *end;

	if (*length == 0)
		return false;
	end = memchr(*argv, '\0', *length);
	*ret = *argv;
	*ret_length = end ? (size_t)(end - *argv) : *length;
	*argv += *ret_length + (end ? 1 : 0);
	*length -= *ret_length + (end ? 1 : 0);
	return true;
}

size_t record_format(const struct record *record, char *buf)
{
	struct line line;

	line_open(&line, buf, RECORD_MAX);
	if (record->settings->trace_format == FORMAT_TEXT)
		record_prose(record, &line);
	else
		record_pairs(record, &line, record->settings->trace_format == FORMAT_JSONL);
	*line.at++ = '\n'; /* in the byte that line_open keeps free */
	return line_length(&line);
}
