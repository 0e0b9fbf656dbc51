/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Numbers in the byte order of the network, big-endian.
 *
 * Whether this program's order is another is for the compiler to say: programs are compiled for machines of either kind.
 */
#ifndef __BPF_ENDIAN__
#define __BPF_ENDIAN__

/* By arithmetic, which compilers do at once where the number is a constant: also where C requires one. */
#define ___bpf_byte(type, x, from, to) ((type)(((type)(x) >> (8 * (from)) & 0xff) << (8 * (to))))
#define ___bpf_swab16(x) \
	((unsigned short)(___bpf_byte(unsigned short, x, 0, 1) | ___bpf_byte(unsigned short, x, 1, 0)))
#define ___bpf_swab32(x) \
	(___bpf_byte(unsigned int, x, 0, 3) | ___bpf_byte(unsigned int, x, 1, 2) | \
	 ___bpf_byte(unsigned int, x, 2, 1) | ___bpf_byte(unsigned int, x, 3, 0))
#define ___bpf_swab64(x) \
	(___bpf_byte(unsigned long long, x, 0, 7) | ___bpf_byte(unsigned long long, x, 1, 6) | \
	 ___bpf_byte(unsigned long long, x, 2, 5) | ___bpf_byte(unsigned long long, x, 3, 4) | \
	 ___bpf_byte(unsigned long long, x, 4, 3) | ___bpf_byte(unsigned long long, x, 5, 2) | \
	 ___bpf_byte(unsigned long long, x, 6, 1) | ___bpf_byte(unsigned long long, x, 7, 0))

/* Of constants, and, by an instruction, of other numbers. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define __bpf_constant_htons(x) ___bpf_swab16(x)
#define __bpf_constant_htonl(x) ___bpf_swab32(x)
#define __bpf_constant_cpu_to_be64(x) ___bpf_swab64(x)
#define __bpf_htons(x) __builtin_bswap16(x)
#define __bpf_htonl(x) __builtin_bswap32(x)
#define __bpf_cpu_to_be64(x) __builtin_bswap64(x)
#elif __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define __bpf_constant_htons(x) (x)
#define __bpf_constant_htonl(x) (x)
#define __bpf_constant_cpu_to_be64(x) (x)
#define __bpf_htons(x) (x)
#define __bpf_htonl(x) (x)
#define __bpf_cpu_to_be64(x) (x)
#else
#error "the compiler does not say which byte order it compiles for"
#endif

/* To the network's order. */
#define bpf_htons(x) (__builtin_constant_p(x) ? __bpf_constant_htons(x) : __bpf_htons(x))
#define bpf_htonl(x) (__builtin_constant_p(x) ? __bpf_constant_htonl(x) : __bpf_htonl(x))
#define bpf_cpu_to_be64(x) (__builtin_constant_p(x) ? __bpf_constant_cpu_to_be64(x) : __bpf_cpu_to_be64(x))

/* And back, which is the same. */
#define __bpf_constant_ntohs(x) __bpf_constant_htons(x)
#define __bpf_constant_ntohl(x) __bpf_constant_htonl(x)
#define __bpf_constant_be64_to_cpu(x) __bpf_constant_cpu_to_be64(x)
#define __bpf_ntohs(x) __bpf_htons(x)
#define __bpf_ntohl(x) __bpf_htonl(x)
#define __bpf_be64_to_cpu(x) __bpf_cpu_to_be64(x)
#define bpf_ntohs(x) bpf_htons(x)
#define bpf_ntohl(x) bpf_htonl(x)
#define bpf_be64_to_cpu(x) bpf_cpu_to_be64(x)

#endif
