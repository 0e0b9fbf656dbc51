// Histograms in powers of two: slot 0 counts 0 and 1, slot n counts 2^n to 2^(n+1) - 1.
#pragma once
#include "bpf.h"

// The position of the highest bit, by halving: the verifier likes it better than a loop.
static __inline u32 log2(u64 value)
{
	u32 log = 0;

	for (u32 half = 32; half; half /= 2) {
		if (value >> half) {
			value >>= half;
			log += half;
		}
	}
	return log;
}
