/* A library with a few functions and a USDT probe, as small as linkers make them. */
__asm__(
    ".pushsection .note.stapsdt,\"\",@note\n"
    ".balign 4\n"
    ".4byte 8, 2f - 1f, 3\n"
    ".asciz \"stapsdt\"\n"
    "1: .8byte probe, _.stapsdt.base, 0\n"
    ".asciz \"provider\"\n"
    ".asciz \"probe\"\n"
    ".asciz \"-4@%edi 8@-8(%rbp,%rax,4) 1@$3\"\n"
    "2: .balign 4\n"
    ".popsection\n"
    ".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n"
    ".weak _.stapsdt.base\n"
    ".hidden _.stapsdt.base\n"
    "_.stapsdt.base: .space 1\n"
    ".popsection\n");

int twice(int value)
{
	__asm__ volatile("probe: nop" ::"D"(value));
	return value + value;
}

int thrice(int value)
{
	return twice(value) + value;
}
