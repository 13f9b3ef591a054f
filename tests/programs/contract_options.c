/* SPDX-License-Identifier: MIT */
/* contract_options: rows O01 to O04. */
#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <stddef.h>

#include "contract.h"

#ifndef SCTP_REMOTE_UDP_ENCAPS_PORT
#define SCTP_REMOTE_UDP_ENCAPS_PORT 132
#endif
#ifndef SO_PREFER_BUSY_POLL
#define SO_PREFER_BUSY_POLL 69
#endif

/* ---- the options that concern an association or an address ---- */

struct range {
	size_t at, size;
};

struct option {
	int name;
	const char *label;
	socklen_t size;
	size_t id;	      /* where the id is */
	int address;	      /* where a peer's address is, or 0 */
	struct range changed; /* what a set changes, if anything */
	uint32_t value;
	struct range hidden[3]; /* what differs from run to run */
};

#define OPTION(option, type) .name = option, .label = #option, .size = sizeof(type)
#define AT(type, member)                                            \
	{                                                           \
		offsetof(type, member), sizeof(((type *)0)->member) \
	}
#define FROM(type, member)                                                    \
	{                                                                     \
		offsetof(type, member), sizeof(type) - offsetof(type, member) \
	}
#define ADDRESS(type, member) .address = offsetof(type, member)

/* The id is the first member of most. */
static const struct option options[] = {
	{OPTION(SCTP_STATUS, struct sctp_status),
	 .hidden = {FROM(struct sctp_status, sstat_primary)}},
	{OPTION(SCTP_RTOINFO, struct sctp_rtoinfo), .changed = AT(struct sctp_rtoinfo, srto_max),
	 .value = 7777},
	{OPTION(SCTP_ASSOCINFO, struct sctp_assocparams),
	 .changed = AT(struct sctp_assocparams, sasoc_cookie_life), .value = 77000},
	{OPTION(SCTP_PRIMARY_ADDR, struct sctp_prim), ADDRESS(struct sctp_prim, ssp_addr),
	 .changed = {0, 4}},
	{OPTION(SCTP_SET_PEER_PRIMARY_ADDR, struct sctp_setpeerprim),
	 ADDRESS(struct sctp_setpeerprim, sspp_addr), .changed = {0, 4}},
	{OPTION(SCTP_PEER_ADDR_PARAMS, struct sctp_paddrparams),
	 ADDRESS(struct sctp_paddrparams, spp_address),
	 .changed = AT(struct sctp_paddrparams, spp_pathmaxrxt), .value = 7},
	{OPTION(SCTP_DEFAULT_SEND_PARAM, struct sctp_sndrcvinfo),
	 .id = offsetof(struct sctp_sndrcvinfo, sinfo_assoc_id),
	 .changed = AT(struct sctp_sndrcvinfo, sinfo_ppid), .value = 0x01020304},
	{OPTION(SCTP_DEFAULT_SNDINFO, struct sctp_sndinfo),
	 .id = offsetof(struct sctp_sndinfo, snd_assoc_id),
	 .changed = AT(struct sctp_sndinfo, snd_context), .value = 555},
	{OPTION(SCTP_DEFAULT_PRINFO, struct sctp_default_prinfo),
	 .changed = AT(struct sctp_default_prinfo, pr_policy), .value = SCTP_PR_SCTP_NONE},
	{OPTION(SCTP_MAXSEG, struct sctp_assoc_value),
	 .changed = AT(struct sctp_assoc_value, assoc_value), .value = 900},
	{OPTION(SCTP_CONTEXT, struct sctp_assoc_value),
	 .changed = AT(struct sctp_assoc_value, assoc_value), .value = 99},
	{OPTION(SCTP_MAX_BURST, struct sctp_assoc_value),
	 .changed = AT(struct sctp_assoc_value, assoc_value), .value = 9},
	{OPTION(SCTP_DELAYED_SACK, struct sctp_sack_info),
	 .changed = AT(struct sctp_sack_info, sack_delay), .value = 123},
	{OPTION(SCTP_GET_PEER_ADDR_INFO, struct sctp_paddrinfo),
	 ADDRESS(struct sctp_paddrinfo, spinfo_address),
	 .hidden = {AT(struct sctp_paddrinfo, spinfo_srtt), AT(struct sctp_paddrinfo, spinfo_rto),
		    AT(struct sctp_paddrinfo, spinfo_cwnd)}},
	{OPTION(SCTP_PEER_ADDR_THLDS, struct sctp_paddrthlds),
	 ADDRESS(struct sctp_paddrthlds, spt_address),
	 .changed = AT(struct sctp_paddrthlds, spt_pathmaxrxt), .value = 8},
	{OPTION(SCTP_PEER_ADDR_THLDS_V2, struct sctp_paddrthlds_v2),
	 ADDRESS(struct sctp_paddrthlds_v2, spt_address),
	 .changed = AT(struct sctp_paddrthlds_v2, spt_pathmaxrxt), .value = 9},
	{OPTION(SCTP_STREAM_SCHEDULER, struct sctp_assoc_value),
	 .changed = AT(struct sctp_assoc_value, assoc_value), .value = SCTP_SS_PRIO},
	{OPTION(SCTP_STREAM_SCHEDULER_VALUE, struct sctp_stream_value),
	 .changed = AT(struct sctp_stream_value, stream_value), .value = 5},
	{OPTION(SCTP_PR_SUPPORTED, struct sctp_assoc_value),
	 .changed = AT(struct sctp_assoc_value, assoc_value), .value = 0},
	{OPTION(SCTP_PR_ASSOC_STATUS, struct sctp_prstatus)},
	{OPTION(SCTP_PR_STREAM_STATUS, struct sctp_prstatus)},
	{OPTION(SCTP_RECONFIG_SUPPORTED, struct sctp_assoc_value),
	 .changed = AT(struct sctp_assoc_value, assoc_value), .value = 0},
	{OPTION(SCTP_ENABLE_STREAM_RESET, struct sctp_assoc_value),
	 .changed = AT(struct sctp_assoc_value, assoc_value), .value = 7},
	{OPTION(SCTP_ADD_STREAMS, struct sctp_add_streams),
	 .changed = AT(struct sctp_add_streams, sas_outstrms), .value = 2},
	{OPTION(SCTP_RESET_STREAMS, struct sctp_reset_streams),
	 .changed = AT(struct sctp_reset_streams, srs_flags), .value = 1},
	{OPTION(SCTP_RESET_ASSOC, sctp_assoc_t), .changed = {0, 4}},
	{OPTION(SCTP_INTERLEAVING_SUPPORTED, struct sctp_assoc_value),
	 .changed = AT(struct sctp_assoc_value, assoc_value), .value = 0},
	{OPTION(SCTP_ASCONF_SUPPORTED, struct sctp_assoc_value),
	 .changed = AT(struct sctp_assoc_value, assoc_value), .value = 0},
	{OPTION(SCTP_AUTH_SUPPORTED, struct sctp_assoc_value),
	 .changed = AT(struct sctp_assoc_value, assoc_value), .value = 0},
	{OPTION(SCTP_ECN_SUPPORTED, struct sctp_assoc_value),
	 .changed = AT(struct sctp_assoc_value, assoc_value), .value = 0},
	{OPTION(SCTP_EXPOSE_PF_STATE, struct sctp_assoc_value),
	 .changed = AT(struct sctp_assoc_value, assoc_value), .value = 1},
	{OPTION(SCTP_REMOTE_UDP_ENCAPS_PORT, struct sctp_udpencaps),
	 ADDRESS(struct sctp_udpencaps, sue_address)},
	{OPTION(SCTP_PLPMTUD_PROBE_INTERVAL, struct sctp_probeinterval),
	 ADDRESS(struct sctp_probeinterval, spi_address),
	 .changed = AT(struct sctp_probeinterval, spi_interval), .value = 6000},
	{OPTION(SCTP_EVENT, struct sctp_event), .changed = AT(struct sctp_event, se_on),
	 .value = 1},
	{OPTION(SCTP_GET_ASSOC_STATS, struct sctp_assoc_stats),
	 .hidden = {{offsetof(struct sctp_assoc_stats, sas_obs_rto_ipaddr),
		     offsetof(struct sctp_assoc_stats, sas_rtxchunks) -
			     offsetof(struct sctp_assoc_stats, sas_obs_rto_ipaddr)},
		    AT(struct sctp_assoc_stats, sas_octrlchunks),
		    AT(struct sctp_assoc_stats, sas_ictrlchunks)}},
	{OPTION(SCTP_AUTH_ACTIVE_KEY, struct sctp_authkeyid), .changed = {0, 4}},
	{OPTION(SCTP_AUTH_DELETE_KEY, struct sctp_authkeyid),
	 .changed = AT(struct sctp_authkeyid, scact_keynumber), .value = 3},
	{OPTION(SCTP_AUTH_DEACTIVATE_KEY, struct sctp_authkeyid),
	 .changed = AT(struct sctp_authkeyid, scact_keynumber), .value = 3},
};

/* The lists that the library asks for, and other options with a variable tail. */
static const struct option lists[] = {
	{.name = SCTP_GET_PEER_ADDRS,
	 .label = "SCTP_GET_PEER_ADDRS",
	 .size = 200,
	 .hidden = {{8, 192}}},
	{.name = SCTP_GET_LOCAL_ADDRS,
	 .label = "SCTP_GET_LOCAL_ADDRS",
	 .size = 200,
	 .hidden = {{8, 192}}},
	{.name = SCTP_PEER_AUTH_CHUNKS, .label = "SCTP_PEER_AUTH_CHUNKS", .size = 200},
	{.name = SCTP_LOCAL_AUTH_CHUNKS, .label = "SCTP_LOCAL_AUTH_CHUNKS", .size = 200},
};

static void add_bytes(struct line *line, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		size_t zeros = 0;

		while (i + zeros < size && bytes[i + zeros] == 0)
			zeros++;
		if (zeros > 4) {
			add(line, " 0*%zu ", zeros);
			i += zeros - 1;
		} else {
			add(line, "%02x", bytes[i]);
		}
	}
}

/* Whom an option is about. */
struct whom {
	const char *name;
	sctp_assoc_t id;
	const struct peer *address;
};

static void prepare(uint8_t *bytes, const struct option *o, const struct whom *whom)
{
	memset(bytes, 0, 600);
	memcpy(bytes + o->id, &whom->id, sizeof(whom->id));
	if (o->address && whom->address) {
		struct sockaddr_in address = loopback(1, whom->address->port);

		memcpy(bytes + o->address, &address, sizeof(address));
	}
	if (o->name == SCTP_EVENT)
		((struct sctp_event *)(void *)bytes)->se_type = SCTP_SHUTDOWN_EVENT;
	if (o->name == SCTP_PR_ASSOC_STATUS || o->name == SCTP_PR_STREAM_STATUS)
		((struct sctp_prstatus *)(void *)bytes)->sprstat_policy = SCTP_PR_SCTP_TTL;
}

static int get(int server, const struct option *o, const struct whom *whom, uint8_t *bytes,
	       struct line *line)
{
	socklen_t length = o->size;

	prepare(bytes, o, whom);
	errno = 0;

	int r = getsockopt(server, SOL_SCTP, o->name, bytes, &length);

	if (r) {
		add(line, " %s", errno_name(errno));
		return r;
	}
	sctp_assoc_t id;

	memcpy(&id, bytes + o->id, sizeof(id));
	add(line, " id %s", name_of_id(id));
	add(line, " length %u: ", length);

	uint8_t shown[600];

	memcpy(shown, bytes, sizeof(shown));
	memset(shown + o->id, 0, sizeof(id));
	for (size_t i = 0; i < COUNT(o->hidden); i++)
		memset(shown + o->hidden[i].at, 0, o->hidden[i].size);
	if (o->address)
		memset(shown + o->address + 2, 0, 2);
	add_bytes(line, shown, length);
	return 0;
}

static void tell_get(int server, const struct option *o, const struct whom *whom)
{
	uint8_t bytes[600];
	struct line line = {.length = 0};

	get(server, o, whom, bytes, &line);
	tell("  get %s:%s", whom->name, line.text);
}

static void tell_set(int server, const struct option *o, const struct whom *whom)
{
	uint8_t bytes[600];
	struct line unused = {.length = 0};

	if (get(server, o, whom, bytes, &unused))
		prepare(bytes, o, whom);
	if (whom->id == 0 && whom->address) /* the answer carries the id */
		memset(bytes + o->id, 0, sizeof(sctp_assoc_t));
	if (o->changed.at)
		memcpy(bytes + o->changed.at, &o->value, o->changed.size);
	errno = 0;

	int r = setsockopt(server, SOL_SCTP, o->name, bytes, o->size);

	tell("  set %s: %d %s", whom->name, r, errno_name(r ? errno : 0));
}

static void everybody(struct whom *whom, const struct peer *taken)
{
	whom[0] = (struct whom){"A", peers[0].id, NULL};
	whom[1] = (struct whom){"B", peers[1].id, NULL};
	whom[2] = (struct whom){"A by address", 0, &peers[0]};
	whom[3] = (struct whom){"B by address", 0, &peers[1]};
	whom[4] = (struct whom){"A with B's address", peers[0].id, &peers[1]};
	whom[5] = (struct whom){"A by both", peers[0].id, &peers[0]};
	whom[6] = (struct whom){"unknown", 7654321, NULL};
	whom[7] = (struct whom){"future", SCTP_FUTURE_ASSOC, NULL};
	whom[8] = (struct whom){"current", SCTP_CURRENT_ASSOC, NULL};
	whom[9] = (struct whom){"all", SCTP_ALL_ASSOC, NULL};
	whom[10] = (struct whom){"ended", taken->id, NULL};
	whom[11] = (struct whom){"ended by address", 0, taken};
	whom[12] = (struct whom){"negative", -1, NULL};
}

#define EVERYBODY 13

static void switch_on_features(int fd)
{
	static const int features[] = {SCTP_RECONFIG_SUPPORTED, SCTP_ASCONF_SUPPORTED,
				       SCTP_AUTH_SUPPORTED, SCTP_PR_SUPPORTED};

	for (size_t i = 0; i < COUNT(features); i++) {
		struct sctp_assoc_value on = {0, 1};

		setsockopt(fd, SOL_SCTP, features[i], &on, sizeof(on));
	}
	struct sctp_assoc_value all = {0, 7};

	setsockopt(fd, SOL_SCTP, SCTP_ENABLE_STREAM_RESET, &all, sizeof(all));
}

/* A and B live, C has ended. */
static int open_options_scene(bool features)
{
	int server = bound_socket(SOCK_SEQPACKET);

	subscribe(server, SUB_DATA);
	if (features)
		switch_on_features(server);
	if (listen(server, 10))
		die("listen");
	for (int p = 0; p < 3; p++) {
		struct peer *peer = new_peer();

		if (features)
			switch_on_features(peer->fd);
		connect_peer(peer, server);
	}
	greet(server, 3);
	close_peer(&peers[2]);
	await_end(&peers[2]);
	hear("C has ended", server, MSG_DONTWAIT);
	return server;
}

static void gets(bool features)
{
	int server = open_options_scene(features);
	struct whom whom[EVERYBODY];

	everybody(whom, &peers[2]);
	for (size_t i = 0; i < COUNT(options); i++) {
		tell("%s", options[i].label);
		for (int w = 0; w < EVERYBODY; w++)
			if (options[i].address || !whom[w].address)
				tell_get(server, &options[i], &whom[w]);
	}
	for (size_t i = 0; i < COUNT(lists); i++) {
		tell("%s", lists[i].label);
		for (int w = 0; w < EVERYBODY; w++)
			if (!whom[w].address)
				tell_get(server, &lists[i], &whom[w]);
	}
	close_scene(server);
}

static void o01_get(void)
{
	gets(false);
	gets(true);
}

/* What is set for one is seen there and nowhere else; then for several at once. */
static void sets(bool features)
{
	struct whom whom[EVERYBODY];

	for (size_t i = 0; i < COUNT(options); i++) {
		if (!options[i].changed.size)
			continue;
		int server = open_options_scene(features);

		everybody(whom, &peers[2]);
		tell("%s", options[i].label);
		for (int w = 0; w < EVERYBODY; w++) {
			if (whom[w].address && !options[i].address)
				continue;
			if (whom[w].id == SCTP_FUTURE_ASSOC && !whom[w].address)
				continue; /* row O02 */
			if (whom[w].id == SCTP_CURRENT_ASSOC || whom[w].id == SCTP_ALL_ASSOC)
				continue;
			tell_set(server, &options[i], &whom[w]);
			tell_get(server, &options[i], &whom[0]);
			tell_get(server, &options[i], &whom[1]);
			tell_get(server, &options[i], &whom[7]);
		}
		peer_sends(&peers[0], 50);
		peer_sends(&peers[1], 50);
		for (int k = 0; k < 4; k++)
			note_next(server);
		tell_notes();
		close_scene(server);
	}
}

static void o01_set(void)
{
	sets(false);
}

static void o01_set_with_features(void)
{
	sets(true);
}

/* Wrong lengths, places and names. */
static void o01_wrong(void)
{
	int server = open_options_scene(false);
	uint8_t bytes[600], *volatile nowhere = (uint8_t *)8;
	struct whom a = {"A", peers[0].id, NULL};

	for (size_t i = 0; i < COUNT(options); i++) {
		const struct option *o = &options[i];

		tell("%s", o->label);
		for (int difference = -4; difference <= 4; difference += difference < 0 ? 3 : 5) {
			socklen_t length = o->size + (socklen_t)difference;

			prepare(bytes, o, &a);
			OUTCOME("  get, other length",
				getsockopt(server, SOL_SCTP, o->name, bytes, &length));
			tell("  %u of %u", length, o->size + (socklen_t)difference);
			if (!o->changed.size)
				continue;
			prepare(bytes, o, &a);
			OUTCOME("  set, other length", setsockopt(server, SOL_SCTP, o->name, bytes,
								  o->size + (socklen_t)difference));
		}
		socklen_t length = 0;

		OUTCOME("  get, no length", getsockopt(server, SOL_SCTP, o->name, bytes, &length));
		length = o->size;
		OUTCOME("  get nowhere", getsockopt(server, SOL_SCTP, o->name, nowhere, &length));
		OUTCOME("  get, length nowhere",
			getsockopt(server, SOL_SCTP, o->name, bytes, (socklen_t *)(void *)nowhere));
		OUTCOME("  set nowhere", setsockopt(server, SOL_SCTP, o->name, nowhere, o->size));
		OUTCOME("  set, huge", setsockopt(server, SOL_SCTP, o->name, bytes, 0x7fffffff));
		OUTCOME("  set, negative",
			setsockopt(server, SOL_SCTP, o->name, bytes, (socklen_t)-1));
	}
	for (int name = 133; name < 160; name += 5) {
		socklen_t length = 8;

		prepare(bytes, &options[0], &a);
		OUTCOME("get, no such option",
			getsockopt(server, SOL_SCTP, name + 1, bytes, &length));
		OUTCOME("set, no such option", setsockopt(server, SOL_SCTP, name + 1, bytes, 8));
	}
	OUTCOME("no such level", setsockopt(server, 777, SCTP_CONTEXT, bytes, 8));
	hear_all("then", server);
	close_scene(server);
}

/* The library's way to all this. */
static void o01_library(void)
{
	int server = open_options_scene(false);

	for (int p = 0; p < 3; p++) {
		struct sctp_status status;
		struct sctp_rtoinfo rto = {.srto_max = 5555};
		struct sockaddr *addresses;
		socklen_t length = sizeof(status);
		int n;

		OUTCOME("SCTP_STATUS",
			sctp_opt_info(server, peers[p].id, SCTP_STATUS, &status, &length));
		length = sizeof(rto);
		OUTCOME("SCTP_RTOINFO",
			sctp_opt_info(server, peers[p].id, SCTP_RTOINFO, &rto, &length));
		tell("%u", rto.srto_max);
		n = sctp_getpaddrs(server, peers[p].id, &addresses);
		tell("sctp_getpaddrs: %d %s", n, errno_name(n < 0 ? errno : 0));
		for (int i = 0; i < n; i++)
			tell("  %s", ((struct sockaddr_in *)addresses)[i].sin_port == peers[p].port
					     ? peers[p].name
					     : "?");
		if (n > 0)
			sctp_freepaddrs(addresses);
		n = sctp_getladdrs(server, peers[p].id, &addresses);
		tell("sctp_getladdrs: %d %s", n, errno_name(n < 0 ? errno : 0));
		if (n > 0)
			sctp_freeladdrs(addresses);
	}
	close_scene(server);
}

/* ---- O02: for those to come, those that are, all ---- */

static void o02_several(void)
{
	static const sctp_assoc_t ids[] = {SCTP_FUTURE_ASSOC, SCTP_CURRENT_ASSOC, SCTP_ALL_ASSOC};
	static const char *const names[] = {"future", "current", "all"};

	for (size_t i = 0; i < COUNT(options); i++) {
		if (!options[i].changed.size || !options[i].changed.at)
			continue;
		for (size_t k = 0; k < COUNT(ids); k++) {
			int server = open_scene(2);
			struct whom target = {names[k], ids[k], NULL};

			tell("%s", options[i].label);
			tell_set(server, &options[i], &target);
			connect_peer(new_peer(), server);
			greet(server, 1);
			for (int p = 0; p < 3; p++)
				tell_get(server, &options[i],
					 &(struct whom){peers[p].name, peers[p].id, NULL});
			tell_get(server, &options[i], &(struct whom){"future", 0, NULL});
			for (int p = 0; p < 3; p++) {
				peer_sends(&peers[p], 50);
				hear("then", server, 0);
				OUTCOME("to it",
					sctp_sendmsg(server, message_buffer, 50,
						     (struct sockaddr *)&(struct sockaddr_in){
							     .sin_family = AF_INET,
							     .sin_port = peers[p].port,
							     .sin_addr = loopback(1, 0).sin_addr},
						     sizeof(struct sockaddr_in), 0, 0, 0, 0, 0));
				peers[p].heard++;
			}
			close_scene(server);
		}
	}
}

/* Switches of the whole socket, thrown when all associations are peeled; one comes later. */
static void o02_switches(void)
{
	static const int switches[][2] = {
		{SCTP_RECVRCVINFO, 1},	     {SCTP_RECVNXTINFO, 1},
		{SCTP_DISABLE_FRAGMENTS, 1}, {SCTP_FRAGMENT_INTERLEAVE, 1},
		{SCTP_NODELAY, 0},	     {SCTP_PARTIAL_DELIVERY_POINT, 2000}};
	int server = open_scene(2);

	for (size_t i = 0; i < COUNT(switches); i++) {
		set_int(server, SOL_SCTP, switches[i][0], switches[i][1]);
		connect_peer(new_peer(), server);
		greet(server, 1);
		for (int p = 0; p < peer_count; p++) {
			peer_sends(&peers[p], 50);
			peer_sends(&peers[p], 60);
			hear("first", server, 0);
			hear("second", server, 0);
		}
	}
	struct sending s = {.id = peers[0].id, .carrier = SNDRCV};

	OUTCOME("not in fragments", send_bytes(server, &s, message_buffer, 66000));
	set_int(server, SOL_SCTP, SCTP_DISABLE_FRAGMENTS, 0);
	OUTCOME("in fragments", send_bytes(server, &s, message_buffer, 66000));
	close_scene(server);
}

/* ---- O03 ---- */

static void list(const char *label, int server, socklen_t room)
{
	uint8_t bytes[4096];
	struct sctp_assoc_ids *all = (struct sctp_assoc_ids *)(void *)bytes;
	struct line line = {.length = 0};
	socklen_t length = sizeof(uint32_t), size = room;
	uint32_t number = 777;
	int r;

	r = getsockopt(server, SOL_SCTP, SCTP_GET_ASSOC_NUMBER, &number, &length);
	add(&line, "number %d %u;", r, number);
	memset(bytes, 0, sizeof(bytes));
	r = getsockopt(server, SOL_SCTP, SCTP_GET_ASSOC_ID_LIST, bytes, &size);
	add(&line, " list %d %s %u of %u:", r, errno_name(r ? errno : 0), size, room);
	for (int p = 0; !r && p < peer_count; p++)
		for (uint32_t i = 0; i < all->gaids_number_of_ids; i++)
			if (all->gaids_assoc_id[i] == peers[p].id)
				add(&line, " %s", peers[p].name);
	tell("%s: %s", label, line.text);
}

static void o03_lists(void)
{
	int server = open_server(), own;

	list("alone", server, 400);
	connect_peer(new_peer(), server);
	greet(server, 1);
	list("A", server, 400);
	for (int p = 1; p < 5; p++)
		connect_peer(new_peer(), server);
	list("four new", server, 400);
	greet(server, 4);
	for (socklen_t room = 0; room <= 28; room += 4)
		list("all five", server, room);
	list("odd room", server, 25);
	list("much room", server, 4096);
	close_peer(&peers[1]);
	await_end(&peers[1]);
	list("B closed", server, 400);
	abort_peer(&peers[2]);
	await_end(&peers[2]);
	list("C aborted", server, 400);
	hear_all("then", server);
	list("heard", server, 400);
	own = sctp_peeloff(server, peers[3].id);
	list("D taken", server, 400);
	list("D", own, 400);
	close_scene(server);
	close(own);
}

/* ---- O04: what the kernel does not give a peeled socket ---- */

struct setting {
	int level, name;
	const char *label;
	int value;
};

#define SETTING(level, name, value)       \
	{                                 \
		level, name, #name, value \
	}

static const struct setting common[] = {
	SETTING(SOL_SOCKET, SO_RCVBUF, 50000),
	SETTING(SOL_SOCKET, SO_SNDBUF, 60000),
	SETTING(SOL_SOCKET, SO_RCVLOWAT, 3),
	SETTING(SOL_SOCKET, SO_KEEPALIVE, 1),
	SETTING(SOL_SOCKET, SO_BROADCAST, 1),
	SETTING(SOL_SOCKET, SO_DONTROUTE, 1),
	SETTING(SOL_SOCKET, SO_OOBINLINE, 1),
	SETTING(SOL_SOCKET, SO_PRIORITY, 5),
	SETTING(SOL_SOCKET, SO_MARK, 77),
	SETTING(SOL_SOCKET, SO_TIMESTAMP, 1),
	SETTING(SOL_SOCKET, SO_TIMESTAMPNS, 1),
	SETTING(SOL_SOCKET, SO_TIMESTAMPING,
		SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE),
	SETTING(SOL_SOCKET, SO_RXQ_OVFL, 1),
	SETTING(SOL_SOCKET, SO_PASSCRED, 1),
	SETTING(SOL_SOCKET, SO_BUSY_POLL, 10),
	SETTING(SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1),
	SETTING(SOL_SOCKET, SO_NO_CHECK, 1),
	SETTING(SOL_SOCKET, SO_PREFER_BUSY_POLL, 1),
	SETTING(SOL_SCTP, SCTP_NODELAY, 1),
	SETTING(SOL_SCTP, SCTP_AUTOCLOSE, 777),
	SETTING(SOL_SCTP, SCTP_DISABLE_FRAGMENTS, 1),
	SETTING(SOL_SCTP, SCTP_FRAGMENT_INTERLEAVE, 1),
	SETTING(SOL_SCTP, SCTP_PARTIAL_DELIVERY_POINT, 4000),
	SETTING(SOL_SCTP, SCTP_RECVRCVINFO, 1),
	SETTING(SOL_SCTP, SCTP_RECVNXTINFO, 1),
	SETTING(SOL_SCTP, SCTP_ADAPTATION_LAYER, 99),
};

static const struct setting ipv4[] = {
	SETTING(IPPROTO_IP, IP_TOS, 0x28),
	SETTING(IPPROTO_IP, IP_TTL, 33),
	SETTING(IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO),
	SETTING(IPPROTO_IP, IP_RECVTOS, 1),
	SETTING(IPPROTO_IP, IP_PKTINFO, 1),
	SETTING(IPPROTO_IP, IP_RECVTTL, 1),
	SETTING(IPPROTO_IP, IP_FREEBIND, 1),
	SETTING(IPPROTO_IP, IP_TRANSPARENT, 1),
	SETTING(IPPROTO_IP, IP_RECVERR, 1),
	SETTING(IPPROTO_IP, IP_MINTTL, 2),
	SETTING(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1),
};

static const struct setting ipv6[] = {
	SETTING(IPPROTO_IPV6, IPV6_TCLASS, 0x28),
	SETTING(IPPROTO_IPV6, IPV6_UNICAST_HOPS, 33),
	SETTING(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 7),
	SETTING(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1),
	SETTING(IPPROTO_IPV6, IPV6_RECVTCLASS, 1),
	SETTING(IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1),
	SETTING(IPPROTO_IPV6, IPV6_RECVERR, 1),
	SETTING(IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO),
	SETTING(IPPROTO_IPV6, IPV6_DONTFRAG, 1),
	SETTING(IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 0),
	SETTING(IPPROTO_IPV6, IPV6_FREEBIND, 1),
	SETTING(IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, 1),
	SETTING(IPPROTO_IPV6, IPV6_RECVRTHDR, 1),
	SETTING(IPPROTO_IPV6, 33 /* IPV6_FLOWINFO_SEND */, 1),
};

static void compare(const char *label, int server, int hidden, int level, int name, size_t size)
{
	uint8_t own[2][64] = {{0}};
	socklen_t lengths[2] = {(socklen_t)size, (socklen_t)size};
	int r[2];

	r[0] = plain_get(server, level, name, own[0], &lengths[0]);
	r[1] = plain_get(hidden, level, name, own[1], &lengths[1]);
	if (r[0] != r[1] ||
	    (r[0] == 0 && (lengths[0] != lengths[1] || memcmp(own[0], own[1], lengths[0]) != 0))) {
		struct line line = {.length = 0};

		add_bytes(&line, own[0], lengths[0]);
		add(&line, " / ");
		add_bytes(&line, own[1], lengths[1]);
		tell("%s: %s", label, line.text);
	}
}

/* Only what is to come of the socket has these from it. */
static bool for_later_associations(const struct setting *setting)
{
	return setting->name == SCTP_AUTOCLOSE || setting->name == SCTP_ADAPTATION_LAYER;
}

static void compare_all(int server, int hidden, bool six, bool later)
{
	for (size_t i = 0; i < COUNT(common); i++)
		if (!later || common[i].level != SOL_SCTP || !for_later_associations(&common[i]))
			compare(common[i].label, server, hidden, common[i].level, common[i].name,
				4);
	for (size_t i = 0; !six && i < COUNT(ipv4); i++)
		compare(ipv4[i].label, server, hidden, ipv4[i].level, ipv4[i].name, 4);
	for (size_t i = 0; six && i < COUNT(ipv6); i++)
		compare(ipv6[i].label, server, hidden, ipv6[i].level, ipv6[i].name, 4);
	compare("SO_LINGER", server, hidden, SOL_SOCKET, SO_LINGER, sizeof(struct linger));
	compare("SO_SNDTIMEO", server, hidden, SOL_SOCKET, SO_SNDTIMEO, sizeof(struct timeval));
	compare("SO_BINDTODEVICE", server, hidden, SOL_SOCKET, SO_BINDTODEVICE, 16);
	compare("SO_GET_FILTER", server, hidden, SOL_SOCKET, SO_GET_FILTER, 7);
	compare("SO_REUSEADDR", server, hidden, SOL_SOCKET, SO_REUSEADDR, 4);
}

static void apply(int server, const struct setting *settings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (setsockopt(server, settings[i].level, settings[i].name, &settings[i].value,
			       sizeof(int)))
			tell("(%s: %s)", settings[i].label, errno_name(errno));
}

static void apply_all(int server, bool six)
{
	struct linger linger = {1, 7};
	struct sock_filter pass = BPF_STMT(BPF_RET | BPF_K, 0xffffffff);
	struct sock_fprog program = {1, &pass};

	apply(server, common, COUNT(common));
	if (six)
		apply(server, ipv6, COUNT(ipv6));
	else
		apply(server, ipv4, COUNT(ipv4));
	setsockopt(server, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	set_timeout(server, SO_SNDTIMEO, 4000);
	setsockopt(server, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
	if (setsockopt(server, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)))
		die("SO_ATTACH_FILTER");
}

/* Only under the shim: natively there is nothing hidden. */
static void inherited(bool six, bool later)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any};
	int server =
		six ? socket(AF_INET6, SOCK_SEQPACKET, IPPROTO_SCTP) : bound_socket(SOCK_SEQPACKET);
	int found = 0;

	if (six && bind(server, (struct sockaddr *)&any, sizeof(any)))
		die("bind");
	if (listen(server, 10))
		die("listen");
	subscribe(server, SUB_DATA);
	if (!later)
		apply_all(server, six);
	for (int p = 0; p < 2; p++)
		connect_peer(new_peer(), server);
	greet(server, 2);
	if (later)
		apply_all(server, six);
	for (int fd = 0; fd < 1024; fd++)
		if (fd != server && one_to_many(fd)) {
			found++;
			compare_all(server, fd, six, later);
		}
	tell("%s, set %s the peel: %d hidden sockets compared", six ? "IPv6" : "IPv4",
	     later ? "after" : "before", found);
	close_scene(server);
}

static void o04_hidden(void)
{
	inherited(false, false);
	inherited(false, true);
	inherited(true, false);
	inherited(true, true);
}

/* Only under the shim, whose SCTPEEL_RCVBUF and SCTPEEL_SNDBUF are to be seen. */
static void o04_buffers(void)
{
	int server = open_server(), value;
	socklen_t length = sizeof(value);

	subscribe(server, SUB_DATA);
	set_int(server, SOL_SOCKET, SO_RCVBUF, 50000);
	set_int(server, SOL_SOCKET, SO_SNDBUF, 50000);
	connect_peer(new_peer(), server);
	greet(server, 1);
	for (int fd = 0; fd < 1024; fd++)
		if (fd != server && one_to_many(fd)) {
			plain_get(fd, SOL_SOCKET, SO_RCVBUF, &value, &length);
			tell("receive buffer %d", value / 2);
			plain_get(fd, SOL_SOCKET, SO_SNDBUF, &value, &length);
			tell("send buffer %d", value / 2);
		}
	close_scene(server);
}

/* On the wire: the header bytes of what the server sends, as a raw socket sees them. */
static void tell_headers(int wire, int server)
{
	struct line line = {.length = 0};
	uint8_t packet[2000];
	bool seen[256][2] = {{false}};
	in_port_t port = local_port(server);
	ssize_t n;

	while ((n = recv(wire, packet, sizeof(packet), MSG_DONTWAIT)) > 20) {
		size_t header = (size_t)(packet[0] & 15) * 4;

		if (memcmp(packet + header, &port, sizeof(port)) == 0) {
			seen[packet[1]][0] = true;
			seen[packet[8]][1] = true;
		}
	}
	for (int i = 0; i < 256; i++)
		if (seen[i][0])
			add(&line, " tos %#x", (unsigned)i);
	for (int i = 0; i < 256; i++)
		if (seen[i][1])
			add(&line, " ttl %d", i);
	tell("on the wire:%s", line.text);
}

static void o04_tos_on_the_wire(void)
{
	int wire = socket(AF_INET, SOCK_RAW, IPPROTO_SCTP), server;
	struct sctp_paddrparams path = {.spp_flags = SPP_DSCP, .spp_dscp = 0x48};
	static const int values[] = {0x28, 0, 0xb8};

	if (wire < 0)
		die("raw socket");
	for (int early = 0; early < 2; early++) {
		server = bound_socket(SOCK_SEQPACKET);
		if (early)
			set_int(server, IPPROTO_IP, IP_TOS, 0x10);
		if (listen(server, 10))
			die("listen");
		subscribe(server, SUB_DATA);
		for (int p = 0; p < 2; p++)
			connect_peer(new_peer(), server);
		greet(server, 2);
		for (size_t i = 0; i <= COUNT(values); i++) {
			tell_headers(wire, server);
			for (int p = 0; p < 2; p++) {
				OUTCOME("send", send_to_peer(server, &peers[p], 50));
				peer_hears(&peers[p]);
				peer_sends(&peers[p], 50);
				hear("answer", server, 0);
				tell_headers(wire, server);
			}
			if (i < COUNT(values)) {
				tell("tos %#x", (unsigned)values[i]);
				set_int(server, IPPROTO_IP, IP_TOS, values[i]);
				set_int(server, IPPROTO_IP, IP_TTL, 20 + (int)i);
			}
		}
		path.spp_assoc_id = peers[0].id;
		OUTCOME("A has its own",
			setsockopt(server, SOL_SCTP, SCTP_PEER_ADDR_PARAMS, &path, sizeof(path)));
		for (int p = 0; p < 2; p++) {
			OUTCOME("send", send_to_peer(server, &peers[p], 50));
			tell_headers(wire, server);
		}
		close_scene(server);
	}
	close(wire);
}

/* The endpoint's features are those that a later association negotiates, and the old ones keep. */
static void o04_features(void)
{
	static const struct option *feature;
	int server = open_options_scene(true);
	struct sctp_assoc_value off = {0, 0};

	for (size_t i = 0; i < COUNT(options); i++) {
		feature = &options[i];
		if (!strstr(feature->label, "_SUPPORTED"))
			continue;
		tell("%s", feature->label);
		OUTCOME("off", setsockopt(server, SOL_SCTP, feature->name, &off, sizeof(off)));
		for (int p = 0; p < 2; p++)
			tell_get(server, feature, &(struct whom){peers[p].name, peers[p].id, NULL});
		tell_get(server, feature, &(struct whom){"future", 0, NULL});
	}
	close_scene(server);
}

/* ---- O05: the socket itself ---- */

static void tell_socket(const char *label, int fd)
{
	static const struct {
		const char *name;
		int option;
	} asked[] = {{"SO_TYPE", SO_TYPE},
		     {"SO_ACCEPTCONN", SO_ACCEPTCONN},
		     {"SO_PROTOCOL", SO_PROTOCOL},
		     {"SO_DOMAIN", SO_DOMAIN},
		     {"SO_ERROR", SO_ERROR}};
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	tell("-- %s --", label);
	for (size_t i = 0; i < COUNT(asked); i++) {
		int value = -1;
		socklen_t size = sizeof(value);

		OUTCOME(asked[i].name, getsockopt(fd, SOL_SOCKET, asked[i].option, &value, &size));
		tell("%d", value);
	}
	OUTCOME("getpeername", getpeername(fd, (struct sockaddr *)&address, &length));
	length = sizeof(address);
	OUTCOME("getsockname", getsockname(fd, (struct sockaddr *)&address, &length));
	tell("family %d", address.ss_family);
}

static void o05_socket(void)
{
	int server = open_scene(2);

	tell_socket("two associations", server);
	abort_peer(&peers[0]);
	await_end(&peers[0]);
	tell_socket("one was aborted", server);
	hear_all("server", server);
	tell_socket("and heard", server);
	close_scene(server);
}

/* ---- O06: addresses ---- */

static void o06_addresses(void)
{
	int server = open_scene(2);
	struct sockaddr_in more = loopback(2, local_port(server));

	OUTCOME("add", sctp_bindx(server, (struct sockaddr *)&more, 1, SCTP_BINDX_ADD_ADDR));
	for (int p = 0; p < 3; p++) {
		struct sockaddr *addresses;

		tell("-- %s --", p < 2 ? peers[p].name : "the socket");
		if (OUTCOME("local", sctp_getladdrs(server, p < 2 ? peers[p].id : 0, &addresses)) >
		    0)
			sctp_freeladdrs(addresses);
		if (OUTCOME("peer's", sctp_getpaddrs(server, p < 2 ? peers[p].id : 0, &addresses)) >
		    0)
			sctp_freepaddrs(addresses);
	}
	connect_peer(new_peer(), server);
	greet(server, 1);
	OUTCOME("remove", sctp_bindx(server, (struct sockaddr *)&more, 1, SCTP_BINDX_REM_ADDR));
	hear_all("server", server);
	close_scene(server);
}

static const struct test tests[] = {
	{"o01-get", o01_get},
	{"o01-set", o01_set},
	{"o01-set-with-features", o01_set_with_features},
	{"o01-wrong", o01_wrong},
	{"o01-library", o01_library},
	{"o02-several", o02_several},
	{"o02-switches", o02_switches},
	{"o03-lists", o03_lists},
	{"o04-hidden", o04_hidden},
	{"o04-buffers", o04_buffers},
	{"o04-tos-on-the-wire", o04_tos_on_the_wire},
	{"o04-features", o04_features},
	{"o05-socket", o05_socket},
	{"o06-addresses", o06_addresses},
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, COUNT(tests));
}
