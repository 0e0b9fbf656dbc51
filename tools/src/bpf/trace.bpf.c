// Shows the calls of one function: its arguments, what they point to, and its result.
//
// What an argument points to is read when the function is called: it may change it. A call that the same thread makes within
// the call takes its place, so that of the two only the inner one is shown.
#include "registers.h"

enum { PART = 256, IN_PROGRESS = 1024 };

HELPER(130, long, bpf_ringbuf_output, void *ring, void *data, u64 size, u64 flags);

struct event {
	u64 ts;
	u64 duration_ns;
	u32 tgid;
	u32 tid;
	char comm[16];
	u64 result;
	u64 arguments[REGISTERS];
	char pointees[REGISTERS][PART]; // text, or the bytes of a structure
};
KEEP_TYPE(event);

// Set before loading: show only calls of this process; zero shows everything.
const volatile u32 targ_tgid = 0;
// How many bytes to read where each argument points to, at most `PART`. Zero for what is not a pointer.
const volatile u32 sizes[REGISTERS] = {};
// Which of them end at a NUL.
const volatile u8 are_strings[REGISTERS] = {};

// Events that found no room in the ring buffer, or in the table of calls.
u64 lost = 0;

struct {
	__uint(type, MAP_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct event);
} scratch SEC(".maps");

struct {
	__uint(type, MAP_HASH);
	__uint(max_entries, IN_PROGRESS);
	__type(key, u64);
	__type(value, struct event);
} calls SEC(".maps");

struct {
	__uint(type, MAP_RINGBUF);
	__uint(max_entries, 1024 * 1024);
} events SEC(".maps");

static __inline void read_string(char *to, u64 from)
{
	// The kernel's own strings and those of the process: one of the two has an address that can be read.
	if (bpf_probe_read_kernel_str(to, PART, (void *)from) < 0 && bpf_probe_read_user_str(to, PART, (void *)from) < 0)
		to[0] = 0;
}

static __inline void read_pointee(char *to, u32 number, u64 from)
{
	u32 size = sizes[number];

	if (!size || size > PART)
		return;
	if (are_strings[number])
		read_string(to, from);
	else if (bpf_probe_read_kernel(to, size, (void *)from))
		__builtin_memset(to, 0, PART);
}

static __inline int call(u64 arguments[REGISTERS])
{
	u64 id = bpf_get_current_pid_tgid();
	struct event *e;
	u32 zero = 0;

	if (targ_tgid && targ_tgid != id >> 32)
		return 0;
	e = bpf_map_lookup_elem(&scratch, &zero);
	if (!e)
		return 0;
	e->ts = bpf_ktime_get_ns();
	e->tgid = id >> 32;
	e->tid = id;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	for (u32 i = 0; i < REGISTERS; i++) {
		e->arguments[i] = arguments[i];
		read_pointee(e->pointees[i], i, arguments[i]);
	}
	if (bpf_map_update_elem(&calls, &id, e, 0))
		__sync_fetch_and_add(&lost, 1);
	return 0;
}

static __inline int leave(u64 result)
{
	u64 id = bpf_get_current_pid_tgid();
	struct event *e = bpf_map_lookup_elem(&calls, &id);

	if (!e)
		return 0;
	e->duration_ns = bpf_ktime_get_ns() - e->ts;
	e->result = result;
	if (bpf_ringbuf_output(&events, e, sizeof(*e), 0))
		__sync_fetch_and_add(&lost, 1);
	bpf_map_delete_elem(&calls, &id);
	return 0;
}

SEC("?fentry")
int entered(void *ctx)
{
	u64 arguments[REGISTERS];

	read_traced_arguments(ctx, arguments);
	return call(arguments);
}

SEC("?fexit")
int left(void *ctx)
{
	u64 result = 0;

	bpf_get_func_ret(ctx, &result);
	return leave(result);
}

SEC("?kprobe")
int probed(void *ctx)
{
	u64 arguments[REGISTERS];

	read_arguments(ctx, arguments);
	return call(arguments);
}

SEC("?kretprobe")
int probed_return(void *ctx)
{
	return leave(returned(ctx));
}

LICENSE("GPL");
