/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Written by `cargo xtask headers`. */
/*
 * The kernel's helper functions, each as a pointer whose value is the function's number: the compiler makes a call through it
 * an instruction that calls that number. Functions since Linux 6.2 have no numbers; vmlinux.h declares them.
 */
#ifndef __BPF_HELPER_DEFS__
#define __BPF_HELPER_DEFS__

struct __sk_buff;
struct bpf_dynptr;
struct bpf_fib_lookup;
struct bpf_perf_event_data;
struct bpf_perf_event_value;
struct bpf_pidns_info;
struct bpf_redir_neigh;
struct bpf_sock;
struct bpf_sock_addr;
struct bpf_sock_ops;
struct bpf_sock_tuple;
struct bpf_spin_lock;
struct bpf_sysctl;
struct bpf_tcp_sock;
struct bpf_timer;
struct bpf_tunnel_key;
struct bpf_xfrm_state;
struct btf_ptr;
struct cgroup;
struct file;
struct inode;
struct iphdr;
struct ipv6hdr;
struct linux_binprm;
struct mptcp_sock;
struct path;
struct pt_regs;
struct seq_file;
struct sk_msg_md;
struct sk_reuseport_md;
struct sockaddr;
struct socket;
struct task_struct;
struct tcp6_sock;
struct tcp_request_sock;
struct tcp_sock;
struct tcp_timewait_sock;
struct tcphdr;
struct udp6_sock;
struct unix_sock;
struct xdp_md;

/* A function that leaves registers alone that others may overwrite. */
#ifndef __bpf_fastcall
#if __has_attribute(bpf_fastcall)
#define __bpf_fastcall __attribute__((bpf_fastcall))
#else
#define __bpf_fastcall
#endif
#endif

/* The value of a key, as a pointer into the map; NULL if the key is absent. Since Linux 3.19. */
static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;

/*
 * Stores a copy of a value under a key. flags: BPF_ANY, BPF_NOEXIST (only a new key) or BPF_EXIST (only a present one).
 * 0 or a negative error. Since Linux 3.19.
 */
static long (*const bpf_map_update_elem)(void *map, const void *key, const void *value, __u64 flags) = (void *)2;

/* Removes a key and its value. 0 or a negative error, -ENOENT for an absent key. Since Linux 3.19. */
static long (*const bpf_map_delete_elem)(void *map, const void *key) = (void *)3;

/*
 * Copies size bytes from any address, kernel or user, to dst; bpf_probe_read_kernel and bpf_probe_read_user say which.
 * 0, or -EFAULT with dst zeroed. Since Linux 4.1.
 */
static long (*const bpf_probe_read)(void *dst, __u32 size, const void *unsafe_ptr) = (void *)4;

/* Nanoseconds since boot, without the time asleep (CLOCK_MONOTONIC). Since Linux 4.1. */
static __u64 (*const bpf_ktime_get_ns)(void) = (void *)5;

/*
 * Writes a line to the kernel's trace_pipe; a format with up to three arguments, fmt_size with its NUL. For debugging:
 * use bpf_printk. Bytes written or a negative error. Since Linux 4.1.
 */
static long (*const bpf_trace_printk)(const char *fmt, __u32 fmt_size, ...) = (void *)6;

/* A pseudo-random 32-bit number, not fit for cryptography. Since Linux 4.1. */
static __u32 (*const bpf_get_prandom_u32)(void) = (void *)7;

/* The number of the CPU that runs the program, which stays on it. Since Linux 4.1. */
static __bpf_fastcall __u32 (*const bpf_get_smp_processor_id)(void) = (void *)8;

/*
 * Overwrites len bytes of a packet at an offset. flags: BPF_F_RECOMPUTE_CSUM, BPF_F_INVALIDATE_HASH. Packet pointers
 * must be checked again. 0 or a negative error. Since Linux 4.1.
 */
static long (*const bpf_skb_store_bytes)(struct __sk_buff *skb, __u32 offset, const void *from, __u32 len, __u64 flags) = (void *)9;

/*
 * Corrects the IPv4 header checksum at an offset for a field that changed from one value to another; size is 2 or 4, or
 * 0 with to as a difference. 0 or a negative error. Since Linux 4.1.
 */
static long (*const bpf_l3_csum_replace)(struct __sk_buff *skb, __u32 offset, __u64 from, __u64 to, __u64 size) = (void *)10;

/*
 * Corrects the TCP, UDP or ICMP checksum at an offset; flags: the field's size in the low bits, BPF_F_PSEUDO_HDR,
 * BPF_F_MARK_MANGLED_0, BPF_F_MARK_ENFORCE. 0 or a negative error. Since Linux 4.1.
 */
static long (*const bpf_l4_csum_replace)(struct __sk_buff *skb, __u32 offset, __u64 from, __u64 to, __u64 flags) = (void *)11;

/*
 * Continues with the program at an index of a BPF_MAP_TYPE_PROG_ARRAY, and does not return if it exists; at most 33 in
 * a chain. A negative error otherwise. Since Linux 4.2.
 */
static long (*const bpf_tail_call)(void *ctx, void *prog_array_map, __u32 index) = (void *)12;

/*
 * Sends a copy of the packet to a network device: out of it, or, with BPF_F_INGRESS, into it. 0 or a negative error.
 * Since Linux 4.2.
 */
static long (*const bpf_clone_redirect)(struct __sk_buff *skb, __u32 ifindex, __u64 flags) = (void *)13;

/* The current thread: its process (tgid) in the upper 32 bits, its own id (pid) in the lower. Since Linux 4.2. */
static __u64 (*const bpf_get_current_pid_tgid)(void) = (void *)14;

/* The current group id in the upper 32 bits, the current user id in the lower. Since Linux 4.2. */
static __u64 (*const bpf_get_current_uid_gid)(void) = (void *)15;

/*
 * Copies the name of the current thread, at most 16 bytes with its NUL, to buf. 0, or a negative error with buf zeroed.
 * Since Linux 4.2.
 */
static long (*const bpf_get_current_comm)(void *buf, __u32 size_of_buf) = (void *)16;

/* The net_cls class of the packet's sender (cgroup v1); 0 without one. Since Linux 4.3. */
static __u32 (*const bpf_get_cgroup_classid)(struct __sk_buff *skb) = (void *)17;

/*
 * Inserts a VLAN tag; vlan_proto is in network byte order, ETH_P_8021Q or ETH_P_8021AD. 0 or a negative error. Since
 * Linux 4.3.
 */
static long (*const bpf_skb_vlan_push)(struct __sk_buff *skb, __be16 vlan_proto, __u16 vlan_tci) = (void *)18;

/* Removes the outermost VLAN tag. 0 or a negative error. Since Linux 4.3. */
static long (*const bpf_skb_vlan_pop)(struct __sk_buff *skb) = (void *)19;

/*
 * Describes the tunnel that the packet came through in key, of size bytes. flags: BPF_F_TUNINFO_IPV6,
 * BPF_F_TUNINFO_FLAGS. 0 or a negative error. Since Linux 4.3.
 */
static long (*const bpf_skb_get_tunnel_key)(struct __sk_buff *skb, struct bpf_tunnel_key *key, __u32 size, __u64 flags) = (void *)20;

/*
 * Sets the tunnel that the packet leaves through. flags: BPF_F_TUNINFO_IPV6, BPF_F_ZERO_CSUM_TX, BPF_F_DONT_FRAGMENT,
 * BPF_F_SEQ_NUMBER, BPF_F_NO_TUNNEL_KEY. 0 or a negative error. Since Linux 4.3.
 */
static long (*const bpf_skb_set_tunnel_key)(struct __sk_buff *skb, struct bpf_tunnel_key *key, __u32 size, __u64 flags) = (void *)21;

/*
 * The counter of a perf event in a BPF_MAP_TYPE_PERF_EVENT_ARRAY; flags: its index or BPF_F_CURRENT_CPU. Errors cannot
 * be told from large values: prefer bpf_perf_event_read_value. Since Linux 4.3.
 */
static __u64 (*const bpf_perf_event_read)(void *map, __u64 flags) = (void *)22;

/*
 * Sends the packet to a network device once the program has ended; flags: 0, or BPF_F_INGRESS (not for XDP). The
 * verdict to return: TC_ACT_REDIRECT or XDP_REDIRECT, or one that drops. Since Linux 4.4.
 */
static long (*const bpf_redirect)(__u32 ifindex, __u64 flags) = (void *)23;

/* The routing realm of the packet's destination, from the route; 0 without one. Since Linux 4.4. */
static __u32 (*const bpf_get_route_realm)(struct __sk_buff *skb) = (void *)24;

/*
 * Sends size bytes to user space through a BPF_MAP_TYPE_PERF_EVENT_ARRAY; flags: an index or BPF_F_CURRENT_CPU, for
 * packets also a length to append (BPF_F_CTXLEN_MASK). 0 or a negative error. Since Linux 4.4.
 */
static long (*const bpf_perf_event_output)(void *ctx, void *map, __u64 flags, void *data, __u64 size) = (void *)25;

/*
 * Copies len bytes of a packet at an offset to a buffer, also from its fragments. 0, or a negative error with the
 * buffer zeroed. Since Linux 4.5.
 */
static long (*const bpf_skb_load_bytes)(const void *skb, __u32 offset, void *to, __u32 len) = (void *)26;

/*
 * The id of the current stack in a BPF_MAP_TYPE_STACK_TRACE. flags: frames to skip, BPF_F_USER_STACK,
 * BPF_F_FAST_STACK_CMP, BPF_F_REUSE_STACKID. A negative error if there is none. Since Linux 4.6.
 */
static long (*const bpf_get_stackid)(void *ctx, void *map, __u64 flags) = (void *)27;

/*
 * A checksum difference of two buffers, whose sizes are multiples of 4: of from removed and to added, onto seed. The
 * checksum or a negative error. Since Linux 4.6.
 */
static __s64 (*const bpf_csum_diff)(__be32 *from, __u32 from_size, __be32 *to, __u32 to_size, __wsum seed) = (void *)28;

/*
 * Copies the options of the tunnel that the packet came through. The number of bytes or a negative error. Since Linux
 * 4.6.
 */
static long (*const bpf_skb_get_tunnel_opt)(struct __sk_buff *skb, void *opt, __u32 size) = (void *)29;

/* Sets the options of the tunnel that the packet leaves through. 0 or a negative error. Since Linux 4.6. */
static long (*const bpf_skb_set_tunnel_opt)(struct __sk_buff *skb, void *opt, __u32 size) = (void *)30;

/*
 * Changes the packet between IPv4 and IPv6; proto is in network byte order. The program must then write the headers. 0
 * or a negative error. Since Linux 4.8.
 */
static long (*const bpf_skb_change_proto)(struct __sk_buff *skb, __be16 proto, __u64 flags) = (void *)31;

/*
 * Changes who the packet is for: PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST or PACKET_OTHERHOST. 0 or a negative
 * error. Since Linux 4.8.
 */
static long (*const bpf_skb_change_type)(struct __sk_buff *skb, __u32 type) = (void *)32;

/*
 * Whether the packet's socket is below the cgroup at an index of a BPF_MAP_TYPE_CGROUP_ARRAY: 1, 0 or a negative error.
 * Since Linux 4.8.
 */
static long (*const bpf_skb_under_cgroup)(struct __sk_buff *skb, void *map, __u32 index) = (void *)33;

/* The packet's flow hash, calculated if it has none. Since Linux 4.8. */
static __u32 (*const bpf_get_hash_recalc)(struct __sk_buff *skb) = (void *)34;

/* The address of the current task_struct as a number, to be read with bpf_probe_read_kernel. Since Linux 4.8. */
static __u64 (*const bpf_get_current_task)(void) = (void *)35;

/*
 * Overwrites user memory of the current process; for experiments only, as a warning in the kernel's log says. 0 or a
 * negative error. Since Linux 4.8.
 */
static long (*const bpf_probe_write_user)(void *dst, const void *src, __u32 len) = (void *)36;

/*
 * Whether the current task is below the cgroup at an index of a BPF_MAP_TYPE_CGROUP_ARRAY: 1, 0 or a negative error.
 * Since Linux 4.9.
 */
static long (*const bpf_current_task_under_cgroup)(void *map, __u32 index) = (void *)37;

/* Truncates or extends the packet to len bytes; flags must be 0. 0 or a negative error. Since Linux 4.9. */
static long (*const bpf_skb_change_tail)(struct __sk_buff *skb, __u32 len, __u64 flags) = (void *)38;

/*
 * Makes the first len bytes of the packet (0: its whole linear part) directly readable and writable. 0 or a negative
 * error. Since Linux 4.9.
 */
static long (*const bpf_skb_pull_data)(struct __sk_buff *skb, __u32 len) = (void *)39;

/*
 * Adds csum to the packet's checksum, if the device calculated one. The new checksum or a negative error. Since Linux
 * 4.9.
 */
static __s64 (*const bpf_csum_update)(struct __sk_buff *skb, __wsum csum) = (void *)40;

/* Discards the packet's flow hash, so that the next reader calculates it anew. Since Linux 4.9. */
static void (*const bpf_set_hash_invalid)(struct __sk_buff *skb) = (void *)41;

/* The NUMA node of the current CPU. Since Linux 4.10. */
static long (*const bpf_get_numa_node_id)(void) = (void *)42;

/*
 * Makes the packet longer by len bytes at its start, for a device header; flags must be 0. 0 or a negative error. Since
 * Linux 4.10.
 */
static long (*const bpf_skb_change_head)(struct __sk_buff *skb, __u32 len, __u64 flags) = (void *)43;

/*
 * Moves the start of the packet by delta bytes, which may be negative. Packet pointers must be checked again. 0 or a
 * negative error. Since Linux 4.10.
 */
static long (*const bpf_xdp_adjust_head)(struct xdp_md *xdp_md, int delta) = (void *)44;

/*
 * Copies a string of at most size bytes from any address, kernel or user; prefer the two that say which. The length
 * with its NUL or a negative error. Since Linux 4.11.
 */
static long (*const bpf_probe_read_str)(void *dst, __u32 size, const void *unsafe_ptr) = (void *)45;

/* A number that identifies a socket for its lifetime; 0 if there is none. Since Linux 4.12. */
static __u64 (*const bpf_get_socket_cookie)(void *ctx) = (void *)46;

/* The user id that owns the packet's socket; overflowuid if it has no socket. Since Linux 4.12. */
static __u32 (*const bpf_get_socket_uid)(struct __sk_buff *skb) = (void *)47;

/* Sets the packet's flow hash. 0. Since Linux 4.13. */
static long (*const bpf_set_hash)(struct __sk_buff *skb, __u32 hash) = (void *)48;

/*
 * Sets a socket's option as setsockopt does; the level is SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP or IPPROTO_IPV6. 0 or a
 * negative error. Since Linux 4.13.
 */
static long (*const bpf_setsockopt)(void *bpf_socket, int level, int optname, void *optval, int optlen) = (void *)49;

/*
 * Grows or shrinks the room for headers, at the network layer or, by mode, at the MAC layer (BPF_ADJ_ROOM_MAC); flags:
 * BPF_F_ADJ_ROOM_*. 0 or a negative error. Since Linux 4.13.
 */
static long (*const bpf_skb_adjust_room)(struct __sk_buff *skb, __s32 len_diff, __u32 mode, __u64 flags) = (void *)50;

/*
 * Sends the packet to the device, CPU or socket at a key of a map; the low bits of flags are the result if the key is
 * absent. The verdict to return: XDP_REDIRECT, or those bits. Since Linux 4.14.
 */
static long (*const bpf_redirect_map)(void *map, __u64 key, __u64 flags) = (void *)51;

/*
 * Sends the packet to the socket at a key of a BPF_MAP_TYPE_SOCKMAP; flags: 0 or BPF_F_INGRESS. The verdict to return:
 * SK_PASS or SK_DROP. Since Linux 4.14.
 */
static long (*const bpf_sk_redirect_map)(struct __sk_buff *skb, void *map, __u32 key, __u64 flags) = (void *)52;

/*
 * Stores the current socket in a BPF_MAP_TYPE_SOCKMAP; flags as for bpf_map_update_elem. 0 or a negative error. Since
 * Linux 4.14.
 */
static long (*const bpf_sock_map_update)(struct bpf_sock_ops *skops, void *map, void *key, __u64 flags) = (void *)53;

/* Moves the start of the metadata in front of the packet by delta bytes. 0 or a negative error. Since Linux 4.15. */
static long (*const bpf_xdp_adjust_meta)(struct xdp_md *xdp_md, int delta) = (void *)54;

/*
 * Reads the counter of a perf event in a map with its times, of size buf_size; flags: an index or BPF_F_CURRENT_CPU. 0,
 * or a negative error with buf zeroed. Since Linux 4.15.
 */
static long (*const bpf_perf_event_read_value)(void *map, __u64 flags, struct bpf_perf_event_value *buf, __u32 buf_size) = (void *)55;

/*
 * Reads the counter of the perf event that the program runs for, with its times. 0, or a negative error with buf
 * zeroed. Since Linux 4.15.
 */
static long (*const bpf_perf_prog_read_value)(struct bpf_perf_event_data *ctx, struct bpf_perf_event_value *buf, __u32 buf_size) = (void *)56;

/* Reads a socket's option as getsockopt does. 0, or a negative error with optval zeroed. Since Linux 4.15. */
static long (*const bpf_getsockopt)(void *bpf_socket, int level, int optname, void *optval, int optlen) = (void *)57;

/*
 * Has the probed kernel function return rc at once; only for functions that allow errors to be injected. 0. Since Linux
 * 4.16.
 */
static long (*const bpf_override_return)(struct pt_regs *regs, __u64 rc) = (void *)58;

/*
 * Selects which callbacks the socket's program receives (BPF_SOCK_OPS_*_CB_FLAG). 0, a negative error, or the unknown
 * bits. Since Linux 4.16.
 */
static long (*const bpf_sock_ops_cb_flags_set)(struct bpf_sock_ops *bpf_sock, int argval) = (void *)59;

/*
 * Sends a message to the socket at a key of a BPF_MAP_TYPE_SOCKMAP; flags: 0 or BPF_F_INGRESS. The verdict to return:
 * SK_PASS or SK_DROP. Since Linux 4.17.
 */
static long (*const bpf_msg_redirect_map)(struct sk_msg_md *msg, void *map, __u32 key, __u64 flags) = (void *)60;

/*
 * Applies the program's verdict to the next bytes, also those of later messages, without running it again. 0. Since
 * Linux 4.17.
 */
static long (*const bpf_msg_apply_bytes)(struct sk_msg_md *msg, __u32 bytes) = (void *)61;

/* Holds messages back until so many bytes have come together, and runs the program for them. 0. Since Linux 4.17. */
static long (*const bpf_msg_cork_bytes)(struct sk_msg_md *msg, __u32 bytes) = (void *)62;

/*
 * Makes the bytes from start to end of a message directly accessible; flags must be 0. 0 or a negative error. Since
 * Linux 4.17.
 */
static long (*const bpf_msg_pull_data)(struct sk_msg_md *msg, __u32 start, __u32 end, __u64 flags) = (void *)63;

/* Binds the socket of a connect hook to a local address. 0 or a negative error. Since Linux 4.17. */
static long (*const bpf_bind)(struct bpf_sock_addr *ctx, struct sockaddr *addr, int addr_len) = (void *)64;

/* Moves the end of the packet by delta bytes, which may be negative. 0 or a negative error. Since Linux 4.18. */
static long (*const bpf_xdp_adjust_tail)(struct xdp_md *xdp_md, int delta) = (void *)65;

/*
 * Describes the packet's IPsec transformation at an index, in size bytes; flags must be 0. 0 or a negative error. Since
 * Linux 4.18.
 */
static long (*const bpf_skb_get_xfrm_state)(struct __sk_buff *skb, __u32 index, struct bpf_xfrm_state *xfrm_state, __u32 size, __u64 flags) = (void *)66;

/*
 * Copies the addresses of the current stack, size bytes at most. flags: frames to skip, BPF_F_USER_STACK,
 * BPF_F_USER_BUILD_ID. The number of bytes or a negative error. Since Linux 4.18.
 */
static long (*const bpf_get_stack)(void *ctx, void *buf, __u32 size, __u64 flags) = (void *)67;

/*
 * Copies len bytes of a packet at an offset from its MAC or network header (BPF_HDR_START_MAC, BPF_HDR_START_NET). 0,
 * or a negative error with the buffer zeroed. Since Linux 4.18.
 */
static long (*const bpf_skb_load_bytes_relative)(const void *skb, __u32 offset, void *to, __u32 len, __u32 start_header) = (void *)68;

/*
 * Looks up the route in params, of plen bytes, and completes it with the next hop. 0 with both MAC addresses set, a
 * BPF_FIB_LKUP_RET_* value without, or a negative error. Since Linux 4.18.
 */
static long (*const bpf_fib_lookup)(void *ctx, struct bpf_fib_lookup *params, int plen, __u32 flags) = (void *)69;

/*
 * Stores the current socket in a BPF_MAP_TYPE_SOCKHASH; flags as for bpf_map_update_elem. 0 or a negative error. Since
 * Linux 4.18.
 */
static long (*const bpf_sock_hash_update)(struct bpf_sock_ops *skops, void *map, void *key, __u64 flags) = (void *)70;

/*
 * Sends a message to the socket at a key of a BPF_MAP_TYPE_SOCKHASH; flags: 0 or BPF_F_INGRESS. The verdict to return:
 * SK_PASS or SK_DROP. Since Linux 4.18.
 */
static long (*const bpf_msg_redirect_hash)(struct sk_msg_md *msg, void *map, void *key, __u64 flags) = (void *)71;

/*
 * Sends the packet to the socket at a key of a BPF_MAP_TYPE_SOCKHASH; flags: 0 or BPF_F_INGRESS. The verdict to return:
 * SK_PASS or SK_DROP. Since Linux 4.18.
 */
static long (*const bpf_sk_redirect_hash)(struct __sk_buff *skb, void *map, void *key, __u64 flags) = (void *)72;

/*
 * Wraps the packet in another header: BPF_LWT_ENCAP_SEG6, BPF_LWT_ENCAP_SEG6_INLINE or BPF_LWT_ENCAP_IP. 0 or a
 * negative error. Since Linux 4.18.
 */
static long (*const bpf_lwt_push_encap)(struct __sk_buff *skb, __u32 type, void *hdr, __u32 len) = (void *)73;

/*
 * Overwrites bytes of the outermost segment routing header: its flags, tag and TLVs only. 0 or a negative error. Since
 * Linux 4.18.
 */
static long (*const bpf_lwt_seg6_store_bytes)(struct __sk_buff *skb, __u32 offset, const void *from, __u32 len) = (void *)74;

/*
 * Grows or shrinks the TLVs of the outermost segment routing header at an offset. 0 or a negative error. Since Linux
 * 4.18.
 */
static long (*const bpf_lwt_seg6_adjust_srh)(struct __sk_buff *skb, __u32 offset, __s32 delta) = (void *)75;

/*
 * Applies a segment routing action (SEG6_LOCAL_ACTION_*) with its parameter. 0 or a negative error. Since Linux 4.18.
 */
static long (*const bpf_lwt_seg6_action)(struct __sk_buff *skb, __u32 action, void *param, __u32 param_len) = (void *)76;

/* Reports that the last infrared key is being held. 0. Since Linux 4.18. */
static long (*const bpf_rc_repeat)(void *ctx) = (void *)77;

/* Reports a decoded infrared key: its protocol, scan code and toggle bit. 0. Since Linux 4.18. */
static long (*const bpf_rc_keydown)(void *ctx, __u32 protocol, __u64 scancode, __u32 toggle) = (void *)78;

/* The id of the packet's cgroup (v2); 0 if it has no socket. Since Linux 4.18. */
static __u64 (*const bpf_skb_cgroup_id)(struct __sk_buff *skb) = (void *)79;

/* The id of the current task's cgroup (v2). Since Linux 4.18. */
static __u64 (*const bpf_get_current_cgroup_id)(void) = (void *)80;

/*
 * The storage of the program in the current cgroup, from a map of cgroup storage; flags must be 0. Never NULL. Since
 * Linux 4.19.
 */
static void *(*const bpf_get_local_storage)(void *map, __u64 flags) = (void *)81;

/*
 * Selects the socket at a key of a BPF_MAP_TYPE_REUSEPORT_SOCKARRAY (or sockmap) for the packet; flags must be 0. 0 or
 * a negative error. Since Linux 4.19.
 */
static long (*const bpf_sk_select_reuseport)(struct sk_reuseport_md *reuse, void *map, void *key, __u64 flags) = (void *)82;

/*
 * The id of an ancestor of the packet's cgroup, counted from the root (level 0); 0 if there is none. Since Linux 4.19.
 */
static __u64 (*const bpf_skb_ancestor_cgroup_id)(struct __sk_buff *skb, int ancestor_level) = (void *)83;

/*
 * The TCP socket of a tuple of tuple_size bytes in a network namespace (BPF_F_CURRENT_NETNS or an id), with a reference
 * for bpf_sk_release; NULL if there is none. Since Linux 4.20.
 */
static struct bpf_sock *(*const bpf_sk_lookup_tcp)(void *ctx, struct bpf_sock_tuple *tuple, __u32 tuple_size, __u64 netns, __u64 flags) = (void *)84;

/*
 * The UDP socket of a tuple of tuple_size bytes in a network namespace (BPF_F_CURRENT_NETNS or an id), with a reference
 * for bpf_sk_release; NULL if there is none. Since Linux 4.20.
 */
static struct bpf_sock *(*const bpf_sk_lookup_udp)(void *ctx, struct bpf_sock_tuple *tuple, __u32 tuple_size, __u64 netns, __u64 flags) = (void *)85;

/* Gives back a socket that a lookup found. 0. Since Linux 4.20. */
static long (*const bpf_sk_release)(void *sock) = (void *)86;

/*
 * Adds a value to a queue or stack; with BPF_EXIST a full one loses its oldest. 0 or a negative error. Since Linux
 * 4.20.
 */
static long (*const bpf_map_push_elem)(void *map, const void *value, __u64 flags) = (void *)87;

/* Removes a value from a queue or stack, and copies it. 0, or -ENOENT if there is none. Since Linux 4.20. */
static long (*const bpf_map_pop_elem)(void *map, void *value) = (void *)88;

/*
 * Copies the next value of a queue or stack, or tests a bloom filter for one. 0, or -ENOENT if there is none. Since
 * Linux 4.20.
 */
static long (*const bpf_map_peek_elem)(void *map, void *value) = (void *)89;

/*
 * Inserts len bytes into a message at start, for the program to write; flags must be 0. 0 or a negative error. Since
 * Linux 4.20.
 */
static long (*const bpf_msg_push_data)(struct sk_msg_md *msg, __u32 start, __u32 len, __u64 flags) = (void *)90;

/* Removes len bytes from a message at start; flags must be 0. 0 or a negative error. Since Linux 5.0. */
static long (*const bpf_msg_pop_data)(struct sk_msg_md *msg, __u32 start, __u32 len, __u64 flags) = (void *)91;

/* Reports a movement of an infrared pointing device. 0. Since Linux 5.0. */
static long (*const bpf_rc_pointer_rel)(void *ctx, __s32 rel_x, __s32 rel_y) = (void *)92;

/* Takes the lock in a map's value; until it is released, no other helper may be called. 0. Since Linux 5.1. */
static long (*const bpf_spin_lock)(struct bpf_spin_lock *lock) = (void *)93;

/* Releases the lock in a map's value. 0. Since Linux 5.1. */
static long (*const bpf_spin_unlock)(struct bpf_spin_lock *lock) = (void *)94;

/* The full socket of a pointer that may be to a smaller one; NULL if it is not a full one. Since Linux 5.1. */
static struct bpf_sock *(*const bpf_sk_fullsock)(struct bpf_sock *sk) = (void *)95;

/* The TCP state of a full socket; NULL if it is no TCP socket. Since Linux 5.1. */
static struct bpf_tcp_sock *(*const bpf_tcp_sock)(struct bpf_sock *sk) = (void *)96;

/* Marks the packet as having met congestion, if it supports ECN. 1 if it is marked, otherwise 0. Since Linux 5.1. */
static long (*const bpf_skb_ecn_set_ce)(struct __sk_buff *skb) = (void *)97;

/*
 * The listening socket of a connection request, as a pointer without a reference; NULL if it is not listening. Since
 * Linux 5.1.
 */
static struct bpf_sock *(*const bpf_get_listener_sock)(struct bpf_sock *sk) = (void *)98;

/*
 * As bpf_sk_lookup_tcp, but the result may be a request or a time-wait socket; for bpf_sk_release, too. Since Linux
 * 5.2.
 */
static struct bpf_sock *(*const bpf_skc_lookup_tcp)(void *ctx, struct bpf_sock_tuple *tuple, __u32 tuple_size, __u64 netns, __u64 flags) = (void *)99;

/*
 * Whether the packet is a valid SYN cookie acknowledgement for a listening socket: 0 if it is, otherwise a negative
 * error. Since Linux 5.2.
 */
static long (*const bpf_tcp_check_syncookie)(void *sk, void *iph, __u32 iph_len, struct tcphdr *th, __u32 th_len) = (void *)100;

/*
 * Copies the name of the sysctl; flags: BPF_F_SYSCTL_BASE_NAME for the last part alone. The length without its NUL or a
 * negative error. Since Linux 5.2.
 */
static long (*const bpf_sysctl_get_name)(struct bpf_sysctl *ctx, char *buf, unsigned long buf_len, __u64 flags) = (void *)101;

/*
 * Copies the sysctl's value before a write or at a read. The length without its NUL or a negative error. Since Linux
 * 5.2.
 */
static long (*const bpf_sysctl_get_current_value)(struct bpf_sysctl *ctx, char *buf, unsigned long buf_len) = (void *)102;

/*
 * Copies the value that is being written to the sysctl. The length without its NUL or a negative error. Since Linux
 * 5.2.
 */
static long (*const bpf_sysctl_get_new_value)(struct bpf_sysctl *ctx, char *buf, unsigned long buf_len) = (void *)103;

/* Replaces the value that is being written to the sysctl. 0 or a negative error. Since Linux 5.2. */
static long (*const bpf_sysctl_set_new_value)(struct bpf_sysctl *ctx, const char *buf, unsigned long buf_len) = (void *)104;

/*
 * Reads a signed number at the start of a string; flags: its base, 8, 10 or 16, or 0 to detect it. The number of
 * characters read or a negative error. Since Linux 5.2.
 */
static long (*const bpf_strtol)(const char *buf, unsigned long buf_len, __u64 flags, long *res) = (void *)105;

/*
 * Reads an unsigned number at the start of a string; flags: its base, 8, 10 or 16, or 0 to detect it. The number of
 * characters read or a negative error. Since Linux 5.2.
 */
static long (*const bpf_strtoul)(const char *buf, unsigned long buf_len, __u64 flags, unsigned long *res) = (void *)106;

/*
 * A socket's value in a BPF_MAP_TYPE_SK_STORAGE; with BPF_SK_STORAGE_GET_F_CREATE a new one, a copy of value. NULL if
 * there is none. Since Linux 5.2.
 */
static void *(*const bpf_sk_storage_get)(void *map, void *sk, void *value, __u64 flags) = (void *)107;

/* Removes a socket's value from a BPF_MAP_TYPE_SK_STORAGE. 0, or -ENOENT if there is none. Since Linux 5.2. */
static long (*const bpf_sk_storage_delete)(void *map, void *sk) = (void *)108;

/* Sends a signal to the current process; any of its threads may receive it. 0 or a negative error. Since Linux 5.3. */
static long (*const bpf_send_signal)(__u32 sig) = (void *)109;

/*
 * A SYN cookie for a listening socket: the number in the lower 32 bits, the maximum segment size in the upper. A
 * negative error if none is due. Since Linux 5.3.
 */
static __s64 (*const bpf_tcp_gen_syncookie)(void *sk, void *iph, __u32 iph_len, struct tcphdr *th, __u32 th_len) = (void *)110;

/*
 * As bpf_perf_event_output, with a pointer to a kernel sk_buff as the context. 0 or a negative error. Since Linux 5.5.
 */
static long (*const bpf_skb_output)(void *ctx, void *map, __u64 flags, void *data, __u64 size) = (void *)111;

/* Copies size bytes of user memory to dst. 0, or -EFAULT with dst zeroed. Since Linux 5.5. */
static long (*const bpf_probe_read_user)(void *dst, __u32 size, const void *unsafe_ptr) = (void *)112;

/* Copies size bytes of kernel memory to dst. 0, or -EFAULT with dst zeroed. Since Linux 5.5. */
static long (*const bpf_probe_read_kernel)(void *dst, __u32 size, const void *unsafe_ptr) = (void *)113;

/*
 * Copies a string of user memory, at most size bytes and always terminated, to dst. The length with its NUL or a
 * negative error. Since Linux 5.5.
 */
static long (*const bpf_probe_read_user_str)(void *dst, __u32 size, const void *unsafe_ptr) = (void *)114;

/*
 * Copies a string of kernel memory, at most size bytes and always terminated, to dst. The length with its NUL or a
 * negative error. Since Linux 5.5.
 */
static long (*const bpf_probe_read_kernel_str)(void *dst, __u32 size, const void *unsafe_ptr) = (void *)115;

/* Acknowledges TCP data up to a sequence number; for congestion control. 0 or a negative error. Since Linux 5.6. */
static long (*const bpf_tcp_send_ack)(void *tp, __u32 rcv_nxt) = (void *)116;

/* Sends a signal to the current thread. 0 or a negative error. Since Linux 5.6. */
static long (*const bpf_send_signal_thread)(__u32 sig) = (void *)117;

/* The kernel's ticks since boot, in jiffies. Since Linux 5.6. */
static __u64 (*const bpf_jiffies64)(void) = (void *)118;

/*
 * Copies the branches that the CPU recorded before the event, struct perf_branch_entry each; with
 * BPF_F_GET_BRANCH_RECORDS_SIZE only counts. The number of bytes or a negative error. Since Linux 5.7.
 */
static long (*const bpf_read_branch_records)(struct bpf_perf_event_data *ctx, void *buf, __u32 size, __u64 flags) = (void *)119;

/*
 * The current thread and process ids in the PID namespace that a device and an inode number identify. 0, or a negative
 * error with nsdata zeroed. Since Linux 5.7.
 */
static long (*const bpf_get_ns_current_pid_tgid)(__u64 dev, __u64 ino, struct bpf_pidns_info *nsdata, __u32 size) = (void *)120;

/*
 * As bpf_perf_event_output, with a pointer to a kernel xdp_buff as the context. 0 or a negative error. Since Linux 5.7.
 */
static long (*const bpf_xdp_output)(void *ctx, void *map, __u64 flags, void *data, __u64 size) = (void *)121;

/* A number that identifies a network namespace: that of the context, or with NULL the initial one. Since Linux 5.7. */
static __u64 (*const bpf_get_netns_cookie)(void *ctx) = (void *)122;

/* The id of an ancestor of the current cgroup, counted from the root (level 0); 0 if there is none. Since Linux 5.7. */
static __u64 (*const bpf_get_current_ancestor_cgroup_id)(int ancestor_level) = (void *)123;

/*
 * Delivers the packet to a socket; for sk_lookup, flags: BPF_SK_LOOKUP_F_REPLACE, BPF_SK_LOOKUP_F_NO_REUSEPORT. 0 or a
 * negative error. Since Linux 5.7.
 */
static long (*const bpf_sk_assign)(void *ctx, void *sk, __u64 flags) = (void *)124;

/* Nanoseconds since boot, with the time asleep (CLOCK_BOOTTIME). Since Linux 5.8. */
static __u64 (*const bpf_ktime_get_boot_ns)(void) = (void *)125;

/*
 * Prints to the file of an iterator; the arguments are an array of 64-bit values, data_len bytes of them.
 * BPF_SEQ_PRINTF makes it. 0 or a negative error. Since Linux 5.8.
 */
static long (*const bpf_seq_printf)(struct seq_file *m, const char *fmt, __u32 fmt_size, const void *data, __u32 data_len) = (void *)126;

/* Writes bytes to the file of an iterator. 0 or a negative error. Since Linux 5.8. */
static long (*const bpf_seq_write)(struct seq_file *m, const void *data, __u32 len) = (void *)127;

/* The id of a socket's cgroup (v2); 0 if there is none. Since Linux 5.8. */
static __u64 (*const bpf_sk_cgroup_id)(void *sk) = (void *)128;

/* The id of an ancestor of a socket's cgroup, counted from the root (level 0); 0 if there is none. Since Linux 5.8. */
static __u64 (*const bpf_sk_ancestor_cgroup_id)(void *sk, int ancestor_level) = (void *)129;

/*
 * Copies size bytes as a record into a ring buffer; flags: 0, BPF_RB_NO_WAKEUP or BPF_RB_FORCE_WAKEUP. 0, or a negative
 * error if it is full. Since Linux 5.8.
 */
static long (*const bpf_ringbuf_output)(void *ringbuf, void *data, __u64 size, __u64 flags) = (void *)130;

/*
 * Room for a record of size bytes in a ring buffer, to be submitted or discarded; flags must be 0. NULL if it is full.
 * Since Linux 5.8.
 */
static void *(*const bpf_ringbuf_reserve)(void *ringbuf, __u64 size, __u64 flags) = (void *)131;

/* Publishes a reserved record; flags: 0, BPF_RB_NO_WAKEUP or BPF_RB_FORCE_WAKEUP. Since Linux 5.8. */
static void (*const bpf_ringbuf_submit)(void *data, __u64 flags) = (void *)132;

/* Gives up a reserved record, which readers then skip; flags as for bpf_ringbuf_submit. Since Linux 5.8. */
static void (*const bpf_ringbuf_discard)(void *data, __u64 flags) = (void *)133;

/*
 * What is in a ring buffer: BPF_RB_AVAIL_DATA, BPF_RB_RING_SIZE, BPF_RB_CONS_POS or BPF_RB_PROD_POS, in bytes, at a
 * moment that has passed. Since Linux 5.8.
 */
static __u64 (*const bpf_ringbuf_query)(void *ringbuf, __u64 flags) = (void *)134;

/*
 * Changes how many checksums of the packet count as verified: BPF_CSUM_LEVEL_INC, _DEC, _RESET or _QUERY. The level for
 * a query, 0, or a negative error. Since Linux 5.8.
 */
static long (*const bpf_csum_level)(struct __sk_buff *skb, __u64 level) = (void *)135;

/* The socket as a tcp6_sock; NULL if it is none. Since Linux 5.9. */
static struct tcp6_sock *(*const bpf_skc_to_tcp6_sock)(void *sk) = (void *)136;

/* The socket as a tcp_sock; NULL if it is none. Since Linux 5.9. */
static struct tcp_sock *(*const bpf_skc_to_tcp_sock)(void *sk) = (void *)137;

/* The socket as a tcp_timewait_sock; NULL if it is none. Since Linux 5.9. */
static struct tcp_timewait_sock *(*const bpf_skc_to_tcp_timewait_sock)(void *sk) = (void *)138;

/* The socket as a tcp_request_sock; NULL if it is none. Since Linux 5.9. */
static struct tcp_request_sock *(*const bpf_skc_to_tcp_request_sock)(void *sk) = (void *)139;

/* The socket as a udp6_sock; NULL if it is none. Since Linux 5.9. */
static struct udp6_sock *(*const bpf_skc_to_udp6_sock)(void *sk) = (void *)140;

/* As bpf_get_stack, of another task. The number of bytes or a negative error. Since Linux 5.9. */
static long (*const bpf_get_task_stack)(struct task_struct *task, void *buf, __u32 size, __u64 flags) = (void *)141;

/*
 * Finds a TCP option of the packet, as searchby_res names it, and copies it there; flags: 0 or
 * BPF_LOAD_HDR_OPT_TCP_SYN. The number of bytes or a negative error. Since Linux 5.10.
 */
static long (*const bpf_load_hdr_opt)(struct bpf_sock_ops *skops, void *searchby_res, __u32 len, __u64 flags) = (void *)142;

/*
 * Writes a TCP option, kind and length included, into the packet; flags must be 0. 0 or a negative error. Since Linux
 * 5.10.
 */
static long (*const bpf_store_hdr_opt)(struct bpf_sock_ops *skops, const void *from, __u32 len, __u64 flags) = (void *)143;

/* Reserves len bytes of the TCP header for options; flags must be 0. 0 or a negative error. Since Linux 5.10. */
static long (*const bpf_reserve_hdr_opt)(struct bpf_sock_ops *skops, __u32 len, __u64 flags) = (void *)144;

/*
 * An inode's value in a BPF_MAP_TYPE_INODE_STORAGE; with BPF_LOCAL_STORAGE_GET_F_CREATE a new one, a copy of value.
 * NULL if there is none. Since Linux 5.10.
 */
static void *(*const bpf_inode_storage_get)(void *map, void *inode, void *value, __u64 flags) = (void *)145;

/* Removes an inode's value from a BPF_MAP_TYPE_INODE_STORAGE. 0, or -ENOENT if there is none. Since Linux 5.10. */
static int (*const bpf_inode_storage_delete)(void *map, void *inode) = (void *)146;

/*
 * Writes the full name of a path to buf; only in functions that the kernel lists as safe for it. The length with its
 * NUL or a negative error. Since Linux 5.10.
 */
static long (*const bpf_d_path)(const struct path *path, char *buf, __u32 sz) = (void *)147;

/*
 * Copies size bytes of user memory to dst, and waits for pages that are not there; for programs that may sleep. 0, or a
 * negative error with dst zeroed. Since Linux 5.10.
 */
static long (*const bpf_copy_from_user)(void *dst, __u32 size, const void *user_ptr) = (void *)148;

/*
 * Writes the value that ptr and its BTF type id describe as text; flags: BTF_F_COMPACT, BTF_F_NONAME, BTF_F_PTR_RAW,
 * BTF_F_ZERO. The length of the whole text, even if it was cut, or a negative error. Since Linux 5.10.
 */
static long (*const bpf_snprintf_btf)(char *str, __u32 str_size, struct btf_ptr *ptr, __u32 btf_ptr_size, __u64 flags) = (void *)149;

/*
 * Prints the value that ptr and its BTF type id describe to the file of an iterator; flags as for bpf_snprintf_btf. 0
 * or a negative error. Since Linux 5.10.
 */
static long (*const bpf_seq_printf_btf)(struct seq_file *m, struct btf_ptr *ptr, __u32 ptr_size, __u64 flags) = (void *)150;

/* The class of the packet's sender, from the socket's own cgroup (v1); 0 without one. Since Linux 5.10. */
static __u64 (*const bpf_skb_cgroup_classid)(struct __sk_buff *skb) = (void *)151;

/*
 * Sends the packet to a device, with the MAC addresses of the neighbour or of the next hop in params; flags must be 0.
 * The verdict to return: TC_ACT_REDIRECT or TC_ACT_SHOT. Since Linux 5.10.
 */
static long (*const bpf_redirect_neigh)(__u32 ifindex, struct bpf_redir_neigh *params, int plen, __u64 flags) = (void *)152;

/* The copy of a per-CPU kernel variable for a CPU; NULL if there is no such CPU. Since Linux 5.10. */
static void *(*const bpf_per_cpu_ptr)(const void *percpu_ptr, __u32 cpu) = (void *)153;

/* The copy of a per-CPU kernel variable for the current CPU. Since Linux 5.10. */
static void *(*const bpf_this_cpu_ptr)(const void *percpu_ptr) = (void *)154;

/*
 * Sends the packet to the peer of a device in another network namespace, without a queue in between; flags must be 0.
 * The verdict to return: TC_ACT_REDIRECT or TC_ACT_SHOT. Since Linux 5.10.
 */
static long (*const bpf_redirect_peer)(__u32 ifindex, __u64 flags) = (void *)155;

/*
 * A task's value in a BPF_MAP_TYPE_TASK_STORAGE; with BPF_LOCAL_STORAGE_GET_F_CREATE a new one, a copy of value. NULL
 * if there is none. Since Linux 5.11.
 */
static void *(*const bpf_task_storage_get)(void *map, struct task_struct *task, void *value, __u64 flags) = (void *)156;

/* Removes a task's value from a BPF_MAP_TYPE_TASK_STORAGE. 0, or -ENOENT if there is none. Since Linux 5.11. */
static long (*const bpf_task_storage_delete)(void *map, struct task_struct *task) = (void *)157;

/* The current task, as a pointer whose fields can be read directly. Since Linux 5.11. */
static struct task_struct *(*const bpf_get_current_task_btf)(void) = (void *)158;

/* Sets options for a program that is being started: BPF_F_BPRM_SECUREEXEC. 0 or a negative error. Since Linux 5.11. */
static long (*const bpf_bprm_opts_set)(struct linux_binprm *bprm, __u64 flags) = (void *)159;

/* Nanoseconds since boot as of the last tick: faster and coarser than bpf_ktime_get_ns. Since Linux 5.11. */
static __u64 (*const bpf_ktime_get_coarse_ns)(void) = (void *)160;

/*
 * The hash of a file that IMA measured, copied to dst. The hash algorithm (enum hash_algo) or a negative error. Since
 * Linux 5.11.
 */
static long (*const bpf_ima_inode_hash)(struct inode *inode, void *dst, __u32 size) = (void *)161;

/* The socket of an open file; NULL if it is none. Since Linux 5.11. */
static struct socket *(*const bpf_sock_from_file)(struct file *file) = (void *)162;

/*
 * Checks a packet, with len_diff more or fewer bytes, against a device's MTU (0: its own), which is stored in mtu_len;
 * flags: 0 or BPF_MTU_CHK_SEGS. 0, a BPF_MTU_CHK_RET_* value, or a negative error. Since Linux 5.12.
 */
static long (*const bpf_check_mtu)(void *ctx, __u32 ifindex, __u32 *mtu_len, __s32 len_diff, __u64 flags) = (void *)163;

/*
 * Calls a function for each element of a map, with the map, key, value and callback_ctx, until it returns 1; flags must
 * be 0. The number of elements visited or a negative error. Since Linux 5.13.
 */
static long (*const bpf_for_each_map_elem)(void *map, void *callback_fn, void *callback_ctx, __u64 flags) = (void *)164;

/*
 * Formats text into str; the arguments are an array of 64-bit values, data_len bytes of them. BPF_SNPRINTF makes it.
 * The length of the whole text with its NUL, even if it was cut, or a negative error. Since Linux 5.13.
 */
static long (*const bpf_snprintf)(char *str, __u32 str_size, const char *fmt, __u64 *data, __u32 data_len) = (void *)165;

/* Calls bpf(2) from a program of type BPF_PROG_TYPE_SYSCALL. The call's result. Since Linux 5.14. */
static long (*const bpf_sys_bpf)(__u32 cmd, void *attr, __u32 attr_size) = (void *)166;

/*
 * Finds a kernel type by name and kind; flags must be 0. Its id in the lower 32 bits, a descriptor of the module's BTF
 * in the upper, or a negative error. Since Linux 5.14.
 */
static long (*const bpf_btf_find_by_name_kind)(char *name, int name_sz, __u32 kind, int flags) = (void *)167;

/* Closes a file descriptor from a program of type BPF_PROG_TYPE_SYSCALL. 0 or a negative error. Since Linux 5.14. */
static long (*const bpf_sys_close)(__u32 fd) = (void *)168;

/*
 * Prepares a timer in a value of a map; flags: CLOCK_MONOTONIC, CLOCK_REALTIME or CLOCK_BOOTTIME. 0 or a negative
 * error. Since Linux 5.15.
 */
static long (*const bpf_timer_init)(struct bpf_timer *timer, void *map, __u64 flags) = (void *)169;

/* Sets the function that a timer calls, with the map, key and value. 0 or a negative error. Since Linux 5.15. */
static long (*const bpf_timer_set_callback)(struct bpf_timer *timer, void *callback_fn) = (void *)170;

/*
 * Starts a timer that fires in so many nanoseconds; flags: 0, BPF_F_TIMER_ABS, BPF_F_TIMER_CPU_PIN. 0 or a negative
 * error. Since Linux 5.15.
 */
static long (*const bpf_timer_start)(struct bpf_timer *timer, __u64 nsecs, __u64 flags) = (void *)171;

/*
 * Stops a timer, and waits for its function to end. 1 if it was running, 0 if not, or a negative error. Since Linux
 * 5.15.
 */
static long (*const bpf_timer_cancel)(struct bpf_timer *timer) = (void *)172;

/* The address of the traced function; 0 for a probe inside of one. Since Linux 5.15. */
static __u64 (*const bpf_get_func_ip)(void *ctx) = (void *)173;

/* The number that user space gave this attachment; 0 if none. Since Linux 5.15. */
static __u64 (*const bpf_get_attach_cookie)(void *ctx) = (void *)174;

/* The address of a task's saved user registers (struct pt_regs). Since Linux 5.15. */
static long (*const bpf_task_pt_regs)(struct task_struct *task) = (void *)175;

/*
 * Copies the branches that the CPU recorded up to here, struct perf_branch_entry each; flags must be 0. The number of
 * bytes or a negative error. Since Linux 5.16.
 */
static long (*const bpf_get_branch_snapshot)(void *entries, __u32 size, __u64 flags) = (void *)176;

/*
 * As bpf_trace_printk, with any number of arguments as an array of 64-bit values, data_len bytes of them. bpf_printk
 * makes it. Bytes written or a negative error. Since Linux 5.16.
 */
static long (*const bpf_trace_vprintk)(const char *fmt, __u32 fmt_size, const void *data, __u32 data_len) = (void *)177;

/* The socket as a unix_sock; NULL if it is none. Since Linux 5.16. */
static struct unix_sock *(*const bpf_skc_to_unix_sock)(void *sk) = (void *)178;

/*
 * The address of a kernel symbol, stored in res; name_sz with the NUL, flags must be 0. 0 or a negative error. Since
 * Linux 5.16.
 */
static long (*const bpf_kallsyms_lookup_name)(const char *name, int name_sz, int flags, __u64 *res) = (void *)179;

/*
 * Calls a function for the memory area of a task at an address, with the task, the area and callback_ctx; flags must be
 * 0. 0, -ENOENT, -EBUSY or another negative error. Since Linux 5.17.
 */
static long (*const bpf_find_vma)(struct task_struct *task, __u64 addr, void *callback_fn, void *callback_ctx, __u64 flags) = (void *)180;

/*
 * Calls a function nr_loops times at most, with the round's number and callback_ctx, until it returns 1; flags must be
 * 0. The number of rounds or a negative error. Since Linux 5.17.
 */
static long (*const bpf_loop)(__u32 nr_loops, void *callback_fn, void *callback_ctx, __u64 flags) = (void *)181;

/*
 * Compares at most s1_sz bytes of a string with a constant one: negative, zero or positive, as strncmp. Since Linux
 * 5.17.
 */
static long (*const bpf_strncmp)(const char *s1, __u32 s1_sz, const char *s2) = (void *)182;

/*
 * An argument of the traced function, by number from 0, stored in value. 0, or -EINVAL if it has fewer. Since Linux
 * 5.17.
 */
static long (*const bpf_get_func_arg)(void *ctx, __u32 n, __u64 *value) = (void *)183;

/*
 * The result of the traced function, stored in value; for programs that run at its return. 0 or a negative error. Since
 * Linux 5.17.
 */
static long (*const bpf_get_func_ret)(void *ctx, __u64 *value) = (void *)184;

/* The number of arguments of the traced function. Since Linux 5.17. */
static long (*const bpf_get_func_arg_cnt)(void *ctx) = (void *)185;

/* The error that the system call will return, as set by cgroup programs so far; 0 if none. Since Linux 5.18. */
static int (*const bpf_get_retval)(void) = (void *)186;

/* Sets the error that the system call will return: a negative one, or 0. 0 or a negative error. Since Linux 5.18. */
static int (*const bpf_set_retval)(int retval) = (void *)187;

/* The length of the packet with all its fragments, in bytes. Since Linux 5.18. */
static __u64 (*const bpf_xdp_get_buff_len)(struct xdp_md *xdp_md) = (void *)188;

/*
 * Copies len bytes of a packet at an offset, also from its fragments, to buf. 0 or a negative error. Since Linux 5.18.
 */
static long (*const bpf_xdp_load_bytes)(struct xdp_md *xdp_md, __u32 offset, void *buf, __u32 len) = (void *)189;

/* Overwrites len bytes of a packet at an offset, also in its fragments. 0 or a negative error. Since Linux 5.18. */
static long (*const bpf_xdp_store_bytes)(struct xdp_md *xdp_md, __u32 offset, void *buf, __u32 len) = (void *)190;

/*
 * As bpf_copy_from_user, from the memory of another task; flags must be 0. 0, or a negative error with dst zeroed.
 * Since Linux 5.18.
 */
static long (*const bpf_copy_from_user_task)(void *dst, __u32 size, const void *user_ptr, struct task_struct *tsk, __u64 flags) = (void *)191;

/*
 * Sets the packet's time in nanoseconds of the clock that tstamp_type names: BPF_SKB_CLOCK_MONOTONIC or
 * BPF_SKB_CLOCK_TAI; BPF_SKB_CLOCK_REALTIME, with 0 as the time, clears it. 0 or a negative error. Since Linux 5.18.
 */
static long (*const bpf_skb_set_tstamp)(struct __sk_buff *skb, __u64 tstamp, __u32 tstamp_type) = (void *)192;

/*
 * The hash of a file, measured by IMA if need be, copied to dst; for programs that may sleep. The hash algorithm (enum
 * hash_algo) or a negative error. Since Linux 5.18.
 */
static long (*const bpf_ima_file_hash)(struct file *file, void *dst, __u32 size) = (void *)193;

/*
 * Puts a pointer with its reference into a kptr field of a map's value, and takes out the old one, which may be NULL.
 * Since Linux 5.19.
 */
static void *(*const bpf_kptr_xchg)(void *dst, void *ptr) = (void *)194;

/* The value of a key for one CPU, in a per-CPU map; NULL if the key or the CPU is absent. Since Linux 5.19. */
static void *(*const bpf_map_lookup_percpu_elem)(void *map, const void *key, __u32 cpu) = (void *)195;

/* The socket as an mptcp_sock; NULL if it is none. Since Linux 5.19. */
static struct mptcp_sock *(*const bpf_skc_to_mptcp_sock)(void *sk) = (void *)196;

/*
 * Makes a dynptr of size bytes of a map's value; flags must be 0. 0, or a negative error with an invalid dynptr. Since
 * Linux 5.19.
 */
static long (*const bpf_dynptr_from_mem)(void *data, __u64 size, __u64 flags, struct bpf_dynptr *ptr) = (void *)197;

/*
 * Reserves a record whose size is not known in advance, as a dynptr to be submitted or discarded even if this fails;
 * flags must be 0. 0 or a negative error. Since Linux 5.19.
 */
static long (*const bpf_ringbuf_reserve_dynptr)(void *ringbuf, __u32 size, __u64 flags, struct bpf_dynptr *ptr) = (void *)198;

/* Publishes the record of a dynptr; flags as for bpf_ringbuf_submit. Since Linux 5.19. */
static void (*const bpf_ringbuf_submit_dynptr)(struct bpf_dynptr *ptr, __u64 flags) = (void *)199;

/* Gives up the record of a dynptr; flags as for bpf_ringbuf_submit. Since Linux 5.19. */
static void (*const bpf_ringbuf_discard_dynptr)(struct bpf_dynptr *ptr, __u64 flags) = (void *)200;

/*
 * Copies len bytes out of a dynptr at an offset; flags must be 0. 0, or a negative error (-E2BIG past its end). Since
 * Linux 5.19.
 */
static long (*const bpf_dynptr_read)(void *dst, __u64 len, const struct bpf_dynptr *src, __u64 offset, __u64 flags) = (void *)201;

/*
 * Copies len bytes into a dynptr at an offset; flags: 0, or for packets those of bpf_skb_store_bytes. 0, or a negative
 * error (-E2BIG past its end). Since Linux 5.19.
 */
static long (*const bpf_dynptr_write)(const struct bpf_dynptr *dst, __u64 offset, void *src, __u64 len, __u64 flags) = (void *)202;

/*
 * A pointer to len bytes of a dynptr at an offset, len being a constant; NULL if they are not there, or not writable.
 * Since Linux 5.19.
 */
static void *(*const bpf_dynptr_data)(const struct bpf_dynptr *ptr, __u64 offset, __u64 len) = (void *)203;

/*
 * A SYN cookie for the IPv4 and TCP headers of a SYN, without a socket, as bpf_tcp_gen_syncookie gives it. Since Linux
 * 6.0.
 */
static __s64 (*const bpf_tcp_raw_gen_syncookie_ipv4)(struct iphdr *iph, struct tcphdr *th, __u32 th_len) = (void *)204;

/*
 * A SYN cookie for the IPv6 and TCP headers of a SYN, without a socket, as bpf_tcp_gen_syncookie gives it. Since Linux
 * 6.0.
 */
static __s64 (*const bpf_tcp_raw_gen_syncookie_ipv6)(struct ipv6hdr *iph, struct tcphdr *th, __u32 th_len) = (void *)205;

/*
 * Whether the IPv4 and TCP headers acknowledge a valid SYN cookie: 0 if they do, otherwise a negative error. Since
 * Linux 6.0.
 */
static long (*const bpf_tcp_raw_check_syncookie_ipv4)(struct iphdr *iph, struct tcphdr *th) = (void *)206;

/*
 * Whether the IPv6 and TCP headers acknowledge a valid SYN cookie: 0 if they do, otherwise a negative error. Since
 * Linux 6.0.
 */
static long (*const bpf_tcp_raw_check_syncookie_ipv6)(struct ipv6hdr *iph, struct tcphdr *th) = (void *)207;

/* Nanoseconds of international atomic time (CLOCK_TAI), which has no leap seconds. Since Linux 6.1. */
static __u64 (*const bpf_ktime_get_tai_ns)(void) = (void *)208;

/*
 * Calls a function for each record in a user ring buffer, with a dynptr and ctx, until it returns 1; flags: 0,
 * BPF_RB_NO_WAKEUP or BPF_RB_FORCE_WAKEUP. The number of records or a negative error. Since Linux 6.1.
 */
static long (*const bpf_user_ringbuf_drain)(void *map, void *callback_fn, void *ctx, __u64 flags) = (void *)209;

/*
 * A cgroup's value in a BPF_MAP_TYPE_CGRP_STORAGE; with BPF_LOCAL_STORAGE_GET_F_CREATE a new one, a copy of value. NULL
 * if there is none. Since Linux 6.2.
 */
static void *(*const bpf_cgrp_storage_get)(void *map, struct cgroup *cgroup, void *value, __u64 flags) = (void *)210;

/* Removes a cgroup's value from a BPF_MAP_TYPE_CGRP_STORAGE. 0, or -ENOENT if there is none. Since Linux 6.2. */
static long (*const bpf_cgrp_storage_delete)(void *map, struct cgroup *cgroup) = (void *)211;

#endif
