/* SPDX-License-Identifier: MIT */
#include "rules.h"

const struct field_info field_table[FIELDS] = {
#define FIELD(id, name, alias, unit, window, noun, help) \
	[FIELD_##id] = {name, alias, noun, UNIT_##unit, WINDOW_##window},
#include "fields.def"
#undef FIELD
};

enum op op_inverse(enum op op)
{
	static const enum op inverse[] = {
		[OP_EQ] = OP_NE, [OP_NE] = OP_EQ, [OP_LT] = OP_GE,
		[OP_GE] = OP_LT, [OP_GT] = OP_LE, [OP_LE] = OP_GT,
	};

	return inverse[op];
}

const char *op_symbol(enum op op)
{
	static const char *const symbols[] = {
		[OP_EQ] = "=",	[OP_NE] = "!=", [OP_LT] = "<",
		[OP_LE] = "<=", [OP_GT] = ">",	[OP_GE] = ">=",
	};

	return symbols[op];
}
