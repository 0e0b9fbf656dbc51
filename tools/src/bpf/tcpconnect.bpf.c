// Shows which process connects from where to where over TCP.
//
// A socket changes to SYN_SENT inside of connect(2), so the current process is the one that connects. Its own address has been
// chosen by then, its port has not.
#include "bpf.h"

enum { AF_INET = 2, TCP_SYN_SENT = 2 };

struct event {
	u32 tgid;
	u32 uid;
	u16 family; // AF_INET or AF_INET6 (10)
	u16 dport;
	u8 saddr[16]; // the first four bytes, if it is IPv4
	u8 daddr[16];
	char comm[16];
};
KEEP_TYPE(event);

struct in6_addr {
	u8 s6_addr[16];
};

struct sock_common {
	u16 skc_family;
	u16 skc_dport; // in network order
	u32 skc_rcv_saddr;
	u32 skc_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	struct in6_addr skc_v6_daddr;
} __core;

struct sock {
	struct sock_common __sk_common;
} __core;

struct inet_sock {
	u32 inet_saddr;
} __core;

// Set before loading: show only this process, and this port; zero shows everything.
const volatile u32 targ_tgid = 0;
const volatile u16 targ_port = 0;

// Events that found no room in the ring buffer.
u64 lost = 0;

struct {
	__uint(type, MAP_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

// Arguments: the socket, its state before, its state from now on.
SEC("tp_btf/inet_sock_set_state")
int set_state(u64 *ctx)
{
	struct sock *sock = (void *)ctx[0];
	struct sock_common *common = &sock->__sk_common;
	u16 dport = __builtin_bswap16(sock->__sk_common.skc_dport);
	struct event *e;

	if ((int)ctx[2] != TCP_SYN_SENT || (targ_tgid && targ_tgid != current_tgid()))
		return 0;
	if (targ_port && targ_port != dport)
		return 0;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		__sync_fetch_and_add(&lost, 1);
		return 0;
	}
	e->tgid = current_tgid();
	e->uid = bpf_get_current_uid_gid();
	e->family = sock->__sk_common.skc_family;
	e->dport = dport;
	__builtin_memset(e->saddr, 0, sizeof(e->saddr));
	__builtin_memset(e->daddr, 0, sizeof(e->daddr));
	if (e->family == AF_INET) {
		bpf_probe_read_kernel(e->saddr, 4, &((struct inet_sock *)sock)->inet_saddr);
		bpf_probe_read_kernel(e->daddr, 4, &common->skc_daddr);
	} else if (field_exists(common->skc_v6_daddr)) {
		bpf_probe_read_kernel(e->saddr, 16, &common->skc_v6_rcv_saddr);
		bpf_probe_read_kernel(e->daddr, 16, &common->skc_v6_daddr);
	}
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	bpf_ringbuf_submit(e, 0);
	return 0;
}

LICENSE("GPL");
