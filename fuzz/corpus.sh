#!/bin/sh
# Makes the seed corpora anew from the fixtures: whole objects for elf_open, their sections .BTF and .BTF.ext for the others.
# Needs llvm-objcopy (any version; OBJCOPY names another).
set -eu
cd "$(dirname "$0")"
objcopy=${OBJCOPY:-llvm-objcopy-19}
rm -rf corpus && mkdir -p corpus/elf_open corpus/btf corpus/btf_ext
for name in arena big_endian globals kconfig kfunc maps struct_ops subprogs; do
    object=../fixtures/$name.bpf.o
    cp "$object" "corpus/elf_open/$name"
    "$objcopy" --dump-section .BTF="corpus/btf/$name" --dump-section .BTF.ext="corpus/btf_ext/$name" "$object" /dev/null
done
