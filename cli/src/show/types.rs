//! Raw types, line by line and as JSON: the output of `bpftool btf dump` and `bpftool -j btf dump`, byte for byte.

use rawbpf::TypeId;
use rawbpf::btf::{Btf, Kind, Linkage, Type};
use std::io::{self, Write};

/// Prints these types, or all (except those of the base) if there are none.
pub(crate) fn print_raw(out: &mut impl Write, btf: &Btf<'_>, roots: &[TypeId]) -> io::Result<()> {
    each(btf, roots, |_, ty| raw(out, &ty))
}

/// The same on one line of JSON.
pub(crate) fn print_json(out: &mut impl Write, btf: &Btf<'_>, roots: &[TypeId]) -> io::Result<()> {
    out.write_all(b"{\"types\":[")?;
    each(btf, roots, |index, ty| {
        out.write_all(if index == 0 { b"" } else { b"," })?;
        let mut object = Object::new(out)?;
        json(&mut object, &ty)?;
        object.end()
    })?;
    out.write_all(b"]}\n")
}

fn each<'b>(
    btf: &'b Btf<'_>,
    roots: &[TypeId],
    mut print: impl FnMut(usize, Type<'b>) -> io::Result<()>,
) -> io::Result<()> {
    if roots.is_empty() {
        let mut types = btf.types().enumerate();
        return types.try_for_each(|(index, ty)| print(index, ty));
    }
    let types = roots.iter().filter_map(|id| btf.get(*id).ok());
    let mut types = types.enumerate();
    types.try_for_each(|(index, ty)| print(index, ty))
}

fn name(text: &str) -> &str {
    if text.is_empty() { "(anon)" } else { text }
}

fn encoding(ty: &Type<'_>) -> &'static str {
    match ty.int_encoding().map_or(0, |encoding| encoding.flags) {
        0 => "(none)",
        1 => "SIGNED",
        2 => "CHAR",
        4 => "BOOL",
        _ => "UNKN",
    }
}

fn sign(ty: &Type<'_>) -> &'static str {
    if ty.kflag() { "SIGNED" } else { "UNSIGNED" }
}

fn linkage(ty: &Type<'_>) -> &'static str {
    match ty.linkage() {
        Some(Linkage::Static) => "static",
        Some(Linkage::Global) => "global",
        Some(Linkage::Extern) => "extern",
        _ => "(unknown)",
    }
}

fn fwd_kind(ty: &Type<'_>) -> &'static str {
    if ty.kflag() { "union" } else { "struct" }
}

fn raw(out: &mut impl Write, ty: &Type<'_>) -> io::Result<()> {
    write!(out, "[{}] {} '{}'", ty.id(), ty.kind(), name(ty.name()))?;
    let (size, vlen) = (ty.size_field(), ty.vlen());
    match ty.kind() {
        Kind::Int => {
            let (offset, bits) = ty.int_encoding().map_or((0, 0), |e| (e.offset, e.bits));
            let encoding = encoding(ty);
            write!(
                out,
                " size={size} bits_offset={offset} nr_bits={bits} encoding={encoding}"
            )?;
        }
        Kind::Array => {
            if let Some(array) = ty.array() {
                let (element, index, len) = (array.element, array.index, array.len);
                write!(
                    out,
                    " type_id={element} index_type_id={index} nr_elems={len}"
                )?;
            }
        }
        Kind::Struct | Kind::Union => {
            write!(out, " size={size} vlen={vlen}")?;
            for member in ty.members() {
                let (name, id, offset) = (name(member.name), member.type_id, member.bit_offset);
                write!(out, "\n\t'{name}' type_id={id} bits_offset={offset}")?;
                if member.bitfield_size != 0 {
                    write!(out, " bitfield_size={}", member.bitfield_size)?;
                }
            }
        }
        Kind::Enum | Kind::Enum64 => {
            write!(out, " encoding={} size={size} vlen={vlen}", sign(ty))?;
            for constant in ty.enumerators() {
                let (name, value) = (name(constant.name), constant.value);
                match (ty.kind(), ty.kflag()) {
                    (Kind::Enum, _) => write!(out, "\n\t'{name}' val={value}")?,
                    (_, true) => write!(out, "\n\t'{name}' val={value}LL")?,
                    (_, false) => write!(out, "\n\t'{name}' val={}ULL", value.cast_unsigned())?,
                }
            }
        }
        Kind::Fwd => write!(out, " fwd_kind={}", fwd_kind(ty))?,
        Kind::Func => write!(out, " type_id={size} linkage={}", linkage(ty))?,
        Kind::FuncProto => {
            write!(out, " ret_type_id={size} vlen={vlen}")?;
            for param in ty.params() {
                write!(out, "\n\t'{}' type_id={}", name(param.name), param.type_id)?;
            }
        }
        Kind::Var => write!(out, " type_id={size}, linkage={}", linkage(ty))?,
        Kind::Datasec => {
            write!(out, " size={size} vlen={vlen}")?;
            for variable in ty.variables() {
                let (id, offset, size) = (variable.type_id, variable.offset, variable.size);
                write!(out, "\n\ttype_id={id} offset={offset} size={size}")?;
                if let Ok(of) = ty.btf().get(id) {
                    write!(out, " ({} '{}')", of.kind(), name(of.name()))?;
                }
            }
        }
        Kind::Float => write!(out, " size={size}")?,
        Kind::DeclTag => write!(out, " type_id={size} component_idx={}", component(ty))?,
        _ => write!(out, " type_id={size}")?,
    }
    writeln!(out)
}

/// The index of the tagged member; -1 for the whole declaration.
fn component(ty: &Type<'_>) -> i64 {
    ty.tag_component().map_or(-1, i64::from)
}

fn json<W: Write>(object: &mut Object<'_, W>, ty: &Type<'_>) -> io::Result<()> {
    object.number("id", ty.id().0)?;
    object.text("kind", ty.kind().name())?;
    object.text("name", name(ty.name()))?;
    let (size, vlen) = (ty.size_field(), ty.vlen());
    match ty.kind() {
        Kind::Int => {
            let (offset, bits) = ty.int_encoding().map_or((0, 0), |e| (e.offset, e.bits));
            object.number("size", size)?;
            object.number("bits_offset", offset)?;
            object.number("nr_bits", bits)?;
            object.text("encoding", encoding(ty))
        }
        Kind::Array => {
            let Some(array) = ty.array() else {
                return Ok(());
            };
            object.number("type_id", array.element.0)?;
            object.number("index_type_id", array.index.0)?;
            object.number("nr_elems", array.len)
        }
        Kind::Struct | Kind::Union => {
            object.number("size", size)?;
            object.number("vlen", vlen)?;
            object.list("members", ty.members(), |object, member| {
                object.text("name", name(member.name))?;
                object.number("type_id", member.type_id.0)?;
                object.number("bits_offset", member.bit_offset)?;
                match member.bitfield_size {
                    0 => Ok(()),
                    bits => object.number("bitfield_size", bits),
                }
            })
        }
        Kind::Enum | Kind::Enum64 => {
            object.text("encoding", sign(ty))?;
            object.number("size", size)?;
            object.number("vlen", vlen)?;
            let unsigned = ty.kind() == Kind::Enum64 && !ty.kflag();
            object.list("values", ty.enumerators(), |object, constant| {
                object.text("name", name(constant.name))?;
                if unsigned {
                    object.number("val", constant.value.cast_unsigned())
                } else {
                    object.number("val", constant.value)
                }
            })
        }
        Kind::Fwd => object.text("fwd_kind", fwd_kind(ty)),
        Kind::Func | Kind::Var => {
            object.number("type_id", size)?;
            object.text("linkage", linkage(ty))
        }
        Kind::FuncProto => {
            object.number("ret_type_id", size)?;
            object.number("vlen", vlen)?;
            object.list("params", ty.params(), |object, param| {
                object.text("name", name(param.name))?;
                object.number("type_id", param.type_id.0)
            })
        }
        Kind::Datasec => {
            object.number("size", size)?;
            object.number("vlen", vlen)?;
            object.list("vars", ty.variables(), |object, variable| {
                object.number("type_id", variable.type_id.0)?;
                object.number("offset", variable.offset)?;
                object.number("size", variable.size)
            })
        }
        Kind::Float => object.number("size", size),
        Kind::DeclTag => {
            object.number("type_id", size)?;
            object.number("component_idx", component(ty))
        }
        _ => object.number("type_id", size),
    }
}

/// A JSON object that is written incrementally.
struct Object<'o, W> {
    out: &'o mut W,
    is_empty: bool,
}

impl<'o, W: Write> Object<'o, W> {
    fn new(out: &'o mut W) -> io::Result<Self> {
        out.write_all(b"{")?;
        Ok(Self {
            out,
            is_empty: true,
        })
    }

    fn key(&mut self, key: &str) -> io::Result<()> {
        let comma = if self.is_empty { "" } else { "," };
        self.is_empty = false;
        write!(self.out, "{comma}\"{key}\":")
    }

    fn number(&mut self, key: &str, number: impl std::fmt::Display) -> io::Result<()> {
        self.key(key)?;
        write!(self.out, "{number}")
    }

    fn text(&mut self, key: &str, text: &str) -> io::Result<()> {
        self.key(key)?;
        Ok(serde_json::to_writer(&mut *self.out, text)?)
    }

    fn list<T>(
        &mut self,
        key: &str,
        elements: impl Iterator<Item = T>,
        mut print: impl FnMut(&mut Object<'_, W>, T) -> io::Result<()>,
    ) -> io::Result<()> {
        self.key(key)?;
        self.out.write_all(b"[")?;
        for (index, element) in elements.enumerate() {
            self.out.write_all(if index == 0 { b"" } else { b"," })?;
            let mut object = Object::new(&mut *self.out)?;
            print(&mut object, element)?;
            object.end()?;
        }
        self.out.write_all(b"]")
    }

    fn end(self) -> io::Result<()> {
        self.out.write_all(b"}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rawbpf::btf::{
        BtfBuilder, Enumerator, FwdKind, IntEncoding, Member, Signedness, VarSecinfo,
    };

    /// One type of each kind.
    fn types() -> Btf<'static> {
        let mut b = BtfBuilder::new();
        let int = b.add_int("int", 4, IntEncoding::SIGNED);
        b.add_array(int, int, 3);
        let ptr = b.add_ptr(int);
        let members = [
            Member::new("a", int, 0).bitfield(3),
            Member::new("", ptr, 64),
        ];
        let point = b.add_struct("point", 16, members);
        b.add_enum("e", 4, Signedness::Signed, [Enumerator::new("MINUS", -1)]);
        b.add_enum64("w", 8, Signedness::Unsigned, [Enumerator::new("MOST", -1)]);
        b.add_fwd("later", FwdKind::Union);
        let proto = b.add_func_proto(int, [("p", ptr)]);
        let function = b.add_func("f", Linkage::Global, proto);
        let variable = b.add_var("v", Linkage::Static, point);
        let place = VarSecinfo {
            type_id: variable,
            offset: 8,
            size: 16,
        };
        b.add_datasec(".data", 24, &[place]);
        b.add_float("double", 8);
        b.add_decl_tag("tag", function, Some(0));
        b.add_decl_tag("whole", function, None);
        b.add_const(int);
        b.build().unwrap()
    }

    #[test]
    fn each_kind_has_its_line() {
        let mut out = Vec::new();
        print_raw(&mut out, &types(), &[]).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED\n\
             [2] ARRAY '(anon)' type_id=1 index_type_id=1 nr_elems=3\n\
             [3] PTR '(anon)' type_id=1\n\
             [4] STRUCT 'point' size=16 vlen=2\n\t'a' type_id=1 bits_offset=0 bitfield_size=3\n\t'(anon)' type_id=3 bits_offset=64\n\
             [5] ENUM 'e' encoding=SIGNED size=4 vlen=1\n\t'MINUS' val=-1\n\
             [6] ENUM64 'w' encoding=UNSIGNED size=8 vlen=1\n\t'MOST' val=18446744073709551615ULL\n\
             [7] FWD 'later' fwd_kind=union\n\
             [8] FUNC_PROTO '(anon)' ret_type_id=1 vlen=1\n\t'p' type_id=3\n\
             [9] FUNC 'f' type_id=8 linkage=global\n\
             [10] VAR 'v' type_id=4, linkage=static\n\
             [11] DATASEC '.data' size=24 vlen=1\n\ttype_id=10 offset=8 size=16 (VAR 'v')\n\
             [12] FLOAT 'double' size=8\n\
             [13] DECL_TAG 'tag' type_id=9 component_idx=0\n\
             [14] DECL_TAG 'whole' type_id=9 component_idx=-1\n\
             [15] CONST '(anon)' type_id=1\n"
        );
    }

    #[test]
    fn json_says_the_same() {
        let mut out = Vec::new();
        print_json(&mut out, &types(), &[TypeId(4), TypeId(6)]).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"types\":[{\"id\":4,\"kind\":\"STRUCT\",\"name\":\"point\",\"size\":16,\"vlen\":2,\"members\":[\
             {\"name\":\"a\",\"type_id\":1,\"bits_offset\":0,\"bitfield_size\":3},\
             {\"name\":\"(anon)\",\"type_id\":3,\"bits_offset\":64}]},\
             {\"id\":6,\"kind\":\"ENUM64\",\"name\":\"w\",\"encoding\":\"UNSIGNED\",\"size\":8,\"vlen\":1,\"values\":[\
             {\"name\":\"MOST\",\"val\":18446744073709551615}]}]}\n"
        );
        let mut out = Vec::new();
        print_json(&mut out, &types(), &[]).unwrap();
        let all: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(all["types"].as_array().unwrap().len(), 15);
    }
}
