/* SPDX-License-Identifier: MIT */
#include "top_screen.h"

#include <errno.h>
#include <locale.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <wchar.h>

#include "libc.h"
#include "settings.h"
#include "tool.h"

enum { COLOUR_PEELED = 1, COLOUR_HOLD, COLOUR_ENDED };
enum { KEY_ESCAPE = 27, KEY_DELETE = 127, FIRST_ROW = 3, FILTER_PROMPT_WIDTH = 8 };

struct screen {
	struct top_view *view;
	size_t first; /* row at the top */
	bool paused, helping, filtering, quit;
	char filter_before[sizeof(((struct top_view *)NULL)->filter)];
	int error; /* of the last look */
};

static const char help[] =
	"  < >  s    sort by the column to the left, to the right, by the next\n"
	"  r         the other way round\n"
	"  /         show only lines that contain a text; Escape takes it back\n"
	"  space     pause, and go on\n"
	"  up, down, Page Up, Page Down, Home, End    scroll\n"
	"  h ?       this help, and away\n"
	"  q         quit\n"
	"\n"
	"STATE   shared: on the program's socket; peeled: on a descriptor of its own\n"
	"RULE    what the policy says (keep, peel, hold), which rule said so, and what\n"
	"        stands against a peel\n";

/* Whole characters only, and none beyond the edge, where curses would go on in the next line. */
static void put(int y, const char *text)
{
	wchar_t wide[TOP_ROW_SIZE];
	size_t count = mbstowcs(wide, text, TOP_ROW_SIZE - 1), length = 0;
	int width = 0;

	if (count == (size_t)-1) {
		/* a locale without UTF-8 */
		for (count = 0; count < TOP_ROW_SIZE - 1 && text[count]; count++)
			wide[count] =
				(unsigned char)text[count] < 0x80 ? (wchar_t)text[count] : L'?';
	}
	while (length < count) {
		int columns = wcwidth(wide[length]);

		if (columns < 0)
			wide[length] = L'?';
		width += columns < 0 ? 1 : columns;
		if (width > COLS)
			break;
		length++;
	}
	move(y, 0);
	addnwstr(wide, (int)length);
	clrtoeol();
}

static int look_of(const struct top_row *row)
{
	if (!row->file->alive)
		return COLOR_PAIR(COLOUR_ENDED);
	if (row->slot->state == LIVE_PEELED)
		return COLOR_PAIR(COLOUR_PEELED);
	if (strncmp(row->slot->verdict, "hold", sizeof(row->slot->verdict)) == 0)
		return COLOR_PAIR(COLOUR_HOLD);
	return (int)A_NORMAL;
}

static size_t page_rows(void)
{
	return LINES > FIRST_ROW + 1 ? (size_t)(LINES - FIRST_ROW - 1) : 1;
}

static void draw_status(const struct screen *screen)
{
	const struct top_view *view = screen->view;
	char buf[TOP_ROW_SIZE];
	struct line line;

	line_open(&line, buf, sizeof(buf));
	if (screen->error) {
		errno = screen->error;
		line_format(&line, "%s: %m", view->folder.path);
	} else {
		line_format(&line, "sorted by %s%s", top_orders[view->order],
			    view->reversed ? ", reversed" : "");
		if (view->filter[0] != '\0')
			line_format(&line, "; only '%s': %zu", view->filter, view->count);
		if (screen->paused)
			line_string(&line, "; PAUSED");
	}
	line_done(&line);
	line_tame(&line);
	put(1, buf);
}

static void draw_rows(const struct screen *screen)
{
	const struct top_view *view = screen->view;
	char buf[TOP_ROW_SIZE];
	struct line line;

	line_open(&line, buf, sizeof(buf));
	top_view_put_titles(&line);
	line_done(&line);
	attrset(A_REVERSE);
	put(FIRST_ROW - 1, buf);
	for (size_t i = 0; i < page_rows() && screen->first + i < view->count; i++) {
		const struct top_row *row = &view->rows[screen->first + i];

		line_open(&line, buf, sizeof(buf));
		top_view_put_row(row, &line);
		line_done(&line);
		attrset(look_of(row));
		put(FIRST_ROW + (int)i, buf);
	}
	attrset(A_NORMAL);
}

static void draw_help(void)
{
	int y = FIRST_ROW - 1;

	for (const char *at = help; *at; y++) {
		char buf[128];
		size_t length = strcspn(at, "\n");

		memcpy(buf, at, length);
		buf[length] = '\0';
		put(y, buf);
		at += length + 1;
	}
}

static void draw(struct screen *screen)
{
	struct top_view *view = screen->view;
	size_t rows = page_rows();
	char buf[TOP_ROW_SIZE];
	struct line line;

	if (screen->first + rows > view->count)
		screen->first = view->count > rows ? view->count - rows : 0;
	erase();
	line_open(&line, buf, sizeof(buf));
	top_view_put_summary(view, &line);
	line_done(&line);
	put(0, buf);
	draw_status(screen);
	if (screen->helping)
		draw_help();
	else
		draw_rows(screen);
	line_open(&line, buf, sizeof(buf));
	if (screen->filtering)
		line_format(&line, "filter: %s", view->filter);
	else
		line_string(&line, "h help  q quit  < > sort  r reverse  / filter  space pause");
	line_done(&line);
	put(LINES - 1, buf);
	if (screen->filtering)
		move(LINES - 1, FILTER_PROMPT_WIDTH + (int)strlen(view->filter));
	refresh();
}

static void edit_filter(struct screen *screen, int key)
{
	char *filter = screen->view->filter;
	size_t length = strlen(filter);

	if (key == '\n' || key == KEY_ENTER) {
		screen->filtering = false;
	} else if (key == KEY_ESCAPE) {
		memcpy(filter, screen->filter_before, sizeof(screen->filter_before));
		screen->filtering = false;
	} else if (key == KEY_BACKSPACE || key == KEY_DELETE || key == '\b') {
		if (length > 0)
			filter[length - 1] = '\0';
	} else if (key >= ' ' && key < KEY_DELETE && length + 1 < sizeof(screen->filter_before)) {
		filter[length] = (char)key;
		filter[length + 1] = '\0';
	}
	top_view_arrange(screen->view);
}

static void sort_by(struct screen *screen, int step)
{
	struct top_view *view = screen->view;

	view->order = (enum top_order)(((int)view->order + step + ORDERS) % ORDERS);
	screen->first = 0;
	top_view_arrange(view);
}

static void scroll_by(struct screen *screen, size_t rows, bool up)
{
	if (!up)
		screen->first += rows; /* draw() keeps it inside */
	else
		screen->first = screen->first > rows ? screen->first - rows : 0;
}

static void begin_filter(struct screen *screen)
{
	memcpy(screen->filter_before, screen->view->filter, sizeof(screen->filter_before));
	screen->filtering = true;
}

static void act(struct screen *screen, int key)
{
	struct top_view *view = screen->view;

	if (screen->filtering) {
		edit_filter(screen, key);
		return;
	}
	switch (key) {
	case 'q':
		screen->quit = true;
		break;
	case 'h':
	case '?':
		screen->helping = !screen->helping;
		break;
	case ' ':
		screen->paused = !screen->paused;
		break;
	case 'r':
		view->reversed = !view->reversed;
		sort_by(screen, 0);
		break;
	case '/':
		begin_filter(screen);
		break;
	case '<':
		sort_by(screen, -1);
		break;
	case '>':
	case 's':
		sort_by(screen, 1);
		break;
	case KEY_UP:
	case KEY_DOWN:
		scroll_by(screen, 1, key == KEY_UP);
		break;
	case KEY_PPAGE:
	case KEY_NPAGE:
		scroll_by(screen, page_rows(), key == KEY_PPAGE);
		break;
	case KEY_HOME:
		screen->first = 0;
		break;
	case KEY_END:
		screen->first = view->count;
		break;
	default:
		break;
	}
}

static void set_colours(void)
{
	const char *no = getenv("NO_COLOR"); /* NOLINT(concurrency-mt-unsafe) */

	if ((no && *no) || !has_colors())
		return;
	start_color();
	use_default_colors();
	init_pair(COLOUR_PEELED, COLOR_GREEN, -1);
	init_pair(COLOUR_HOLD, COLOR_YELLOW, -1);
	init_pair(COLOUR_ENDED, COLOR_BLUE, -1);
}

/* Keys are served at once; a look is due each interval. */
static void show_until_quit(struct screen *screen, uint64_t interval_ns, uint64_t count)
{
	uint64_t due = now_ns(), looks = 0;

	while (!screen->quit) {
		uint64_t now = now_ns();
		int key;

		if (!screen->paused && now >= due) {
			if (count > 0 && looks++ == count)
				return;
			screen->error = top_view_look(screen->view);
			due = now_ns() + interval_ns;
		}
		draw(screen);
		now = now_ns();
		timeout(screen->paused ? -1 : due > now ? (int)((due - now) / 1000000) + 1 : 0);
		key = getch();
		if (key != ERR)
			act(screen, key);
	}
}

int top_screen(struct top_view *view, uint64_t interval_ns, uint64_t count)
{
	struct screen screen = {.view = view};
	SCREEN *terminal;

	setlocale(LC_CTYPE, "");
	terminal = newterm(NULL, stdout, stdin);
	if (!terminal)
		return complain(EX_UNAVAILABLE, "top", "'sctpeel top -b' needs none",
				"this terminal cannot be used: TERM says nothing that is known");
	set_escdelay(25);
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	set_colours();
	show_until_quit(&screen, interval_ns, count);
	endwin();
	delscreen(terminal);
	return EX_OK;
}
