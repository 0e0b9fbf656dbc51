//! Which files can be probed: files that are not executable, members of archives, libraries by name alone.

use super::{alone, number};
use crate::archive::zip;
use crate::library::{Library, Sections, function};
use crate::load::load_fixture;
use crate::matrix::works;
use crate::support::Need;
use memmap2::{Mmap, MmapOptions};
use rawbpf::ErrorKind;
use rawbpf::attach::Uprobe;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// `lea eax, [rdi + rdi]; ret`: one function after another.
const DOUBLE: [u8; 4] = [0x8d, 0x04, 0x3f, 0xc3];

/// A library with these functions, all of which double their argument.
fn library(functions: &[&str]) -> Library {
    let places = (0..).step_by(DOUBLE.len());
    let symbols = functions.iter().zip(places);
    Library {
        text: DOUBLE.repeat(functions.len()),
        full: Some(symbols.map(|(name, at)| function(name, at)).collect()),
        ..Library::default()
    }
}

/// A file that nobody may execute, whose functions are called all the same.
struct Code {
    _folder: tempfile::TempDir,
    path: PathBuf,
    memory: Mmap,
    /// Where the first of its functions is.
    start: usize,
}

impl Code {
    #[expect(unsafe_code, reason = "the file is mapped as a dynamic loader would")]
    fn new(name: &str, bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let file = File::open(&path).unwrap();
        // Not shared: probes are put into private mappings only.
        // SAFETY: nobody else knows the file.
        let memory = unsafe { MmapOptions::new().map_copy(&file) }.unwrap();
        let memory = memory.make_exec().unwrap();
        let start = bytes.windows(4).position(|w| w == DOUBLE).unwrap();
        Self {
            _folder: folder,
            path,
            memory,
            start,
        }
    }

    /// Calls the function of this number.
    #[expect(unsafe_code, reason = "the file's code is called")]
    fn call(&self, function: usize, argument: u32) -> u32 {
        let code = &self.memory[self.start + function * DOUBLE.len()..];
        assert!(
            code.starts_with(&DOUBLE) || code[0] == 0xcc,
            "a probe replaces the first byte"
        );
        // SAFETY: there is a function of this type, in memory that may be executed.
        let function =
            unsafe { std::mem::transmute::<*const u8, extern "C" fn(u32) -> u32>(code.as_ptr()) };
        function(argument)
    }
}

#[test]
fn a_file_without_the_execute_bit_is_probed() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let _alone = alone();
    let object = load_fixture("uprobe", |_| Ok(())).unwrap();
    let code = Code::new("x.so", &library(&["other", "wanted"]).bytes());
    let at = Uprobe::entry(&code.path, "wanted");
    let link = object.program("call").unwrap().attach_uprobe(&at).unwrap();
    assert_eq!(code.call(0, 4), 8);
    assert_eq!(number(&object, "calls"), 0, "another function");
    assert_eq!(code.call(1, 21), 42);
    let seen = [number(&object, "calls"), number(&object, "last_arg")] == [1, 21];
    works(
        "uprobe in a file that is not executable",
        "calls of a function are seen",
        seen,
    );
    drop(link);
    code.call(1, 1);
    assert_eq!(number(&object, "calls"), 1);
}

#[test]
fn a_version_of_a_function_is_probed() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let _alone = alone();
    let object = load_fixture("uprobe", |_| Ok(())).unwrap();
    let program = object.program("call").unwrap();
    let code = Code::new("x.so", &library(&["f@V1", "f@@V2", "g@V1", "g@V2"]).bytes());
    let link = program
        .attach_uprobe(&Uprobe::entry(&code.path, "f@@V2"))
        .unwrap();
    code.call(0, 1);
    code.call(1, 2);
    let seen = [number(&object, "calls"), number(&object, "last_arg")] == [1, 2];
    works(
        "uprobe of a versioned symbol",
        "calls of a function are seen",
        seen,
    );
    drop(link);
    let link = program
        .attach_uprobe(&Uprobe::entry(&code.path, "f"))
        .unwrap();
    code.call(0, 3);
    code.call(1, 4);
    assert_eq!(number(&object, "last_arg"), 4, "the default version");
    drop(link);
    let error = program
        .attach_uprobe(&Uprobe::entry(&code.path, "g"))
        .unwrap_err();
    assert!(error.to_string().contains("g@V1, g@V2"), "{error}");
}

#[test]
fn a_function_is_where_the_program_headers_say() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let _alone = alone();
    let object = load_fixture("uprobe", |_| Ok(())).unwrap();
    let program = object.program("call").unwrap();
    for sections in [Sections::TextMoved, Sections::CutOff] {
        let library = Library {
            text: DOUBLE.repeat(2),
            dynamic: vec![function("other", 0), function("wanted", 4)],
            sections,
            ..Library::default()
        };
        let code = Code::new("x.so", &library.bytes());
        let before = number(&object, "calls");
        let at = Uprobe::entry(&code.path, "wanted");
        let link = program.attach_uprobe(&at).unwrap();
        code.call(0, 1);
        assert_eq!(number(&object, "calls"), before, "another function");
        code.call(1, 2);
        assert_eq!(number(&object, "calls"), before + 1);
        drop(link);
    }
}

#[test]
fn a_huge_file_costs_no_more_than_what_is_asked_of_it() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let _alone = alone();
    let object = load_fixture("uprobe", |_| Ok(())).unwrap();
    let code = Code::new("x.so", &library(&["wanted"]).bytes());
    let file = File::options().write(true).open(&code.path).unwrap();
    file.set_len(200 << 30).unwrap();
    let at = Uprobe::entry(&code.path, "wanted");
    let link = object.program("call").unwrap().attach_uprobe(&at).unwrap();
    code.call(0, 7);
    assert_eq!(number(&object, "last_arg"), 7);
    drop(link);
}

/// A stripped library, and its symbols wherever they may be.
#[test]
fn symbols_that_were_moved_out_of_a_file_are_found() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let _alone = alone();
    let object = load_fixture("uprobe", |_| Ok(())).unwrap();
    let program = object.program("call").unwrap();
    let whole = library(&["other", "wanted"]);
    let symbols = whole.bytes();
    let mut link = b"x.so.debug\0\0".to_vec();
    link.extend(crc32(&symbols).to_le_bytes());
    let stripped = Library {
        full: None,
        more: vec![(".gnu_debuglink", link)],
        ..whole
    };
    let code = Code::new("x.so", &stripped.bytes());
    let at = Uprobe::entry(&code.path, "wanted");
    let hint = |error: rawbpf::Error| error.hint().unwrap().to_owned();
    let absent = hint(program.attach_uprobe(&at).unwrap_err());
    let folder = code.path.parent().unwrap();
    for place in [folder.join("x.so.debug"), folder.join(".debug/x.so.debug")] {
        assert!(absent.contains(place.to_str().unwrap()), "{absent}");
    }
    fs::write(folder.join("x.so.debug"), "of another build").unwrap();
    let other = hint(program.attach_uprobe(&at).unwrap_err());
    assert!(other.contains("x.so.debug (of another build)"), "{other}");
    fs::create_dir(folder.join(".debug")).unwrap();
    fs::write(folder.join(".debug/x.so.debug"), symbols).unwrap();
    let link = program.attach_uprobe(&at).unwrap();
    code.call(0, 1);
    code.call(1, 21);
    assert_eq!(
        [number(&object, "calls"), number(&object, "last_arg")],
        [1, 21]
    );
    drop(link);
}

fn crc32(bytes: &[u8]) -> u32 {
    let shift = |sum: u32| (sum >> 1) ^ (0xedb8_8320 * (sum & 1));
    let sum = bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| shift(sum))
    });
    !sum
}

#[test]
fn a_member_of_an_archive_is_probed() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let _alone = alone();
    let object = load_fixture("uprobe", |_| Ok(())).unwrap();
    let program = object.program("call").unwrap();
    let library = library(&["other", "wanted"]).bytes();
    let archive = zip(&[("lib/a.txt", b"text"), ("lib/x.so", &library)], b"");
    let code = Code::new("app.apk", &archive);
    let within = |member: &str| format!("{}!/{member}", code.path.display());
    let link = program
        .attach_uprobe(&Uprobe::entry(within("lib/x.so"), "wanted"))
        .unwrap();
    code.call(0, 1);
    code.call(1, 2);
    let seen = [number(&object, "calls"), number(&object, "last_arg")] == [1, 2];
    works(
        "uprobe in a zip archive",
        "calls of a function are seen",
        seen,
    );
    drop(link);
    let by_offset = library.windows(4).position(|w| w == DOUBLE).unwrap();
    let at = Uprobe::file_offset(within("lib/x.so"), by_offset.try_into().unwrap());
    let link = program.attach_uprobe(&at).unwrap();
    code.call(0, 3);
    assert_eq!(
        number(&object, "last_arg"),
        3,
        "an offset counts from the member's start"
    );
    drop(link);

    let refused = |at: Uprobe| program.attach_uprobe(&at).unwrap_err();
    let error = refused(Uprobe::entry(within("lib/y.so"), "wanted"));
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.to_string().contains("did you mean `lib/x.so`"),
        "{error}"
    );
    let error = refused(Uprobe::entry(within("lib/a.txt"), "wanted"));
    assert_eq!(error.kind(), ErrorKind::Elf);
    let error = refused(Uprobe::entry("/proc/self/exe!/x", "wanted"));
    assert!(error.to_string().contains("no zip archive"), "{error}");
}

/// Static programs have no libraries.
#[test]
#[cfg(all(target_env = "gnu", not(target_feature = "crt-static")))]
fn a_library_is_found_as_the_dynamic_loader_finds_it() {
    require!(Need::Bpf, Need::Btf, Need::Uprobes);
    let _alone = alone();
    let object = load_fixture("uprobe", |_| Ok(())).unwrap();
    let program = object.program("call").unwrap();
    for function in ["getppid", "getppid@@GLIBC_2.2.5"] {
        let before = number(&object, "calls");
        let at = Uprobe::entry("libc.so.6", function).processes(rawbpf::attach::Processes::Own);
        let link = program.attach_uprobe(&at).unwrap();
        super::call_getppid(7);
        assert!(number(&object, "calls") - before >= 7, "{function}");
        drop(link);
    }
    let error = program
        .attach_uprobe(&Uprobe::entry("libc.so.6", "getpppid"))
        .unwrap_err();
    assert!(error.to_string().contains("`getppid`"), "{error}");
}
