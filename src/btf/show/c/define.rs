//! Top-level definitions: structures, unions, enumerations, typedefs, and forward declarations.

use super::Definitions;
use super::declare::{BYTE, keyword};
use super::definitions::State;
use super::extent::Form;
use super::integer;
use super::layout::{Layout, Piece};
use super::names::Members;
use crate::TypeId;
use crate::btf::{Kind, Type};
use std::borrow::Cow;
use std::fmt::Write as _;

impl<'b> Definitions<'b> {
    /// Writes the definition of a named type, after the declarations that it needs, unless it was already written.
    pub(super) fn write(&mut self, id: TypeId) {
        if self.is(id, State::DONE) || self.is_exhausted() {
            return;
        }
        let Ok(ty) = self.btf.get(id) else { return };
        match ty.kind() {
            Kind::Struct | Kind::Union => self.write_composite(&ty),
            Kind::Enum | Kind::Enum64 => self.write_enumeration(&ty),
            Kind::Fwd => self.write_declaration(&ty),
            Kind::Typedef if !self.is(id, State::DECLARED) => self.write_typedef(&ty, 0),
            _ => {}
        }
        self.set(id, State::DONE);
    }

    fn write_composite(&mut self, ty: &Type<'b>) {
        for member in ty.members() {
            self.prepare(member.type_id, ty.id(), 0);
        }
        let name = self.names.of(ty);
        self.text.push_str(keyword(ty));
        self.text.push(' ');
        self.text.push_str(&name);
        let extent = self.body(ty, 0, &mut Members::default());
        self.text.push_str(&self.tags.attributes(ty.id(), None));
        self.end(ty.id());
        self.extents.insert(ty.id(), extent);
        self.written.push(ty.id());
    }

    /// `struct name;`
    pub(super) fn write_declaration(&mut self, ty: &Type<'b>) {
        let name = self.names.of(ty);
        self.text.push_str(keyword(ty));
        self.text.push(' ');
        self.text.push_str(&name);
        self.end(ty.id());
    }

    /// Writes a typedef, after what it needs. It may precede the definition of its type.
    pub(super) fn write_typedef(&mut self, ty: &Type<'b>, depth: usize) {
        self.set(ty.id(), State::DECLARED);
        if Self::is_builtin(ty) {
            return;
        }
        let target = ty.target().unwrap_or_default();
        self.prepare(target, ty.id(), depth);
        let name = self.names.of(ty);
        let is_guarded = name == "bool";
        self.guard(is_guarded);
        self.text.push_str("typedef ");
        self.declare(target, &name, 0, None);
        self.text.push_str(&self.tags.attributes(ty.id(), None));
        self.end(ty.id());
        self.guard_end(is_guarded);
        self.written.push(ty.id());
    }

    /// A typedef for a number of another language, or of a size that C's own type of that name does not have.
    pub(super) fn write_alias(&mut self, ty: &Type<'b>) {
        let c_name = match ty.kind() {
            Kind::Float => integer::c_float_name(ty),
            _ => integer::c_name(ty),
        };
        let name = self.names.of(ty);
        let is_guarded = name == "bool";
        self.guard(is_guarded);
        // Writing to a string does not fail.
        let _ = write!(self.text, "typedef {c_name} {name}");
        self.end(ty.id());
        self.guard_end(is_guarded);
    }

    fn write_enumeration(&mut self, ty: &Type<'b>) {
        if ty.vlen() == 0 {
            if !ty.name().is_empty() {
                self.write_declaration(ty);
            }
            return;
        }
        let is_guarded = ty.enumerators().any(|c| matches!(c.name, "true" | "false"));
        self.guard(is_guarded);
        self.enumeration(ty, 0);
        self.end(ty.id());
        self.guard_end(is_guarded);
    }

    /// Some names that kernels define are keywords since C23.
    fn guard(&mut self, is_guarded: bool) {
        if is_guarded {
            self.text
                .push_str("#if !defined(__STDC_VERSION__) || __STDC_VERSION__ < 202311L\n");
        }
    }

    fn guard_end(&mut self, is_guarded: bool) {
        if is_guarded {
            // Before the empty line.
            self.text.pop();
            self.text.push_str("#endif\n\n");
        }
    }

    fn end(&mut self, id: TypeId) {
        self.text.push_str(";\n\n");
        self.spend(id, 16);
    }

    /// An enumeration with its constants.
    pub(super) fn enumeration(&mut self, ty: &Type<'b>, level: usize) {
        self.text.push_str("enum");
        if !ty.name().is_empty() {
            let name = self.names.of(ty);
            self.text.push(' ');
            self.text.push_str(&name);
        }
        self.text.push_str(" {");
        for constant in ty.enumerators() {
            let name = self.names.ordinary(super::names::identifier(constant.name));
            self.line(level.saturating_add(1));
            let wide = ty.kind() == Kind::Enum64 || integer::enum_size(ty) == 8;
            let value = constant.value;
            let _ = match (wide, ty.kflag()) {
                (false, _) => write!(self.text, "{name} = {value},"),
                // C has no literal for this value.
                (true, true) if value == i64::MIN => {
                    write!(self.text, "{name} = {}LL - 1,", i64::MIN.wrapping_add(1))
                }
                (true, true) => write!(self.text, "{name} = {value}LL,"),
                (true, false) => write!(self.text, "{name} = {}ULL,", value.cast_unsigned()),
            };
            self.spend(ty.id(), name.len().saturating_add(16));
        }
        self.line(level);
        self.text.push('}');
        if let Some(mode) = integer::enum_mode(ty) {
            let _ = write!(self.text, " __attribute__((mode({mode})))");
        }
    }

    /// The body of a structure or union between braces, and its attributes. Returns its extent as compiled.
    pub(super) fn body(
        &mut self,
        ty: &Type<'b>,
        level: usize,
        scope: &mut Members<'b>,
    ) -> super::layout::Extent {
        let layout = self.layout(ty, self.inside.len());
        self.text.push_str(" {");
        if layout.lanes {
            self.line(level.saturating_add(1));
            self.text.push_str("union {");
            self.pieces(ty, &layout, level.saturating_add(1), scope);
        } else {
            self.pieces(ty, &layout, level, scope);
        }
        if !layout.pieces.is_empty() {
            self.line(level);
        }
        self.text.push('}');
        if layout.packed {
            self.text.push_str(" __attribute__((packed))");
        }
        if let Some(n) = layout.aligned {
            let _ = write!(self.text, " __attribute__((aligned({n})))");
        }
        layout.extent
    }

    fn pieces(
        &mut self,
        ty: &Type<'b>,
        layout: &Layout,
        mut level: usize,
        scope: &mut Members<'b>,
    ) {
        let last_lane = layout
            .pieces
            .iter()
            .rposition(|piece| *piece == Piece::LaneEnd);
        for (index, piece) in layout.pieces.iter().enumerate() {
            if self.is_exhausted() {
                return;
            }
            self.spend(ty.id(), 16_usize.saturating_add(level));
            if *piece == Piece::LaneEnd {
                level = level.saturating_sub(1);
            }
            self.line(level.saturating_add(1));
            match piece {
                Piece::Member(index) => self.member(ty, *index, level.saturating_add(1), scope),
                Piece::Gap(unit, width) => {
                    let _ = write!(self.text, "{}: {width};", unit.name());
                }
                Piece::Bytes(bytes) => {
                    let name = scope.gap();
                    let _ = write!(self.text, "{BYTE} {name}[{bytes}];");
                }
                Piece::LaneStart => {
                    self.text.push_str("struct {");
                    level = level.saturating_add(1);
                }
                Piece::LaneEnd => self.text.push_str("} __attribute__((packed));"),
            }
            if layout.lanes && last_lane == Some(index) {
                self.line(level);
                self.text.push_str("};");
                level = level.saturating_sub(1);
            }
        }
    }

    fn member(&mut self, ty: &Type<'b>, index: usize, level: usize, scope: &mut Members<'b>) {
        let Some(member) = ty.member(index) else {
            return;
        };
        let (form, _, (_, width)) = self.form(&member, self.inside.len());
        let is_anonymous =
            member.name.is_empty() && width.is_none() && self.is_composite(member.type_id);
        let name = match (form, is_anonymous, member.name.is_empty()) {
            (Form::Own, true, _) => Cow::default(),
            // An unnamed bitfield.
            (_, _, true) if width.is_some() => Cow::default(),
            (_, _, true) => scope.gap(),
            _ => scope.name(member.name),
        };
        match form {
            Form::Own if is_anonymous => self.declare(member.type_id, "", level, Some(scope)),
            Form::Own => self.declare(member.type_id, &name, level, None),
            Form::Wide => {
                let _ = write!(self.text, "unsigned long long {name}");
            }
            Form::Bytes(bytes) => {
                let _ = write!(self.text, "{BYTE} {name}[{bytes}]");
            }
        }
        if let Some(width) = width {
            let _ = write!(self.text, ": {width}");
        }
        let component = u32::try_from(index).ok();
        self.text
            .push_str(&self.tags.attributes(ty.id(), component));
        self.text.push(';');
        self.spend(ty.id(), name.len());
    }

    /// Whether a member of this type may be anonymous.
    pub(super) fn is_composite(&self, id: TypeId) -> bool {
        let resolved = self.btf.get(id).and_then(|ty| ty.resolved());
        resolved.is_ok_and(|ty| ty.kind().is_composite())
    }

    fn line(&mut self, level: usize) {
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n('\t', level));
    }
}
