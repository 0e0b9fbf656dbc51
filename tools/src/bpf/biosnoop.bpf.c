// Shows each request to a block device: who made it, where, how large it was, how long it took.
#include "registers.h"

enum { IN_FLIGHT = 10240 };

struct gendisk {
	char disk_name[32];
} __core;

struct request_queue {
	struct gendisk *disk;
} __core;

struct request {
	struct request_queue *q;
	u64 __sector;
	u32 __data_len;
	u32 cmd_flags;
} __core;

// Before Linux 5.17.
struct request___with_disk {
	struct gendisk *rq_disk;
} __core;

enum req_op_bits { REQ_OP_BITS = 8 };
enum req_opf { REQ_OP_READ = 0, REQ_OP_WRITE = 1, REQ_OP_FLUSH = 2, REQ_OP_DISCARD = 3 };

// The numbers of bits are the kernel's.
enum req_flag_bits {
	__REQ_SYNC = 11,
	__REQ_META = 12,
	__REQ_FUA = 17,
	__REQ_PREFLUSH = 18,
	__REQ_RAHEAD = 19,
};

// What these tracepoints hand over since Linux 5.11, and in the last releases of 5.10; before, the queue came first.
typedef void (*btf_trace_block_rq_issue)(void *data, struct request *request);
typedef void (*btf_trace_block_rq_insert)(void *data, struct request *request);

struct who {
	u32 tgid;
	char comm[16];
};

struct event {
	u64 issued; // nanoseconds since the machine started
	u64 duration_ns;
	u64 sector;
	u32 bytes;
	u32 tgid;
	char comm[16];
	char disk[32];
	char rwbs[8]; // R, W, F or D, with letters for flags, as in the kernel's own trace
};
KEEP_TYPE(event);

// Set before loading: show only requests of this process; zero shows everything.
const volatile u32 targ_tgid = 0;

// Events that found no room in the ring buffer.
u64 lost = 0;

// Who made a request, until it is handed to the device. Requests that become part of another never are.
struct {
	__uint(type, MAP_LRU_HASH);
	__uint(max_entries, IN_FLIGHT);
	__type(key, u64);
	__type(value, struct who);
} makers SEC(".maps");

struct {
	__uint(type, MAP_HASH);
	__uint(max_entries, IN_FLIGHT);
	__type(key, u64);
	__type(value, struct event);
} started SEC(".maps");

struct {
	__uint(type, MAP_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

static __inline void read_who(struct who *who)
{
	who->tgid = current_tgid();
	bpf_get_current_comm(who->comm, sizeof(who->comm));
}

static __inline int made(u64 request)
{
	struct who who = {};

	read_who(&who);
	bpf_map_update_elem(&makers, &request, &who, 0);
	return 0;
}

// Where a request is accounted to a process: alternatives, for Linux 6.5 and later, 5.16, and before.
SEC("?tp_btf/block_io_start")
int accounted(u64 *ctx)
{
	return made(ctx[0]);
}

SEC("?kprobe/__blk_account_io_start")
int accounted_since_5_16(void *ctx)
{
	return made(first_argument(ctx));
}

SEC("?kprobe/blk_account_io_start")
int accounted_before_5_16(void *ctx)
{
	return made(first_argument(ctx));
}

// Without kprobes: where it is put into a queue. One that is not is handed to the device by its maker.
SEC("?tp_btf/block_rq_insert")
int inserted(u64 *ctx)
{
	if (type_matches(btf_trace_block_rq_insert))
		return made(((volatile u64 *)ctx)[0]);
	return made(((volatile u64 *)ctx)[1]);
}

#define has_flag(flags, name) ((flags) >> enum_value(enum req_flag_bits, name) & 1)

static __inline void read_rwbs(u32 flags, char rwbs[8])
{
	u32 at = 0;

	if (has_flag(flags, __REQ_PREFLUSH))
		rwbs[at++ & 7] = 'F';
	switch (flags & ((1 << REQ_OP_BITS) - 1)) {
	case REQ_OP_READ: rwbs[at++ & 7] = 'R'; break;
	case REQ_OP_WRITE: rwbs[at++ & 7] = 'W'; break;
	case REQ_OP_FLUSH: rwbs[at++ & 7] = 'F'; break;
	case REQ_OP_DISCARD: rwbs[at++ & 7] = 'D'; break;
	default: rwbs[at++ & 7] = 'N';
	}
	if (has_flag(flags, __REQ_FUA))
		rwbs[at++ & 7] = 'F';
	if (has_flag(flags, __REQ_RAHEAD))
		rwbs[at++ & 7] = 'A';
	if (has_flag(flags, __REQ_SYNC))
		rwbs[at++ & 7] = 'S';
	if (has_flag(flags, __REQ_META))
		rwbs[at++ & 7] = 'M';
}

static __inline struct gendisk *disk_of(struct request *request)
{
	struct request___with_disk *old = (void *)request;

	return field_exists(old->rq_disk) ? core(old, rq_disk) : core(core(request, q), disk);
}

static __inline void issued(u64 key)
{
	struct request *request = (void *)key;
	struct event event = { .issued = bpf_ktime_get_ns() };
	struct who here = {}, *who = bpf_map_lookup_elem(&makers, &key);

	if (!who) {
		read_who(&here);
		who = &here;
	}
	event.tgid = who->tgid;
	__builtin_memcpy(event.comm, who->comm, sizeof(event.comm));
	bpf_map_delete_elem(&makers, &key);
	if (targ_tgid && targ_tgid != event.tgid)
		return;
	event.sector = core(request, __sector);
	event.bytes = core(request, __data_len);
	read_rwbs(core(request, cmd_flags), event.rwbs);
	bpf_probe_read_kernel_str(event.disk, sizeof(event.disk), &disk_of(request)->disk_name);
	bpf_map_update_elem(&started, &key, &event, 0);
}

// Arguments: the request, perhaps behind the queue.
SEC("tp_btf/block_rq_issue")
int issue(u64 *ctx)
{
	if (type_matches(btf_trace_block_rq_issue))
		issued(((volatile u64 *)ctx)[0]);
	else
		issued(((volatile u64 *)ctx)[1]);
	return 0;
}

// Arguments: the request, the error, the number of bytes.
SEC("tp_btf/block_rq_complete")
int complete(u64 *ctx)
{
	u64 key = ctx[0];
	struct event *event = bpf_map_lookup_elem(&started, &key), *e;

	if (!event)
		return 0;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (e) {
		__builtin_memcpy(e, event, sizeof(*e));
		e->duration_ns = bpf_ktime_get_ns() - event->issued;
		bpf_ringbuf_submit(e, 0);
	} else {
		__sync_fetch_and_add(&lost, 1);
	}
	bpf_map_delete_elem(&started, &key);
	return 0;
}

LICENSE("GPL");
