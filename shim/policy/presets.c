/* SPDX-License-Identifier: MIT */
#include "presets.h"

#include <string.h>
#include <strings.h>

#include "policy.h"

/*
 * volume peels early: what fills the shared buffer first loses messages there, falls into back-off
 * and may be seconds on its way out. Of 16 flooding peers 6 to 10 were still shared after two
 * seconds with eight messages or 8 KB for a threshold; with two messages none was. A single
 * association has nobody to wait for it.
 */
#define VOLUME_RULES "volume: peel if assocs > 1 and msgs >= 2"

static const struct {
	const char *name, *rules;
} presets[] = {
	{"none", "keep"},
	{"all", "peel"},
	{"volume", VOLUME_RULES},
};

const char *const preset_names[] = {"none", "all", "volume", NULL};

const char *preset_rules(const char *text)
{
	static const char blanks[] = " \t\r\n";
	size_t length;

	text += strspn(text, blanks);
	length = strcspn(text, blanks);
	if (text[length + strspn(text + length, blanks)] != '\0')
		return NULL;
	for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++)
		if (strlen(presets[i].name) == length &&
		    !strncasecmp(text, presets[i].name, length))
			return presets[i].rules;
	return NULL;
}

const char *policy_help(void)
{
	return "A policy is a list of rules, separated by ';' or new lines; '#' starts a comment.\n"
	       "The first rule that matches wins; an association that none matches is kept.\n"
	       "\n"
	       "  [NAME:] peel|keep [if CONDITION] [for TIME]\n"
	       "\n"
	       "Presets:\n"
	       "  none     keep: peel nothing\n"
	       "  all      peel: everything, at its first message\n"
	       "  volume   (the default) " VOLUME_RULES "\n"
	       "\n"
	       "Fields:\n"
#define FIELD(id, name, alias, unit, window, noun, help) "  " help "\n"
#include "fields.def"
#undef FIELD
	       "\n"
	       "Operators:  = (==, eq)  != (ne, neq)  < (lt)  <= (le, leq)  > (gt)  >= (ge, geq)\n"
	       "            and (&&, or nothing)  or (||)  not (!)  parentheses\n"
	       "Units:      SIZE 64K 1M 2G (1024), SIZE/s 10M/s, count/s 500/s, TIME 5ms 5s 1m "
	       "2h,\n"
	       "            percent 25%, set 3,46 or 0-7; T is a TIME\n"
	       "\n"
	       "Examples:\n"
	       "  peel if bytes >= 1M\n"
	       "  keep if peer 10.9.0.0/16; bulk: peel if rate(5s) > 10M/s for 3s\n"
	       "  m3ua: peel if sport = 2905 and ppid 3 and msgs >= 1000; "
	       "hog: peel if share(1s) > 50% for 2s\n"
	       "  @/etc/sctpeel.d/amf.policy\n";
}
