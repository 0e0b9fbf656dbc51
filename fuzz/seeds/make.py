"""Writes seeds of small formats into the folder that is given: python3 make.py CORPUS."""

import pathlib
import struct
import sys
import zipfile

corpus = pathlib.Path(sys.argv[1])


def seed(target, name, content):
    folder = corpus / target
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def archive(compression):
    path = corpus / "zip" / "archive"
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", compression) as file:
        for name in ("lib/first.so", "lib/second.so"):
            file.writestr(zipfile.ZipInfo(name), name * 8, compression)
    content = path.read_bytes()
    path.unlink()
    return content


def ld_cache(entries):
    """The layout of glibc's `struct cache_file_new`."""
    head = 48 + 24 * len(entries)
    table, texts = b"", b""
    for name, path in entries:
        offsets = []
        for text in (name, path):
            offsets.append(head + len(texts))
            texts += text.encode() + b"\0"
        table += struct.pack("<iIIIQ", 0x303, *offsets, 0, 0)
    return b"glibc-ld.so.cache1.1" + struct.pack("<II20x", len(entries), len(texts)) + table + texts


seed("zip", "stored", b"lib/second.so\n" + archive(zipfile.ZIP_STORED))
seed("zip", "deflated", b"lib/first.so\n" + archive(zipfile.ZIP_DEFLATED))
libraries = [("libc.so.6", "/lib/x86_64-linux-gnu/libc.so.6"), ("libz.so.1", "/usr/lib/libz.so.1")]
seed("ld_cache", "two", b"libz.so.1\n" + ld_cache(libraries))
seed("kallsyms", "few", "ffffffff81000000 T _text\nffffffff81000100 t vfs_read\nffffffffc0000000 t probe\t[module]\n")
seed("kallsyms", "hidden", "0000000000000000 T _text\n0000000000000000 D jiffies\n")
seed("kconfig", "some", '# a comment\nCONFIG_HZ=250\nCONFIG_BPF=y\nCONFIG_MODULE=m\nCONFIG_LOCALVERSION="-x"\nCONFIG_BASE=0xff\n')
seed("usdt_args", "x86_64", "-4@%edi 8@-8(%rbp,%rax,4) 1@$3 8@var(%rip)")
seed("usdt_args", "others", "-8@[sp, 24] 8@x0 -4@40(a1) 8@%r2 8@160(%r15)")
seed("fdinfo", "arena", "pos:\t0\nmap_type:\t33\nkey_size:\t0\nvalue_size:\t0\nmax_entries:\t100\nmap_flags:\t0x400\nmap_extra:\t0x100000000000\n")
for name in ("globals", "maps"):
    types = (corpus / "btf" / name).read_bytes()
    seed("value", name, struct.pack("<H", len(types)) + types + bytes(range(256)))
