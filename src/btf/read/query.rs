//! Queries about types: find by name, size, alignment.

use crate::btf::{Btf, BtfError, Kind, LONGEST_NAME, Type};
use crate::{TypeId, work};
use memchr::memmem;
use std::collections::HashMap;

/// For up to this many names, a vectorized search for each is faster than looking at every string.
const FEW_NAMES: usize = 16;

/// How many types a chain of references may contain.
pub(crate) const MAX_CHAIN: usize = 32;

impl Btf<'_> {
    /// The first type with this name and kind, the base's types first.
    #[doc(alias("btf__find_by_name_kind", "btf__find_by_name"))]
    pub fn find(&self, name: &str, kind: Kind) -> Option<TypeId> {
        if let Some(found) = self.base().and_then(|base| base.find(name, kind)) {
            return Some(found);
        }
        self.find_own(name, kind)
    }

    /// The first type with this name and kind among this blob's own types.
    #[doc(alias = "btf__find_by_name_kind_own")]
    pub fn find_own(&self, name: &str, kind: Kind) -> Option<TypeId> {
        if let Some(named) = self.named_in_order() {
            return self.find_in_order(named, name, kind);
        }
        self.find_all(&[name], NameMatch::Exact)
            .into_iter()
            .map(|found| found.id)
            .find(|id| self.get(*id).is_ok_and(|ty| ty.kind() == kind))
    }

    /// All own types whose name is one of `names` (exactly, or ignoring a CO-RE flavour), in ascending order of their ids.
    ///
    /// The names must differ from each other. First, the string section is searched for the offsets of the wanted strings;
    /// then one pass over the types compares offsets. No table of all names is built.
    pub fn find_all(&self, names: &[&str], names_match: NameMatch) -> Vec<Found> {
        let names: Vec<Wanted<'_>> = names.iter().map(|name| (*name, names_match)).collect();
        self.find_each(&names)
    }

    /// Like [`Btf::find_all`], with a separate comparison mode for each name. A name may be wanted in both modes.
    pub(crate) fn find_each(&self, names: &[Wanted<'_>]) -> Vec<Found> {
        let mut wanted: Vec<(u32, usize)> = Vec::new();
        if names.len() <= FEW_NAMES {
            for (index, (name, names_match)) in names.iter().enumerate() {
                self.for_each_string_source(|btf| {
                    btf.search_string(name, *names_match, index, &mut wanted);
                });
            }
        } else {
            let table = NameTable::new(names);
            self.for_each_string_source(|btf| btf.look_up_strings(&table, &mut wanted));
        }
        if wanted.is_empty() {
            return Vec::new();
        }
        wanted.sort_unstable();
        let filter = OffsetFilter::new(&wanted);
        let mut found = Vec::new();
        self.for_each_name(|id, name_off| {
            if filter.may_hold(name_off) {
                let first = wanted.partition_point(|(offset, _)| *offset < name_off);
                let same = wanted
                    .iter()
                    .skip(first)
                    .take_while(|(offset, _)| *offset == name_off);
                found.extend(same.map(|(_, name)| Found { id, name: *name }));
            }
        });
        found
    }

    /// Own strings, and for a split blob those of its base, too: a module's type can share its name with a kernel type.
    fn for_each_string_source(&self, mut visit: impl FnMut(&Btf<'_>)) {
        visit(self);
        if let Some(base) = self.base() {
            visit(base);
        }
    }

    /// Adds the offset of every own string that is `name`, or a flavour of it, wherever it starts.
    fn search_string(
        &self,
        name: &str,
        names_match: NameMatch,
        index: usize,
        wanted: &mut Vec<(u32, usize)>,
    ) {
        if name.is_empty() {
            return;
        }
        let strings = self.string_bytes();
        for start in memmem::find_iter(strings, name.as_bytes()) {
            let rest = strings.get(start + name.len()..).unwrap_or_default();
            let ends_here = match names_match {
                NameMatch::Exact => rest.first() == Some(&0),
                NameMatch::Essential => ends_essential_name(name, rest),
            };
            if ends_here && let Ok(start) = u32::try_from(start) {
                wanted.push((self.first_string().saturating_add(start), index));
            }
        }
    }

    /// Adds the offset of every own string that is in the table. Assumes that strings start after a NUL: no producer of BTF
    /// stores a name as the tail of another.
    fn look_up_strings(&self, table: &NameTable<'_>, wanted: &mut Vec<(u32, usize)>) {
        let strings = self.string_bytes();
        let mut start = 0;
        for end in memchr::memchr_iter(0, strings) {
            if let (Some(string), Ok(place)) = (strings.get(start..end), u32::try_from(start)) {
                let place = self.first_string().saturating_add(place);
                wanted.extend(table.get(string).map(|index| (place, index)));
            }
            start = end + 1;
        }
    }

    /// The size in bytes of a value of this type; typedefs and qualifiers are followed, arrays multiplied.
    #[doc(alias = "btf__resolve_size")]
    pub fn size_of(&self, id: TypeId) -> Result<u32, BtfError> {
        let mut elements: u32 = 1;
        let mut now = id;
        for _ in 0..MAX_CHAIN {
            let ty = self.get(now)?;
            let size = match ty.kind() {
                Kind::Int
                | Kind::Struct
                | Kind::Union
                | Kind::Enum
                | Kind::Enum64
                | Kind::Float
                | Kind::Datasec => ty.size_field(),
                Kind::Ptr => 8,
                Kind::Typedef
                | Kind::Volatile
                | Kind::Const
                | Kind::Restrict
                | Kind::Var
                | Kind::DeclTag
                | Kind::TypeTag => {
                    now = TypeId(ty.size_field());
                    continue;
                }
                Kind::Array => {
                    let array = ty.array().ok_or(BtfError::NoSize(id))?;
                    elements = elements
                        .checked_mul(array.len)
                        .ok_or(BtfError::Overflow(id))?;
                    now = array.element;
                    continue;
                }
                Kind::Void | Kind::Fwd | Kind::Func | Kind::FuncProto => {
                    return Err(BtfError::NoSize(id));
                }
            };
            return size.checked_mul(elements).ok_or(BtfError::Overflow(id));
        }
        Err(BtfError::TooDeep(id))
    }

    /// The alignment in bytes of a value of this type in C.
    #[doc(alias = "btf__align_of")]
    pub fn align_of(&self, id: TypeId) -> Result<u32, BtfError> {
        Alignment {
            btf: self,
            known: HashMap::new(),
        }
        .of(id, MAX_CHAIN)
    }
}

/// Computes alignments, once for each structure: structures that each contain the next one twice would double the work per
/// level.
struct Alignment<'b> {
    btf: &'b Btf<'b>,
    known: HashMap<TypeId, u32>,
}

impl Alignment<'_> {
    fn of(&mut self, id: TypeId, depth: usize) -> Result<u32, BtfError> {
        let depth = depth.checked_sub(1).ok_or(BtfError::TooDeep(id))?;
        let ty = self.btf.get(id)?;
        match ty.kind() {
            Kind::Int | Kind::Enum | Kind::Enum64 | Kind::Float => Ok(ty.size_field().clamp(1, 8)),
            Kind::Ptr => Ok(8),
            Kind::Typedef
            | Kind::Volatile
            | Kind::Const
            | Kind::Restrict
            | Kind::TypeTag
            | Kind::Var => self.of(TypeId(ty.size_field()), depth),
            Kind::Array => match ty.array() {
                Some(array) => self.of(array.element, depth),
                None => Err(BtfError::NoSize(id)),
            },
            Kind::Struct | Kind::Union => {
                if let Some(align) = self.known.get(&id) {
                    return Ok(*align);
                }
                let align = self.of_members(&ty, depth)?;
                self.known.insert(id, align);
                Ok(align)
            }
            _ => Err(BtfError::NoSize(id)),
        }
    }

    /// A structure has the alignment of its most strictly aligned member, unless it is packed, which shows in a misaligned
    /// member or in a size that is not a multiple of the alignment.
    fn of_members(&mut self, ty: &Type<'_>, depth: usize) -> Result<u32, BtfError> {
        let mut most = 1;
        for member in ty.members() {
            let align = self.of(member.type_id, depth)?;
            let bits = align.saturating_mul(8);
            if member.bitfield_size == 0 && !member.bit_offset.is_multiple_of(bits) {
                return Ok(1);
            }
            most = most.max(align);
        }
        Ok(if ty.size_field().is_multiple_of(most) {
            most
        } else {
            1
        })
    }
}

/// A name, and how it is compared.
pub(crate) type Wanted<'n> = (&'n str, NameMatch);

/// How names are compared by [`Btf::find_all`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameMatch {
    /// Byte by byte.
    Exact,
    /// Ignoring a CO-RE flavour: `task_struct` also finds `task_struct___old` (see [`essential_name`]).
    Essential,
}

/// A type that [`Btf::find_all`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The type.
    pub id: TypeId,
    /// The index of its name in the list that was passed.
    pub name: usize,
}

/// A name without its CO-RE flavour: cut at the last `___` that has something other than `_` on both sides.
#[doc(alias = "bpf_core_essential_name_len")]
pub fn essential_name(name: &str) -> &str {
    let bytes = name.as_bytes();
    let flavour = bytes.windows(5).rposition(|window| {
        matches!(window, [before, b'_', b'_', b'_', after] if *before != b'_' && *after != b'_')
    });
    flavour.and_then(|at| name.get(..=at)).unwrap_or(name)
}

/// What separates a name from its flavour.
const CUT: &[u8] = b"___";

/// Whether a string that continues with `rest` after `name` has `name` as its essential name.
fn ends_essential_name(name: &str, rest: &[u8]) -> bool {
    if rest.first() == Some(&0) {
        // A wanted name such as `a___b` can only equal a string's essential name if it is an essential name itself.
        return essential_name(name).len() == name.len();
    }
    let Some(flavour) = rest.strip_prefix(CUT).filter(|_| !name.ends_with('_')) else {
        return false;
    };
    let longest = LONGEST_NAME.saturating_sub(name.len() + CUT.len());
    let flavour = flavour.get(..=longest).unwrap_or(flavour);
    if matches!(flavour.first(), None | Some(0 | b'_')) {
        return false;
    }
    // The cut is at the last `___`, so another one in the flavour decides. Continuing the search after it would take
    // quadratic time for a string that repeats the name and a flavour.
    let mut underscores = 0;
    for (at, byte) in flavour.iter().enumerate() {
        work::did(1);
        match byte {
            0 => {
                return flavour
                    .get(..at)
                    .is_some_and(|f| std::str::from_utf8(f).is_ok());
            }
            b'_' => underscores += 1,
            _ if underscores == CUT.len() => return false,
            _ => underscores = 0,
        }
    }
    false
}

/// The size of the filter of [`NameTable`] in 64-bit words.
const FILTER_WORDS: usize = 1 << 9;
/// How many bytes of a name the filter looks at. Shorter names pass it.
const FILTER_PREFIX: usize = 4;

/// Many wanted names, and a filter that skips most other strings after a look at their first bytes.
struct NameTable<'n> {
    exact: HashMap<&'n str, usize>,
    essential: HashMap<&'n str, usize>,
    /// One bit for each hash of a wanted name's first bytes.
    filter: Box<[u64; FILTER_WORDS]>,
}

impl<'n> NameTable<'n> {
    fn new(names: &[Wanted<'n>]) -> Self {
        let mut filter = Box::new([0; FILTER_WORDS]);
        let places = names
            .iter()
            .filter_map(|name| Self::place(name.0.as_bytes()));
        for (word, bit) in places {
            if let Some(word) = filter.get_mut(word) {
                *word |= bit;
            }
        }
        let names_of = |wanted: NameMatch| {
            let names = names.iter().enumerate().rev();
            let names = names.filter(|(_, (_, names_match))| *names_match == wanted);
            names.map(|(index, (name, _))| (*name, index)).collect()
        };
        Self {
            exact: names_of(NameMatch::Exact),
            essential: names_of(NameMatch::Essential),
            filter,
        }
    }

    /// The word and bit for a string's first bytes; `None` if it is too short.
    fn place(string: &[u8]) -> Option<(usize, u64)> {
        let prefix = u32::from_ne_bytes(*string.first_chunk::<FILTER_PREFIX>()?);
        let hash = prefix.wrapping_mul(0x9e37_79b1) >> 17;
        Some(((hash >> 6) as usize % FILTER_WORDS, 1 << (hash & 63)))
    }

    /// The wanted names that match this string: at most one exactly, and one ignoring its flavour.
    fn get(&self, string: &[u8]) -> impl Iterator<Item = usize> {
        let passed_over = Self::place(string).is_some_and(|(word, bit)| {
            self.filter.get(word).is_none_or(|word| word & bit == 0)
                && !self.is_flavour_of_short_name(string)
        });
        let string = if passed_over { &[] } else { string };
        let string = std::str::from_utf8(string).unwrap_or_default();
        let found = if string.is_empty() {
            [None, None]
        } else {
            [
                self.exact.get(string),
                self.essential.get(essential_name(string)),
            ]
        };
        found.into_iter().flatten().copied()
    }

    /// `a___b`, `ab___c` and `abc___d`: the flavour extends into the bytes that the filter looks at.
    fn is_flavour_of_short_name(&self, string: &[u8]) -> bool {
        let early = |at: usize| string.get(at..at + 3) == Some(b"___");
        !self.essential.is_empty() && (early(1) || early(2) || early(3))
    }
}

/// A set of string offsets that answers "surely not" from one bit.
struct OffsetFilter([u64; 64]);

impl OffsetFilter {
    fn new(wanted: &[(u32, usize)]) -> Self {
        let mut bits = [0; 64];
        for (offset, _) in wanted {
            let (word, bit) = Self::place(*offset);
            if let Some(word) = bits.get_mut(word) {
                *word |= bit;
            }
        }
        Self(bits)
    }

    fn place(offset: u32) -> (usize, u64) {
        let hash = offset.wrapping_mul(0x9e37_79b1) >> 20;
        ((hash >> 6) as usize & 63, 1 << (hash & 63))
    }

    #[inline]
    fn may_hold(&self, offset: u32) -> bool {
        let (word, bit) = Self::place(offset);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::BtfBuilder;

    #[test]
    fn essential_name_cuts_at_the_last_flavour() {
        for (name, essential) in [
            ("task_struct", "task_struct"),
            ("task_struct___old", "task_struct"),
            ("a___b___c", "a___b"),
            ("a____b", "a____b"),
            ("___a", "___a"),
            ("a___", "a___"),
            ("a_____b___c", "a_____b"),
        ] {
            assert_eq!(essential_name(name), essential, "{name}");
        }
    }

    #[test]
    fn structures_that_hold_each_other_twice_are_looked_through_once() {
        let mut editor = BtfBuilder::new();
        let mut inner = editor.add_int("int", 4, 0);
        for _ in 0..30 {
            let members = [("a", inner, 0), ("b", inner, 0)];
            inner = editor.add_struct("s", 4, &members);
        }
        let btf = editor.build().unwrap();
        assert_eq!(btf.align_of(inner), Ok(4));
    }

    #[test]
    fn few_and_many_names_find_the_same() {
        let strings = [
            "a",
            "a___x",
            "ab",
            "ab___y",
            "abc___z",
            "task_struct",
            "task_struct___old",
            "b",
        ];
        let mut editor = BtfBuilder::new();
        for string in strings {
            editor.add_int(string, 4, 0);
        }
        let btf = editor.build().unwrap();
        let names = [
            "a",
            "ab",
            "abc",
            "task_struct",
            "task_struct___old",
            "nothing",
        ];
        for names_match in [NameMatch::Exact, NameMatch::Essential] {
            let mut one_by_one: Vec<Found> = Vec::new();
            for (index, name) in names.iter().enumerate() {
                let found = btf.find_all(&[name], names_match);
                one_by_one.extend(found.iter().map(|found| Found {
                    name: index,
                    ..*found
                }));
            }
            one_by_one.sort_by_key(|found| found.id);
            assert_eq!(
                btf.find_all(&names, names_match),
                one_by_one,
                "{names_match:?}"
            );
            assert!(one_by_one.len() >= 4);
        }
        // In both modes at once, for few and for many names.
        let both = [NameMatch::Exact, NameMatch::Essential];
        let few: Vec<Wanted<'_>> = both.map(|way| ("task_struct", way)).to_vec();
        let others = ["n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9"];
        let many = others.iter().flat_map(|name| both.map(|way| (*name, way)));
        let many: Vec<Wanted<'_>> = few.iter().copied().chain(many).collect();
        assert!(many.len() > FEW_NAMES);
        let names: Vec<usize> = btf.find_each(&few).iter().map(|found| found.name).collect();
        assert_eq!(names, [0, 1, 1]);
        assert_eq!(btf.find_each(&few), btf.find_each(&many));
    }

    #[test]
    fn essential_match_agrees_with_essential_name() {
        let names = ["a", "ab", "a___b", "a____b", "b", "a_", "a___"];
        let strings = [
            "a",
            "a___x",
            "a___b",
            "a___b___c",
            "a____b",
            "ab___b",
            "a_",
            "a____",
            "a___",
        ];
        for name in names {
            for string in strings {
                let expected = essential_name(string) == name;
                let got = string.strip_prefix(name).is_some_and(|rest| {
                    let mut rest = rest.as_bytes().to_vec();
                    rest.push(0);
                    ends_essential_name(name, &rest)
                });
                assert_eq!(got, expected, "{name} in {string}");
            }
        }
    }
}
