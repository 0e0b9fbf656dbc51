//! The layout of an object's specs, taken from its own types because there are several versions of `usdt.bpf.h`.

use crate::btf::{Btf, BtfError, Type};
use crate::elf::usdt::{ArgPlace, UsdtArg};
use crate::{Error, ErrorKind, Result, TypeId};

/// The offsets of the fields of `struct __bpf_usdt_spec`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpecLayout {
    /// The size of a whole spec in bytes.
    size: u32,
    args: ArgsLayout,
    cookie: Field,
    arg_cnt: Field,
}

/// The offsets of the fields of `struct __bpf_usdt_arg_spec`, relative to its start.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ArgsLayout {
    /// The bit offset of the first argument.
    start: u32,
    /// The distance between two arguments, in bits.
    stride: u32,
    count: u32,
    val_off: Field,
    arg_type: Field,
    reg_off: Field,
    arg_signed: Field,
    arg_bitshift: Field,
    /// `idx_reg_off` and `scale_bitshift`, which `usdt.bpf.h` has since libbpf 1.7.
    index: Option<(Field, Field)>,
}

/// A range of bits in a struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    start: u32,
    len: u32,
}

impl SpecLayout {
    /// Reads the layout from the type of the map's values.
    ///
    /// # Errors
    /// `InvalidObject` if the type is not such a struct.
    pub(super) fn from_type(btf: &Btf<'_>, id: TypeId) -> Result<Self> {
        let spec = struct_of(btf, id).map_err(Error::from)?;
        let Some(args) = spec.members().find(|member| member.name == "args") else {
            return Err(no_field("args"));
        };
        let array = btf.get(args.type_id).and_then(|ty| ty.resolved());
        let array = array
            .map_err(Error::from)?
            .array()
            .ok_or_else(|| no_field("args"))?;
        let arg = struct_of(btf, array.element).map_err(Error::from)?;
        let index = match (field(&arg, "idx_reg_off"), field(&arg, "scale_bitshift")) {
            (Ok(register), Ok(scale)) => Some((register, scale)),
            _ => None,
        };
        let layout = Self {
            size: spec.size_field(),
            args: ArgsLayout {
                start: args.bit_offset,
                stride: arg.size_field().saturating_mul(8),
                count: array.len,
                val_off: field(&arg, "val_off")?,
                arg_type: field(&arg, "arg_type")?,
                reg_off: field(&arg, "reg_off")?,
                arg_signed: field(&arg, "arg_signed")?,
                arg_bitshift: field(&arg, "arg_bitshift")?,
                index,
            },
            cookie: field(&spec, "usdt_cookie")?,
            arg_cnt: field(&spec, "arg_cnt")?,
        };
        Ok(layout)
    }

    /// Encodes a spec.
    ///
    /// # Errors
    /// `Unsupported` if the object's header does not support such an argument, or so many arguments.
    #[doc(alias = "parse_usdt_spec")]
    pub(super) fn encode(&self, args: &[UsdtArg], cookie: u64) -> Result<Vec<u8>> {
        let count = u32::try_from(args.len()).unwrap_or(u32::MAX);
        if count > self.args.count {
            let message = format!(
                "the probe has {count} arguments, the object has room for {}",
                self.args.count
            );
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let mut bytes = vec![0; usize::try_from(self.size).unwrap_or(0)];
        let mut start = self.args.start;
        for arg in args {
            self.args.encode(&mut bytes, start, arg)?;
            start = start.saturating_add(self.args.stride);
        }
        put(&mut bytes, 0, self.cookie, cookie);
        put(&mut bytes, 0, self.arg_cnt, count.into());
        Ok(bytes)
    }
}

impl ArgsLayout {
    fn encode(&self, bytes: &mut [u8], start: u32, arg: &UsdtArg) -> Result<()> {
        // The first number is an `enum __bpf_usdt_arg_type`.
        let (kind, value, register) = match arg.place {
            ArgPlace::Constant(value) => (0, value, 0),
            ArgPlace::Register(register) => (1, 0, register),
            ArgPlace::Memory { base, offset } => (2, offset, base),
            ArgPlace::Indexed { base, offset, .. } => (3, offset, base),
        };
        if let ArgPlace::Indexed { index, shift, .. } = arg.place {
            let (index_field, scale_field) = self.index.ok_or_else(index_unknown)?;
            put(bytes, start, index_field, index.into());
            put(bytes, start, scale_field, shift.into());
        }
        put(bytes, start, self.val_off, value.cast_unsigned());
        put(bytes, start, self.arg_type, kind);
        put(bytes, start, self.reg_off, register.into());
        put(bytes, start, self.arg_signed, arg.signed.into());
        let unused_bits = 64u64.saturating_sub(u64::from(arg.size) * 8);
        put(bytes, start, self.arg_bitshift, unused_bits);
        Ok(())
    }
}

fn index_unknown() -> Error {
    let message = "an argument of the probe is at an index from a register, which this object's usdt.bpf.h does not know";
    Error::new(ErrorKind::Unsupported, message)
        .with_hint("compile the object with the header of libbpf 1.7 or later")
}

fn struct_of<'b>(btf: &'b Btf<'b>, id: TypeId) -> std::result::Result<Type<'b>, BtfError> {
    btf.get(id)?.resolved()
}

fn field(of: &Type<'_>, name: &str) -> Result<Field> {
    let member = of.members().find(|member| member.name == name);
    let member = member.ok_or_else(|| no_field(name))?;
    let len = match member.bitfield_size {
        0 => of
            .btf()
            .size_of(member.type_id)
            .map_err(Error::from)?
            .saturating_mul(8),
        bits => bits,
    };
    Ok(Field {
        start: member.bit_offset,
        len,
    })
}

fn no_field(name: &str) -> Error {
    let message = format!("the values of map `__bpf_usdt_specs` have no field `{name}`");
    Error::new(ErrorKind::InvalidObject, message)
        .with_hint("include usdt.bpf.h instead of defining the map in another way")
}

/// Writes the low bits of a number into a field of the struct that starts at this bit. Bits are counted as in BTF: from the
/// lowest bit of the first byte on little-endian machines, otherwise from its highest. Bits past the end are dropped.
fn put(bytes: &mut [u8], start: u32, field: Field, number: u64) {
    let little = cfg!(target_endian = "little");
    for bit in 0..field.len.min(u64::BITS) {
        let place = if little { bit } else { field.len - 1 - bit };
        let place = start.saturating_add(field.start).saturating_add(place);
        let mask = if little {
            1 << (place % 8)
        } else {
            0x80 >> (place % 8)
        };
        let byte = usize::try_from(place / 8)
            .ok()
            .and_then(|at| bytes.get_mut(at));
        if let Some(byte) = byte.filter(|_| number >> bit & 1 == 1) {
            *byte |= mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::Kind;
    use crate::open::OpenObject;

    fn layout(object: &[u8]) -> SpecLayout {
        let object = OpenObject::from_bytes(object).unwrap();
        let btf = object.btf().unwrap();
        let spec = btf.find("__bpf_usdt_spec", Kind::Struct).unwrap();
        SpecLayout::from_type(btf, spec).unwrap()
    }

    fn now() -> SpecLayout {
        layout(include_bytes!("../../../fixtures/usdt.bpf.o"))
    }

    fn first() -> SpecLayout {
        layout(include_bytes!("../../../fixtures/usdt_first.bpf.o"))
    }

    const ARGS: [UsdtArg; 3] = [
        UsdtArg {
            size: 4,
            signed: true,
            place: ArgPlace::Constant(-9),
        },
        UsdtArg {
            size: 8,
            signed: false,
            place: ArgPlace::Register(112),
        },
        UsdtArg {
            size: 2,
            signed: false,
            place: ArgPlace::Memory {
                base: 152,
                offset: 16,
            },
        },
    ];

    const INDEXED: UsdtArg = UsdtArg {
        size: 1,
        signed: true,
        place: ArgPlace::Indexed {
            base: 32,
            index: 152,
            shift: 3,
            offset: -96,
        },
    };

    /// The bytes that a C compiler produces for the structs on little-endian machines.
    #[test]
    #[cfg(target_endian = "little")]
    fn both_layouts_are_written_as_a_compiler_would() {
        let bytes = first().encode(&ARGS, 0x1122).unwrap();
        assert_eq!(bytes.len(), 208);
        let arg = |value: i64, kind, register: u16, signed, shift| {
            let [low, high] = register.to_le_bytes();
            let tail = [kind, 0, 0, 0, low, high, signed, shift];
            [value.to_le_bytes(), tail].concat()
        };
        assert_eq!(bytes[..16], arg(-9, 0, 0, 1, 32));
        assert_eq!(bytes[16..32], arg(0, 1, 112, 0, 0));
        assert_eq!(bytes[32..48], arg(16, 2, 152, 0, 48));
        assert!(bytes[48..192].iter().all(|byte| *byte == 0));
        assert_eq!(
            bytes[192..],
            [0x22, 0x11, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]
        );

        let bytes = now().encode(&[ARGS[2], INDEXED], 7).unwrap();
        assert_eq!(bytes.len(), 304);
        assert_eq!(
            bytes[..24],
            [
                16, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 152, 0, 0, 48, 0, 0, 0, 0, 0, 0
            ]
        );
        assert_eq!(bytes[24..32], (-96i64).to_le_bytes());
        // 152 in the low twelve bits, 3 in the high four.
        assert_eq!(
            bytes[32..48],
            [3, 0, 152, 0x30, 0, 0, 32, 0, 1, 56, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!((bytes[288], bytes[296]), (7, 2));
    }

    #[test]
    fn what_an_object_does_not_know_is_refused() {
        let error = first().encode(&[INDEXED], 0).unwrap_err();
        assert!(error.hint().unwrap().contains("1.7"), "{error}");
        assert!(now().encode(&[INDEXED; 12], 0).is_ok());
        assert!(now().encode(&[INDEXED; 13], 0).is_err());
    }

    #[test]
    fn other_types_are_refused() {
        let object =
            OpenObject::from_bytes(include_bytes!("../../../fixtures/usdt.bpf.o")).unwrap();
        let btf = object.btf().unwrap();
        let arg = btf.find("__bpf_usdt_arg_spec", Kind::Struct).unwrap();
        let error = SpecLayout::from_type(btf, arg).unwrap_err();
        assert!(error.message().contains("no field `args`"), "{error}");
        for id in 0..btf.end_id() + 2 {
            let _ = SpecLayout::from_type(btf, TypeId(id));
        }
    }
}
