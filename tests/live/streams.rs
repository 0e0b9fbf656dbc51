//! What programs write to their streams.

use crate::support::{Need, fixture};
use rawbpf::program::{Program, Stream, TestRun};
use rawbpf::{Errno, Error, ErrorKind, OpenObject};

/// Up to 6.18, text needs whole pages that can be allocated without a lock. There are none while the kernel is still
/// initializing its memory (forever with `deferred_init=lazy`): then `alloc_pages_nolock` returns nothing.
const NO_PAGES: &str = "this kernel initialises its memory on demand, and has no pages for programs until that is done";

fn said(program: &Program, stream: Stream) -> String {
    let mut text = [0; 256];
    let read = program.read_stream(stream, &mut text).unwrap();
    String::from_utf8(text[..read].to_vec()).unwrap()
}

#[test]
fn what_a_program_prints_is_read() {
    require!(Need::Bpf, Need::Btf, Need::Linux(6, 17));
    let mut open = OpenObject::from_file(fixture("streams.bpf.o")).unwrap();
    // Off by default: the type is newer than the oldest kernels.
    open.program_mut("speak_when_run")
        .unwrap()
        .set_autoload(true);
    let object = open.load().unwrap();
    let program = object.program("speak_when_run").unwrap();
    for stream in Stream::ALL {
        assert_eq!(said(program, *stream), "");
    }
    program.test_run(&TestRun::new()).unwrap();
    let results = object.live::<[i32; 2]>("results").unwrap().get();
    if results == [-Errno::ENOMEM.0; 2] {
        for stream in Stream::ALL {
            assert_eq!(said(program, *stream), "");
        }
        println!("skipped: what_a_program_prints_is_read: {NO_PAGES}");
        return;
    }
    assert_eq!(results, [0, 0]);
    assert_eq!(said(program, Stream::Stderr), "call 1 is enough\n");
    // Piece by piece; what was read is gone.
    let mut piece = [0; 5];
    assert_eq!(program.read_stream(Stream::Stdout, &mut piece).unwrap(), 5);
    assert_eq!(&piece, b"hello");
    assert_eq!(said(program, Stream::Stdout), " 1 from streams\n");
    assert_eq!(said(program, Stream::Stdout), "");
}

#[test]
fn a_kernel_without_streams_says_which_one_has_them() {
    require!(Need::Bpf, Need::Btf);
    let object = OpenObject::from_file(fixture("globals.bpf.o"))
        .unwrap()
        .load()
        .unwrap();
    let program = object.program("add_up").unwrap();
    match program.read_stream(Stream::Stdout, &mut [0; 16]) {
        Ok(read) => assert_eq!(read, 0),
        Err(error) => assert_old(&error),
    }
}

fn assert_old(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    let text = error.to_string();
    assert!(
        text.contains("`add_up`") && text.contains("Linux 6.17"),
        "{text}"
    );
}
