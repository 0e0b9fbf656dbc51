//! Objects that no compiler writes, made byte by byte.

/// A section of an ELF file. Its name may be any bytes.
pub(crate) struct Section {
    pub(crate) name: Vec<u8>,
    /// `SHT_*`
    pub(crate) kind: u32,
    /// `SHF_*`
    pub(crate) flags: u64,
    pub(crate) link: u32,
    pub(crate) info: u32,
    pub(crate) entry_size: u64,
    pub(crate) data: Vec<u8>,
}

const PROGBITS: u32 = 1;
const SYMTAB: u32 = 2;
const STRTAB: u32 = 3;
const REL: u32 = 9;

/// Sections, numbered from 1.
#[derive(Default)]
pub(crate) struct Object {
    pub(crate) sections: Vec<Section>,
    /// The names of symbols.
    pub(crate) strings: Vec<u8>,
    /// The symbols, after the empty first one.
    symbols: Vec<[u8; 24]>,
}

/// Where a symbol is, and how far it reaches.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) section: u16,
    pub(crate) at: usize,
    pub(crate) size: usize,
}

pub(crate) const FUNC: u8 = 0x12;
pub(crate) const OBJECT: u8 = 0x11;
pub(crate) const EXIT: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];

impl Object {
    /// Adds a section, and returns its number.
    pub(crate) fn add(&mut self, name: impl AsRef<[u8]>, flags: u64, data: Vec<u8>) -> u16 {
        self.sections.push(Section {
            name: name.as_ref().to_vec(),
            kind: PROGBITS,
            flags,
            link: 0,
            info: 0,
            entry_size: 0,
            data,
        });
        u16::try_from(self.sections.len()).unwrap()
    }

    /// Adds a section of instructions.
    pub(crate) fn add_code(&mut self, name: impl AsRef<[u8]>, code: Vec<u8>) -> u16 {
        self.add(name, 6, code)
    }

    /// Adds a name, and returns its offset.
    pub(crate) fn add_string(&mut self, name: impl AsRef<[u8]>) -> u32 {
        if self.strings.is_empty() {
            self.strings.push(0);
        }
        let at = u32::try_from(self.strings.len()).unwrap();
        self.strings.extend(name.as_ref());
        self.strings.push(0);
        at
    }

    /// Adds a symbol whose name is at an offset, and returns its number.
    pub(crate) fn add_symbol(&mut self, name: u32, kind: u8, place: Place) -> u32 {
        let mut symbol = Vec::new();
        symbol.extend(name.to_ne_bytes());
        symbol.extend([kind, 0]);
        symbol.extend(place.section.to_ne_bytes());
        symbol.extend((place.at as u64).to_ne_bytes());
        symbol.extend((place.size as u64).to_ne_bytes());
        self.symbols.push(symbol.try_into().unwrap());
        u32::try_from(self.symbols.len()).unwrap()
    }

    /// Adds relocations of a section: for each an offset, a symbol, and a type.
    pub(crate) fn add_relocations(&mut self, section: u16, all: &[(usize, u32, u32)]) {
        let mut data = Vec::new();
        for (at, symbol, kind) in all {
            data.extend((*at as u64).to_ne_bytes());
            data.extend((u64::from(*symbol) << 32 | u64::from(*kind)).to_ne_bytes());
        }
        let name = [b".rel", &*self.sections[usize::from(section) - 1].name].concat();
        self.sections.push(Section {
            name,
            kind: REL,
            flags: 0,
            link: 0,
            info: section.into(),
            entry_size: 16,
            data,
        });
    }

    /// The file.
    pub(crate) fn bytes(mut self) -> Vec<u8> {
        self.add_string("");
        let count = u32::try_from(self.sections.len()).unwrap();
        let (symtab, strtab) = (count + 1, count + 2);
        for section in self.sections.iter_mut().filter(|s| s.kind == REL) {
            section.link = symtab;
        }
        let table = |name: &str, kind, link, data| Section {
            name: name.into(),
            kind,
            flags: 0,
            link,
            info: 1,
            entry_size: if kind == SYMTAB { 24 } else { 0 },
            data,
        };
        let symbols = [[0; 24]].iter().chain(&self.symbols).flatten();
        let symbols = symbols.copied().collect();
        self.sections
            .push(table(".symtab", SYMTAB, strtab, symbols));
        let strings = std::mem::take(&mut self.strings);
        self.sections.push(table(".strtab", STRTAB, 0, strings));
        self.sections
            .push(table(".shstrtab", STRTAB, 0, Vec::new()));
        let (mut names, mut places) = (vec![0], Vec::new());
        for section in &self.sections {
            places.push(u32::try_from(names.len()).unwrap());
            names.extend(&section.name);
            names.push(0);
        }
        self.sections.last_mut().unwrap().data = names;
        file(&self.sections, &places)
    }
}

/// The ELF file of these sections, whose names are at these offsets of the last one.
fn file(sections: &[Section], names: &[u32]) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    let mut headers = vec![0; 64];
    for (section, name) in sections.iter().zip(names) {
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        headers.extend(name.to_ne_bytes());
        headers.extend(section.kind.to_ne_bytes());
        headers.extend(section.flags.to_ne_bytes());
        headers.extend(0_u64.to_ne_bytes());
        headers.extend((bytes.len() as u64).to_ne_bytes());
        headers.extend((section.data.len() as u64).to_ne_bytes());
        headers.extend(section.link.to_ne_bytes());
        headers.extend(section.info.to_ne_bytes());
        headers.extend(8_u64.to_ne_bytes());
        headers.extend(section.entry_size.to_ne_bytes());
        bytes.extend(&section.data);
    }
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let order = if cfg!(target_endian = "little") { 1 } else { 2 };
    let mut header = vec![0x7f, b'E', b'L', b'F', 2, order, 1];
    header.resize(16, 0);
    header.extend([1_u16, 247].map(u16::to_ne_bytes).concat());
    header.extend(1_u32.to_ne_bytes());
    header.extend([0, 0, bytes.len() as u64].map(u64::to_ne_bytes).concat());
    header.extend(0_u32.to_ne_bytes());
    let count = u16::try_from(sections.len()).unwrap();
    header.extend(
        [64, 0, 0, 64, count + 1, count]
            .map(u16::to_ne_bytes)
            .concat(),
    );
    bytes[..64].copy_from_slice(&header);
    bytes.extend(headers);
    bytes
}

/// The section `.BTF.ext` with records for one section: of functions, lines and CO-RE relocations.
pub(crate) fn btf_ext(section_name: u32, tables: [(u32, &[Vec<u32>]); 3]) -> Vec<u8> {
    let mut words: Vec<u32> = Vec::new();
    let mut places: Vec<u32> = Vec::new();
    for (size, records) in tables {
        let start = words.len();
        if !records.is_empty() {
            words.extend([size, section_name, u32::try_from(records.len()).unwrap()]);
            words.extend(records.concat());
        }
        places.push(u32::try_from(start * 4).unwrap());
        places.push(u32::try_from((words.len() - start) * 4).unwrap());
    }
    let mut bytes = 0xeb9f_u16.to_ne_bytes().to_vec();
    bytes.extend([1, 0]);
    bytes.extend(32_u32.to_ne_bytes());
    for word in places.iter().chain(&words) {
        bytes.extend(word.to_ne_bytes());
    }
    bytes
}

/// `count` CO-RE relocations to one type whose name has `name_len` bytes.
pub(crate) fn relocated_to_long_name(count: usize, name_len: usize) -> Vec<u8> {
    use rawbpf::btf::BtfBuilder;
    let mut b = BtfBuilder::new();
    let int = b.add_int("int", 4, 1);
    let long = b.add_struct(&"a".repeat(name_len), 4, &[("x", int, 0)]);
    let section = b.add_string("socket");
    let access = b.add_string("0:0");
    let records: Vec<_> = (0..count)
        .map(|insn| vec![u32::try_from(insn * 8).unwrap(), long.0, access, 0])
        .collect();
    let mut code = [0xb7, 1, 0, 0, 0, 0, 0, 0].repeat(count);
    code.extend(EXIT);
    let mut object = Object::default();
    let size = code.len();
    let section_number = object.add_code("socket", code);
    object.add("license", 0, b"GPL\0".to_vec());
    object.add(".BTF", 0, b.finish().unwrap());
    let ext = btf_ext(section, [(8, &[]), (16, &[]), (16, &records)]);
    object.add(".BTF.ext", 0, ext);
    let name = object.add_string("f");
    let place = Place {
        section: section_number,
        at: 0,
        size,
    };
    object.add_symbol(name, FUNC, place);
    object.bytes()
}
