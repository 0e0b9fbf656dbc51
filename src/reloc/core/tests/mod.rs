//! Each rule of CO-RE, on types made for it; real objects against real kernels' types; and graphs of types made to
//! break it.

mod candidates;
mod fields;
mod fixtures;
mod hostile;
mod patching;
mod paths;
mod types;
mod values;

use super::resolver::CoreResolver;
use super::value::Verdict;
use crate::btf::{Btf, BtfBuilder, CoreRelo, Info, IntEncoding, Kind};
use crate::reloc::{OfflineKernel, Target};
use crate::{Error, TypeId};

/// The kinds' numbers, as records hold them.
pub(super) mod kind {
    pub(in super::super) const BYTE_OFFSET: u32 = 0;
    pub(in super::super) const BYTE_SIZE: u32 = 1;
    pub(in super::super) const FIELD_EXISTS: u32 = 2;
    pub(in super::super) const SIGNED: u32 = 3;
    pub(in super::super) const LSHIFT: u32 = 4;
    pub(in super::super) const RSHIFT: u32 = 5;
    pub(in super::super) const TYPE_ID_LOCAL: u32 = 6;
    pub(in super::super) const TYPE_ID_TARGET: u32 = 7;
    pub(in super::super) const TYPE_EXISTS: u32 = 8;
    pub(in super::super) const TYPE_SIZE: u32 = 9;
    pub(in super::super) const ENUMVAL_EXISTS: u32 = 10;
    pub(in super::super) const ENUMVAL_VALUE: u32 = 11;
    pub(in super::super) const TYPE_MATCHES: u32 = 12;
}

/// An object's types and one record.
pub(super) struct Question {
    pub(super) btf: Btf<'static>,
    pub(super) record: CoreRelo,
}

/// A record about the type that `build` makes.
pub(super) fn question(
    kind: u32,
    access: &str,
    build: impl FnOnce(&mut BtfBuilder) -> TypeId,
) -> Question {
    let mut editor = BtfBuilder::new();
    let type_id = build(&mut editor);
    let access_str_off = editor.add_string(access);
    Question {
        btf: editor.build().unwrap(),
        record: CoreRelo {
            insn_off: 0,
            type_id,
            access_str_off,
            kind,
        },
    }
}

impl Question {
    /// What a kernel with the types that `build` makes answers.
    pub(super) fn ask<T>(
        &self,
        build: impl FnOnce(&mut BtfBuilder) -> T,
    ) -> Result<Verdict, Error> {
        self.ask_kernel(&kernel(build))
    }

    pub(super) fn ask_kernel(&self, target: &Target) -> Result<Verdict, Error> {
        let mut resolver = CoreResolver::new(&self.btf, target);
        resolver.prepare([&self.record], |_| None)?;
        let local = resolver.question(&self.record)?;
        Ok(resolver.answer(&local)?.verdict)
    }

    /// The number that the kernel gives; `None` if it has no answer.
    pub(super) fn value<T>(&self, build: impl FnOnce(&mut BtfBuilder) -> T) -> Option<u64> {
        self.ask(build).unwrap().after
    }

    /// Why it fails.
    pub(super) fn failure<T>(&self, build: impl FnOnce(&mut BtfBuilder) -> T) -> String {
        self.ask(build).unwrap_err().to_string()
    }
}

pub(super) fn blob<T>(build: impl FnOnce(&mut BtfBuilder) -> T) -> Vec<u8> {
    let mut editor = BtfBuilder::new();
    build(&mut editor);
    editor.finish().unwrap()
}

/// A kernel without modules.
pub(super) fn kernel<T>(build: impl FnOnce(&mut BtfBuilder) -> T) -> Target {
    Target::offline(OfflineKernel {
        name: "test kernel".to_string(),
        btf: Some(blob(build)),
        ..OfflineKernel::default()
    })
}

pub(super) fn nothing(_: &mut BtfBuilder) {}

pub(super) fn int(b: &mut BtfBuilder) -> TypeId {
    b.add_int("int", 4, IntEncoding::SIGNED)
}

pub(super) fn uint(b: &mut BtfBuilder, size: u32) -> TypeId {
    b.add_int("unsigned", size, 0)
}

pub(super) fn structure(
    b: &mut BtfBuilder,
    name: &str,
    size: u32,
    members: &[(&str, TypeId, u32)],
) -> TypeId {
    b.add_struct(name, size, members)
}

/// A structure whose members have a width in bits, too; 0 means that it is no bitfield.
pub(super) fn bitfields(
    b: &mut BtfBuilder,
    name: &str,
    size: u32,
    members: &[(&str, TypeId, u32, u32)],
) -> TypeId {
    let mut tail = Vec::new();
    for (member, ty, offset, width) in members {
        tail.extend([b.add_string(member), ty.0, width << 24 | offset]);
    }
    let info = Info::of(Kind::Struct)
        .with_vlen(members.len())
        .flagged(true);
    b.add_raw(name, info, size, &tail)
}
