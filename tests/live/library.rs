//! Handmade libraries: their addresses differ from their offsets, and each of their tables can be left out or wrong.
#![allow(dead_code, reason = "each of the tests that share it uses a part")]
#![allow(clippy::cast_possible_truncation, reason = "all of it is small")]

/// Where the code is in memory (before the library is moved), and in the file.
pub(crate) const TEXT: u64 = 0x40_0000;
pub(crate) const TEXT_AT: u64 = 0x1000;
/// Where the tables would be in memory, from the start of the file on.
const TABLES: u64 = 0x80_0000;

pub(crate) const FUNCTION: u8 = 2;
pub(crate) const INDIRECT: u8 = 10;
pub(crate) const DATA: u8 = 1;
pub(crate) const LABEL: u8 = 0;
/// The version is hidden: a plain name does not refer to it.
pub(crate) const HIDDEN: u16 = 0x8000;
/// The section that symbols of code are in, and that of what other files define.
const IN_TEXT: u16 = 1;
const UNDEFINED: u16 = 0;

#[derive(Clone)]
pub(crate) struct Symbol {
    pub(crate) name: Vec<u8>,
    pub(crate) address: u64,
    pub(crate) kind: u8,
    pub(crate) weak: bool,
    pub(crate) section: u16,
    pub(crate) version: u16,
}

/// A function at an offset into the code.
pub(crate) fn function(name: &str, at: u64) -> Symbol {
    Symbol {
        name: name.into(),
        address: TEXT + at,
        kind: FUNCTION,
        weak: false,
        section: IN_TEXT,
        version: 1,
    }
}

impl Symbol {
    pub(crate) fn kind(self, kind: u8) -> Self {
        Self { kind, ..self }
    }

    pub(crate) fn weak(self) -> Self {
        Self { weak: true, ..self }
    }

    pub(crate) fn undefined(self) -> Self {
        let section = UNDEFINED;
        Self { section, ..self }
    }

    pub(crate) fn version(self, version: u16) -> Self {
        Self { version, ..self }
    }
}

/// What the section headers say.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sections {
    Right,
    /// That the code is elsewhere in the file.
    TextMoved,
    /// There are none.
    CutOff,
}

/// A library for x86-64.
#[derive(Clone)]
pub(crate) struct Library {
    pub(crate) text: Vec<u8>,
    /// Exported symbols.
    pub(crate) dynamic: Vec<Symbol>,
    /// Versions from number 2 on.
    pub(crate) versions: Vec<&'static str>,
    /// All symbols; `None` if it was stripped.
    pub(crate) full: Option<Vec<Symbol>>,
    pub(crate) build_id: Vec<u8>,
    /// Names and contents of more sections.
    pub(crate) more: Vec<(&'static str, Vec<u8>)>,
    pub(crate) sections: Sections,
}

impl Default for Library {
    fn default() -> Self {
        Self {
            text: vec![0x90; 256],
            dynamic: Vec::new(),
            versions: Vec::new(),
            full: None,
            build_id: Vec::new(),
            more: Vec::new(),
            sections: Sections::Right,
        }
    }
}

/// `sh_type`, offset, address, bytes, `sh_link`, `sh_info`
type Section = (&'static str, u32, u64, u64, u64, u32, u32);

impl Library {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut file = vec![0; TEXT_AT as usize];
        file.extend(&self.text);
        let mut sections: Vec<Section> = vec![("", 0, 0, 0, 0, 0, 0)];
        let moved = u64::from(self.sections == Sections::TextMoved) * 0x1000;
        let text_len = self.text.len() as u64;
        sections.push((".text", 1, TEXT_AT + moved, TEXT, text_len, 0, 0));

        let mut strings = vec![0];
        let symbols = symbols(&self.dynamic, &mut strings);
        let definitions = self.definitions(&mut strings);
        let numbers = [0]
            .into_iter()
            .chain(self.dynamic.iter().map(|s| s.version));
        let numbers = numbers.flat_map(u16::to_le_bytes).collect();
        let strings_len = strings.len() as u64;
        let count = self.versions.len() as u32;
        let mut put = |name, kind, bytes: Vec<u8>, link, info| {
            file.resize(file.len().next_multiple_of(8), 0);
            let at = file.len() as u64;
            let len = bytes.len() as u64;
            file.extend(bytes);
            sections.push((name, kind, at, TABLES + at, len, link, info));
            at
        };
        let dynsym = put(".dynsym", 11, symbols, 3, 1);
        let dynstr = put(".dynstr", 3, strings, 0, 0);
        let hashes = put(".gnu.hash", 0x6fff_fff6, hashes(&self.dynamic), 2, 0);
        let versym = put(".gnu.version", 0x6fff_ffff, numbers, 2, 0);
        let verdef = put(".gnu.version_d", 0x6fff_fffd, definitions, 3, count);
        let tags = [
            (6, TABLES + dynsym),
            (5, TABLES + dynstr),
            (10, strings_len),
            (0x6fff_fef5, TABLES + hashes),
            (0x6fff_fff0, TABLES + versym),
            (0x6fff_fffc, TABLES + verdef),
            (0x6fff_fffd, count.into()),
            (0, 0),
        ];
        let tags: Vec<u8> = tags
            .iter()
            .flat_map(|(tag, value)| words(&[*tag, *value]))
            .collect();
        let (dynamic_len, note) = (tags.len() as u64, self.note());
        let (dynamic, note_len) = (put(".dynamic", 6, tags, 3, 0), note.len() as u64);
        let note_at = put(".note.gnu.build-id", 7, note, 0, 0);
        for (name, bytes) in &self.more {
            put(name, 1, bytes.clone(), 0, 0);
        }
        if let Some(full) = &self.full {
            let mut strings = vec![0];
            let symbols = self::symbols(full, &mut strings);
            let names = 10 + self.more.len() as u32;
            put(".symtab", 2, symbols, names, 1);
            put(".strtab", 3, strings, 0, 0);
        }
        let tables_len = file.len() as u64;
        let segments = [
            // Not in the order of their addresses.
            segment(1, 4, 0, TABLES, tables_len),
            segment(1, 5, TEXT_AT, TEXT, text_len),
            segment(2, 4, dynamic, TABLES + dynamic, dynamic_len),
            segment(4, 4, note_at, TABLES + note_at, note_len),
        ];
        self.finish(file, &segments, &sections)
    }

    /// Writes the headers.
    fn finish(&self, mut file: Vec<u8>, segments: &[Vec<u8>], sections: &[Section]) -> Vec<u8> {
        let mut names = vec![0];
        let mut offsets: Vec<u32> = sections
            .iter()
            .map(|s| name(&mut names, s.0.as_bytes()))
            .collect();
        offsets.push(name(&mut names, b".shstrtab"));
        let names_at = file.len() as u64;
        file.extend(&names);
        let mut sections = sections.to_vec();
        sections.push((".shstrtab", 3, names_at, 0, names.len() as u64, 0, 0));
        file.resize(file.len().next_multiple_of(8), 0);
        let headers_at = file.len() as u64;
        let count = sections.len() as u16;
        for ((_, kind, offset, address, len, link, info), name) in sections.into_iter().zip(offsets)
        {
            file.extend([name, kind].map(u32::to_le_bytes).concat());
            file.extend(words(&[0, address, offset, len]));
            file.extend([link, info].map(u32::to_le_bytes).concat());
            file.extend(words(&[1, 0]));
        }
        let (headers_at, count) = match self.sections {
            Sections::CutOff => {
                file.truncate(names_at as usize);
                (0, 0)
            }
            _ => (headers_at, count),
        };
        let mut header = b"\x7fELF\x02\x01\x01".to_vec();
        header.resize(16, 0);
        header.extend([3u16, 62].map(u16::to_le_bytes).concat());
        header.extend(1u32.to_le_bytes());
        header.extend(words(&[0, 64, headers_at]));
        header.extend(0u32.to_le_bytes());
        let counts = [
            64,
            56,
            segments.len() as u16,
            64,
            count,
            count.saturating_sub(1),
        ];
        header.extend(counts.map(u16::to_le_bytes).concat());
        header.extend(segments.concat());
        file[..header.len()].copy_from_slice(&header);
        file
    }

    fn definitions(&self, strings: &mut Vec<u8>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (number, version) in (2u16..).zip(&self.versions) {
            let at = name(strings, version.as_bytes());
            let is_last = usize::from(number) == self.versions.len() + 1;
            let next = if is_last { 0 } else { 28 };
            bytes.extend([1, 0, number, 1].map(u16::to_le_bytes).concat());
            bytes.extend([0, 20, next, at, 0].map(u32::to_le_bytes).concat());
        }
        bytes
    }

    fn note(&self) -> Vec<u8> {
        if self.build_id.is_empty() {
            return Vec::new();
        }
        let mut note = [4, self.build_id.len() as u32, 3]
            .map(u32::to_le_bytes)
            .concat();
        note.extend(b"GNU\0");
        note.extend(&self.build_id);
        note
    }
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn segment(kind: u32, flags: u32, offset: u64, address: u64, len: u64) -> Vec<u8> {
    let mut bytes = [kind, flags].map(u32::to_le_bytes).concat();
    bytes.extend(words(&[offset, address, address, len, len, 0x1000]));
    bytes
}

fn name(strings: &mut Vec<u8>, name: &[u8]) -> u32 {
    let at = strings.len() as u32;
    strings.extend(name);
    strings.push(0);
    at
}

fn symbols(symbols: &[Symbol], strings: &mut Vec<u8>) -> Vec<u8> {
    let mut bytes = vec![0; 24];
    for symbol in symbols {
        bytes.extend(name(strings, &symbol.name).to_le_bytes());
        let bind = if symbol.weak { 2 } else { 1 };
        bytes.extend([bind << 4 | symbol.kind, 0]);
        bytes.extend(symbol.section.to_le_bytes());
        bytes.extend(words(&[symbol.address, 16]));
    }
    bytes
}

/// All symbols in one bucket, whose chain ends with the last.
fn hashes(symbols: &[Symbol]) -> Vec<u8> {
    let first = u32::from(!symbols.is_empty());
    let mut bytes = [1, 1, 1, 0].map(u32::to_le_bytes).concat();
    bytes.extend(words(&[u64::MAX]));
    bytes.extend(first.to_le_bytes());
    for number in 1..=symbols.len() {
        bytes.extend(u32::from(number == symbols.len()).to_le_bytes());
    }
    bytes
}
