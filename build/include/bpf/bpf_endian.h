/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Numbers in the byte order of the network, big-endian.
 *
 * Whether this program's order is another is for the compiler to say: programs are compiled for machines of either kind. The
 * compiler swaps the bytes of constants by itself, so that these also fit where C requires one.
 */
#ifndef __BPF_ENDIAN__
#define __BPF_ENDIAN__

#define ___bpf_swab16(x) ((unsigned short)__builtin_bswap16(x))
#define ___bpf_swab32(x) ((unsigned int)__builtin_bswap32(x))
#define ___bpf_swab64(x) ((unsigned long long)__builtin_bswap64(x))

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ___bpf_be16(x) ___bpf_swab16(x)
#define ___bpf_be32(x) ___bpf_swab32(x)
#define ___bpf_be64(x) ___bpf_swab64(x)
#elif __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define ___bpf_be16(x) (x)
#define ___bpf_be32(x) (x)
#define ___bpf_be64(x) (x)
#else
#error "the compiler does not say which byte order it compiles for"
#endif

/* To the network's order and back, which is the same. */
#define bpf_htons(x) ___bpf_be16(x)
#define bpf_ntohs(x) ___bpf_be16(x)
#define bpf_htonl(x) ___bpf_be32(x)
#define bpf_ntohl(x) ___bpf_be32(x)
#define bpf_cpu_to_be64(x) ___bpf_be64(x)
#define bpf_be64_to_cpu(x) ___bpf_be64(x)

/* Names for constants and for other values, of the time when they differed. */
#define __bpf_htons(x) ___bpf_be16(x)
#define __bpf_ntohs(x) ___bpf_be16(x)
#define __bpf_htonl(x) ___bpf_be32(x)
#define __bpf_ntohl(x) ___bpf_be32(x)
#define __bpf_cpu_to_be64(x) ___bpf_be64(x)
#define __bpf_be64_to_cpu(x) ___bpf_be64(x)
#define __bpf_constant_htons(x) ___bpf_be16(x)
#define __bpf_constant_ntohs(x) ___bpf_be16(x)
#define __bpf_constant_htonl(x) ___bpf_be32(x)
#define __bpf_constant_ntohl(x) ___bpf_be32(x)
#define __bpf_constant_cpu_to_be64(x) ___bpf_be64(x)
#define __bpf_constant_be64_to_cpu(x) ___bpf_be64(x)

#endif
