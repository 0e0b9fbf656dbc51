#!/bin/sh
# Rebuilds the seed corpora from the fixtures and from `seeds`. Needs llvm-objcopy (any version; OBJCOPY names another), gcc
# for x86-64 and python3.
set -eu
cd "$(dirname "$0")"
objcopy=${OBJCOPY:-llvm-objcopy-19}
rm -rf corpus && mkdir -p corpus
mkdir corpus/elf_open corpus/btf corpus/btf_ext
ln -s btf corpus/definitions
for name in arena big_endian globals kconfig kfunc maps struct_ops subprogs; do
    object=../fixtures/$name.bpf.o
    cp "$object" "corpus/elf_open/$name"
    "$objcopy" --dump-section .BTF="corpus/btf/$name" --dump-section .BTF.ext="corpus/btf_ext/$name" "$object" /dev/null
done
mkdir corpus/linker
cp ../fixtures/parts/*.o corpus/linker
# A 928 MiB section of zeros, with a variable that is read.
cp seeds/huge_bss_variable corpus/elf_open
mkdir corpus/verifier_log
cp ../fixtures/logs/*.log corpus/verifier_log
mkdir corpus/user_elf
cc -Os -nostdlib -shared -fPIC -Wl,--build-id,--hash-style=both,-z,noseparate-code -o corpus/user_elf/library seeds/probes.c
cc -Os -nostdlib -shared -fPIC -s -Wl,-z,noseparate-code -o corpus/user_elf/stripped seeds/probes.c
mkdir corpus/dwarf
for version in 2 3 4 5; do
    cc -O2 -gdwarf-$version -ffile-prefix-map="$PWD"=. -nostdlib -shared -fPIC -Wl,-z,noseparate-code -o corpus/dwarf/library$version seeds/inlined.c
done
cc -O2 -g -gz -ffile-prefix-map="$PWD"=. -c -o corpus/dwarf/object seeds/inlined.c
python3 seeds/make.py corpus
